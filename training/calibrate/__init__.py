"""Calibrating how sure the model is: worlds with errors in them, a fit, a report."""
