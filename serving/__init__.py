"""StableChat for many users: the page and an HTTP API on Ray Serve.

``python -m serving``; docs/serving.md. Only this package and the batch engine import
Ray.
"""
