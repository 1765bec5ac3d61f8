"""The git commit that is checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """The short name of the commit that is checked out, or "unknown"."""
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        answer = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
