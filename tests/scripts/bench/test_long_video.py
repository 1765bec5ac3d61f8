"""Measurement of a long video, shortened to a minute: the command line in a control group."""

from __future__ import annotations

import pytest

from scripts.bench import long_video
from scripts.deploy import sandbox

MISSING = sandbox.missing_features().get("caps")


@pytest.mark.sandbox
@pytest.mark.skipif(bool(MISSING), reason=f"no control groups on this machine: {MISSING}")
def test_a_minute_of_video_within_the_memory_limit():
    result = long_video.measure(1, 1.0, 384 * long_video.MEGABYTE, annotate=False)
    assert (result["exit"], result["oom_kills"], result["rows"]) == (0, 0, 60)
    assert result["peak_bytes"] <= 384 * long_video.MEGABYTE
    assert result["summary"]["duration"] == pytest.approx(60, abs=0.1) and not result["summary"]["partial"]
    minutes, sizes = zip(*result["resident"].items(), strict=True)
    assert minutes == (0.0, 0.2, 0.5, 0.8) and min(sizes) > 0
