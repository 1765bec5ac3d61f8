"""Measurements of the models as they are served: the real server answers through its HTTP API, and its answers are counted."""
