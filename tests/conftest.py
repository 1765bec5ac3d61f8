"""Fixtures that several folders of tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# What a shell starts in the background ignores Ctrl-C, and so would the servers and commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photo of one smiling face (see data/README.md)."""
    return DATA / "astronaut.jpg"
