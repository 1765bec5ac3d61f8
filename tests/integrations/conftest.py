"""Tests of the integrations, Gradio and Apache Beam; skipped where the package is not installed."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [
    f"test_{name}*.py"
    for name, package in (("batch", "apache_beam"), ("gradio", "gradio"))
    if not importlib.util.find_spec(package)
]
