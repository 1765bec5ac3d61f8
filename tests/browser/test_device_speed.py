"""The measurement of speed and memory in the browser, shortened."""

from __future__ import annotations

import pytest

from scripts.evaluate.device import live

ROUNDS, FRAMES = 2, 60


@pytest.mark.slow
def test_speed_and_memory_are_measured():
    if live.CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    done = live.measure(ROUNDS, 1.0, FRAMES, progress=lambda _: None)
    assert len(done.device_rates) == len(done.server_rates) == len(done.first_seconds) == ROUNDS
    assert min(*done.device_rates, *done.server_rates, *done.first_seconds) > 0
    assert max(done.memory) == FRAMES and all(50 * 2**20 < size < 2**30 for sizes in done.memory.values() for size in sizes)
    text = live.report("command", done)
    assert "    command" in text and f"| {FRAMES} |" in text and done.browser in text
