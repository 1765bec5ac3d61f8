"""Measurement of the ratio by which crops are framed from a rendering's landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.face import alignment
from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.dataset import crops, framing_ratio
from scripts.synthetic.heads.dataset.plan import plan_row
from scripts.synthetic.heads.dataset.worker import scene_of


def points(count: int, eyes: dict[int, tuple[float, float]], radius: float) -> np.ndarray:
    """Random points with the given eyes, scaled around their mean to a radius."""
    made = np.random.default_rng(count).normal(0, 1, (count, 2))
    made[list(eyes)] = list(eyes.values())
    return made * radius / alignment.rms_radius(made)


def test_differences_are_those_of_radius_midpoint_and_angle():
    corners = dict(zip((*crops.RIGHT_EYE, *crops.LEFT_EYE), ((-1.5, 0), (-0.5, 0), (0.5, 0), (1.5, 0)), strict=True))
    landmarks = points(68, corners, 50)
    mesh = np.zeros((468, 3))
    mesh[:, :2] = points(
        468, dict(zip((*alignment.RIGHT_EYE, *alignment.LEFT_EYE), ((-1, 0), (-1, 0), (1, 0), (1, 0)), strict=True)), 40
    )
    same = framing_ratio.difference(mesh, landmarks)
    assert same.ratio == pytest.approx(0.8) and same.shift == pytest.approx(0, abs=1e-9) and same.turn == pytest.approx(0)
    angle = np.radians(5)
    moved = mesh.copy()
    moved[:, :2] = mesh[:, :2] @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + [30, 40]
    other = framing_ratio.difference(moved, landmarks)
    assert other.ratio == pytest.approx(0.8) and other.shift == pytest.approx(1) and other.turn == pytest.approx(5)


def test_the_report_has_the_median_of_the_found_faces():
    scenes = [scene_of(plan_row(1, number), 1) for number in range(4)]
    found = [framing_ratio.Difference(ratio, 0.03, -0.2) for ratio in (0.88, 0.9, 0.95)]
    lines = framing_ratio.report(list(zip(scenes, [*found, None], strict=True)))
    assert lines[0].startswith("ratio 0.900 ") and lines[1].startswith("3 of 4 faces found")
    with pytest.raises(DatasetError, match="no face was found in 1 pictures"):
        framing_ratio.report([(scenes[0], None)])


def test_without_a_head_model_it_exits_with_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        framing_ratio.main(["--heads", str(tmp_path / "nowhere.npz")])
    assert stop.value.code == 1 and "nowhere.npz is not there" in capsys.readouterr().err
