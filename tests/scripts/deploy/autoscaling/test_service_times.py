"""Service times for the simulation of scaling: choice of rounds, and the published file."""

from __future__ import annotations

import json

from scripts.deploy.autoscaling.service_times import OUT, SIZES, least_disturbed


def test_least_disturbed_rounds_are_used():
    small, large = SIZES.values()
    rounds = [(4.0, {small: [0.3, 0.5, 0.4], large: [1.0]}), (3.456, {small: [0.2, 0.9, 0.3], large: [2.0]})]
    assert least_disturbed(rounds) == {"start_s": 3.46, "service_s": {small: [0.2, 0.9, 0.3], large: [1.0]}}


def test_published_file_is_complete():
    published = json.loads(OUT.read_text(encoding="utf-8"))
    assert set(published["classes"]) == {"F1", "F2"} and {"date", "command", "load_average"} <= published["measured"].keys()
    for figures in published["classes"].values():
        assert figures["start_s"] > 0 and all(
            len(figures["service_s"][size]) >= 10 and min(figures["service_s"][size]) > 0 for size in SIZES.values()
        )
