"""Chart of the benchmark, and the baseline servers (in the environment with Matplotlib and TensorFlow)."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from scripts.bench import baselines, chart
from scripts.bench.figures import Measurements

ROOT = Path(__file__).resolve().parents[3]
TITLES = {"ours": "this project", "usual": "usual stack"}


def figures(factor: float) -> Measurements:
    stages = {"decode": [1.0], "detect": [4.0], "classify": [3.0], "HTTP and the rest": [2.0]}
    sweep = {1.0: [10.0 * factor], 50.0: [100.0 * factor]}
    return Measurements(starts=[factor], last_bytes=2**20, photos=[[10.0 * factor]], stages=stages, faces=sweep, sizes=sweep)


def test_chart_shows_the_figures_and_is_reproducible(tmp_path):
    for name in ("first.svg", "second.svg"):
        chart.draw({"ours": figures(1), "usual": figures(23.4)}, TITLES, tmp_path / name)
    svg = (tmp_path / "first.svg").read_bytes()
    assert svg == (tmp_path / "second.svg").read_bytes()
    texts = {text for element in ElementTree.parse(io.BytesIO(svg)).iter() for text in [element.text or ""]}
    assert {"this project", "usual stack", "234", "23.4", "p50 per photo, ms (log)", "classify"} <= texts


@pytest.mark.parametrize("name", ["usual", "small"])
@pytest.mark.slow
def test_keras_baselines_classify_a_face(name, tmp_path):
    baselines.vgg16(baselines.SIDES[name]).save(tmp_path / f"{name}.keras")
    analyze = baselines.keras_analyzer(name, tmp_path)
    (face,), timing = analyze(cv2.imread(str(ROOT / "static" / "samples" / "obama.jpg")))
    assert set(face["probabilities"]) == set(baselines.EMOTIONS)
    assert np.isclose(sum(face["probabilities"].values()), 1, atol=1e-4) and set(timing) == {"detect", "classify"}
    assert abs(face["box"]["left"] + face["box"]["width"] / 2 - 278) < 30  # centre of the portrait's face
