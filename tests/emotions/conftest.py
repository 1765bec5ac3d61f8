"""Limits of the library for its tests: an app that another test has made sets tighter ones for the whole process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emotions.runtime.limits import LIBRARY, set_limits


@pytest.fixture(autouse=True)
def library_limits() -> Iterator[None]:
    before = set_limits(LIBRARY)
    yield
    set_limits(before)
