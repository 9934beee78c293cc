"""Reports: what was measured, as one HTML file and the same as Markdown."""
