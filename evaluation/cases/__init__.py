"""Single answers to look at: prediction in red, truth in green, and what went wrong."""
