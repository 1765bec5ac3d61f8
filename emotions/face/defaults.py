"""Defaults of face analysis, importable without loading NumPy."""

from __future__ import annotations

DEFAULT_HEAD = "mixed"
"""The head that is used where none is named: in the library, on the pages, in the API and on the command line."""
