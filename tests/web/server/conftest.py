"""Fixtures of the tests of the server."""

from __future__ import annotations

import threading
import time

import pytest

from emotions import TimeBudgetError
from emotions.runtime.time_budget import check_time
from web import inference


@pytest.fixture
def work(monkeypatch) -> dict[str, object]:
    """Decoding of pictures that takes `seconds`, and sets `ended` where a check ends it."""
    state: dict[str, object] = {"seconds": 0.0, "ended": threading.Event(), "reached": threading.Event()}
    real = inference.open_image

    def slow(*arguments, **options):
        state["reached"].set()
        until = time.monotonic() + state["seconds"]
        while time.monotonic() < until:
            time.sleep(0.01)
            try:
                check_time()
            except TimeBudgetError as error:
                assert error.code == "client_gone"
                state["ended"].set()
                raise
        return real(*arguments, **options)

    monkeypatch.setattr(inference, "open_image", slow)
    return state
