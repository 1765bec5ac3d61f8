"""The doors that have environments of their own: `make test-integrations` runs each part with its own Python."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [
    f"test_{door}*.py"
    for door, package in (("batch", "apache_beam"), ("gradio", "gradio"))
    if not importlib.util.find_spec(package)
]
