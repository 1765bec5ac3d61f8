"""Standard metrics of tracking, in the environment of the benchmarks, and the comparison of people."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emotions.face.results import Box
from emotions.video.appearance import CELLS
from scripts.evaluate.tracking.people import Sample, area_under_curve, curve_rows, pairs_of, rule_row
from scripts.evaluate.tracking.synthetic_video import visible

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / ".venv-bench" / "bin" / "python"
PROGRAM = """
import dataclasses, json
from emotions.face.results import Box
from scripts.evaluate.tracking.metrics import TrackedFrame, tracking_metrics
left, right = Box(0, 0, 10, 10), Box(100, 0, 10, 10)
truth = {0: left, 1: right}
perfect = [TrackedFrame(truth, {5: left, 6: right})] * 10
swapped = perfect[:5] + [TrackedFrame(truth, {5: right, 6: left})] * 5
missed = [TrackedFrame(truth, {5: left})] * 10
empty = [TrackedFrame({}, {})]
cases = {"perfect": [perfect, empty], "swapped": [swapped], "missed": [missed], "both": [perfect, swapped]}
print(json.dumps({name: dataclasses.asdict(tracking_metrics(one)) for name, one in cases.items()}))
"""


def test_metrics_of_known_sequences():
    """By hand: with ids swapped halfway each pair of person and track covers 5 of 15 frames, so that AssA is 1/3."""
    if not BENCH.exists():
        pytest.skip("make .venv-bench/.installed installs TrackEval")
    done = subprocess.run([BENCH, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    metrics = json.loads(done.stdout)
    expected = {
        "perfect": {"hota": 1, "deta": 1, "assa": 1, "mota": 1, "idf1": 1, "id_switches": 0},
        "swapped": {"hota": (1 / 3) ** 0.5, "deta": 1, "assa": 1 / 3, "mota": 0.9, "idf1": 0.5, "id_switches": 2},
        "missed": {"hota": 0.5**0.5, "deta": 0.5, "assa": 1, "mota": 0.5, "idf1": 2 / 3, "id_switches": 0},
    }
    for name, values in expected.items():
        assert metrics[name] == pytest.approx(values), name
    assert metrics["swapped"]["idf1"] < metrics["both"]["idf1"] < 1 and metrics["both"]["id_switches"] == 2


@pytest.mark.parametrize(("left", "expected"), [(100, {1}), (130, {1}), (190, {0, 1}), (400, {0, 1})])
def test_faces_that_others_in_front_cover_do_not_count(left, expected):
    truth = {0: Box(100, 100, 80, 100), 1: Box(left, 100, 80, 100)}
    assert set(visible(truth)) == expected
    swapped = {0: truth[1], 1: truth[0]}
    assert 1 in visible(swapped), "the last one is in front"


def sample(person: int, photo: str, noise: float) -> Sample:
    random, own = np.random.default_rng([person, ord(photo)]), np.random.default_rng(person)
    vector = own.uniform(0, 1, 40) + noise * random.standard_normal(40)
    colours = np.clip(own.integers(60, 190, (len(CELLS), 3)) + 3 * random.standard_normal((len(CELLS), 3)), 1, 255)
    return Sample(str(person), photo, np.abs(vector), vector, colours.astype(np.uint8).tobytes())


def test_area_under_the_curve():
    same = np.array([True, True, False, False])
    assert area_under_curve(same, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert area_under_curve(same, np.array([0.3, 0.4, 0.1, 0.2])) == 0
    assert area_under_curve(same, np.array([0.1, 0.3, 0.2, 0.4])) == 0.75


def test_pairs_of_people():
    samples = [sample(person, photo, 0.02) for person in range(8) for photo in ("a", "b")]
    pairs = pairs_of(samples)
    assert len(pairs.same) == 16 * 15 // 2 and pairs.same.sum() == 8
    assert all(row[2] == "1.000" and row[3] == "100.0%" for row in curve_rows("set", pairs))
    assert rule_row("set", pairs) == ("set", "100.0% of 8", "0 of 112")
    one_photo = pairs_of(samples, of_one_photo=True)
    assert not one_photo.same.any() and rule_row("set", one_photo) == ("set", "", "0 of 56")
