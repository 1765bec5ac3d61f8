"""Parity of the browser's library (static/js/device) with the Python package."""
