"""The measurement of a long film, short: the real command in a real control group."""

from __future__ import annotations

import pytest

from scripts.bench import long_video
from scripts.deploy import sandbox

MISSING = sandbox.missing_features().get("caps")


@pytest.mark.sandbox
@pytest.mark.skipif(bool(MISSING), reason=f"no control groups on this machine: {MISSING}")
def test_a_minute_of_film_under_the_cap():
    told = long_video.measure(1, 1.0, 384 * long_video.MEGABYTE, annotate=False)
    assert (told["exit"], told["kills"], told["rows"]) == (0, 0, 60)
    assert told["peak_bytes"] <= 384 * long_video.MEGABYTE
    assert told["summary"]["duration"] == pytest.approx(60, abs=0.1) and not told["summary"]["partial"]
    minutes, sizes = zip(*told["resident"].items(), strict=True)
    assert minutes == (0.0, 0.2, 0.5, 0.8) and min(sizes) > 0
