"""What several rooms' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photo of one smiling face (see data/README.md)."""
    return DATA / "astronaut.jpg"
