"""Tests of generated clients; skipped where the generator is not installed."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("openapi_python_client") else ["test_*.py"]
