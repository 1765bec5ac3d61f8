"""The benchmark's chart, and what its rival servers make of a photo: here, where matplotlib and TensorFlow are."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from scripts.bench import baselines, chart
from scripts.bench.figures import Measured

ROOT = Path(__file__).resolve().parents[3]
TITLES = {"ours": "this project", "usual": "usual stack"}


def figures(factor: float) -> Measured:
    stages = {"decode": [1.0], "detect": [4.0], "classify": [3.0], "HTTP and the rest": [2.0]}
    sweep = {1.0: [10.0 * factor], 50.0: [100.0 * factor]}
    return Measured(starts=[factor], last_bytes=2**20, photos=[[10.0 * factor]], stages=stages, faces=sweep, sizes=sweep)


def test_the_chart_tells_the_figures_and_is_the_same_each_time(tmp_path):
    for name in ("first.svg", "second.svg"):
        chart.draw({"ours": figures(1), "usual": figures(23.4)}, TITLES, tmp_path / name)
    svg = (tmp_path / "first.svg").read_bytes()
    assert svg == (tmp_path / "second.svg").read_bytes()
    texts = {text for element in ElementTree.parse(io.BytesIO(svg)).iter() for text in [element.text or ""]}
    assert {"this project", "usual stack", "234", "23.4", "p50 a photo, ms (log)", "classify"} <= texts


@pytest.mark.parametrize("name", ["usual", "small"])
def test_the_usual_stack_reads_a_face(name, tmp_path):
    baselines.vgg16(baselines.SIDES[name]).save(tmp_path / f"{name}.keras")
    read = baselines.keras_reader(name, tmp_path)
    (face,), timing = read(cv2.imread(str(ROOT / "static" / "samples" / "obama.jpg")))
    assert set(face["probabilities"]) == set(baselines.EMOTIONS)
    assert np.isclose(sum(face["probabilities"].values()), 1, atol=1e-4) and set(timing) == {"detect", "classify"}
    assert abs(face["box"]["left"] + face["box"]["width"] / 2 - 278) < 30  # the middle of the portrait's face
