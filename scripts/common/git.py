"""Commit of the checked-out repository."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """Short hash of the checked-out commit, or "unknown" outside a repository or without git."""
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
