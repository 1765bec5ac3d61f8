"""Tests of the integrations, Gradio, Apache Beam and generated clients; skipped where the package is not installed."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [
    f"test_{name}*.py"
    for name, package in (("batch", "apache_beam"), ("gradio", "gradio"), ("clients", "openapi_python_client"))
    if not importlib.util.find_spec(package)
]
