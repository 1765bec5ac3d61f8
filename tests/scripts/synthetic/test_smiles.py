"""Smiles warped into photographs: their direction is measured, and the lips move as far as their strength says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions import open_image
from emotions.labels import EMOTIONS
from scripts.data.alignment import face_landmarks
from scripts.data.dataset import DatasetError, Faces, table
from scripts.data.readers.images import Cropper
from scripts.synthetic import smiles

ROOT = Path(__file__).resolve().parents[3]
PORTRAITS = ROOT / "static" / "samples" / "obama.jpg", ROOT / "tests" / "data" / "astronaut.jpg"
SIDE, CORNERS = 48, [61, 291]


@pytest.fixture(scope="module")
def portraits() -> np.ndarray:
    """Aligned faces (2, 48, 48) uint8, both with open lips."""
    return np.stack([Cropper(SIDE).face(open_image(path).pixels) for path in PORTRAITS])


@pytest.fixture(scope="module")
def points(portraits) -> np.ndarray:
    return face_landmarks(portraits)


def made_smile(points: np.ndarray) -> smiles.Smile:
    """A smile whose corners of the mouth, and what is near them, move outwards and up by 2 px."""
    near = [np.exp(-(((points - points[corner]) ** 2).sum(axis=1)) / 8) for corner in CORNERS]
    outwards = [np.array([-1, -2]), np.array([1, -2])]
    return smiles.Smile(sum(np.outer(share, move) for share, move in zip(near, outwards, strict=True)), points)


def test_landmarks_move_with_the_strength_and_the_other_way_with_a_negative_one(portraits, points):
    assert np.isfinite(points).all()
    for face, known in zip(portraits, points, strict=True):
        smile = made_smile(known)
        heights = [
            face_landmarks(smile.warped(face, known, (strength, strength))[None])[0][CORNERS, 1].mean()
            for strength in (-1.5, 0.0, 1.5)
        ]
        assert heights[0] > heights[1] + 0.5 > heights[2] + 1.0
        assert np.abs(smile.warped(face, known, (0.0, 0.0)).astype(int) - face).max() <= 1


def test_either_side_has_its_strength(portraits, points):
    face, known = portraits[0], points[0]
    changed = np.abs(made_smile(known).warped(face, known, (2.0, 0.0)).astype(int) - face)
    middle = int(known[:, 0].mean())
    assert changed[:, :middle].sum() > 1.3 * changed[:, middle:].sum()


def test_the_smile_is_the_mean_difference_of_a_persons_pictures_without_the_motion_of_the_head(points):
    base, rng = points[0] - (points[0][13] - points[0][14]) / 2, np.random.default_rng(0)
    base = base.copy()
    base[smiles.LIPS[1]] = base[smiles.LIPS[0]]  # closed
    smile = made_smile(base)
    rows, labels, people = [], [], []
    for person in range(8):
        turn, move = np.deg2rad(rng.uniform(-5, 5)), rng.uniform(-2, 2, 2)
        turned = base @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + move
        rows += [base, turned + smile.motion]
        labels += [smiles.NEUTRAL, smiles.HAPPY]
        people += [f"person {person}"] * 2
    found = smiles.Smile.measured(np.array(rows), np.array(labels), np.array(people), SIDE)
    assert np.abs(found.motion[CORNERS] - smile.motion[CORNERS]).max() < 0.6
    assert np.abs(found.motion[list(smiles.STABLE)]).max() < 0.5
    with pytest.raises(DatasetError, match="4 people"):
        smiles.Smile.measured(np.array(rows[:8]), np.array(labels[:8]), np.array(people[:8]), SIDE)


def test_neutral_faces_with_closed_lips_give_a_smile_and_a_neutral_face_in_their_split(portraits, points, monkeypatch):
    """Real faces, of which half are called happy; that their lips are closed is asserted instead of seen."""
    count = 2 * smiles.MIN_PEOPLE
    matrices = [cv2.getRotationMatrix2D((24, 24), angle, 1.0) for angle in np.linspace(-4, 4, count)]
    pixels = np.concatenate(
        [[cv2.warpAffine(face, m, (48, 48), borderMode=cv2.BORDER_REPLICATE) for m in matrices] for face in portraits]
    )
    labels = np.repeat([smiles.NEUTRAL, smiles.HAPPY], count)
    people = np.tile([f"person {number}" for number in range(count)], 2)
    splits = np.tile(["train"] * smiles.MIN_PEOPLE + ["validation"] * smiles.MIN_PEOPLE, 2)
    faces = table(pixels, labels, splits, [f"{number}.png" for number in range(2 * count)], "own", people)
    monkeypatch.setattr(smiles, "CLOSED", 1.0)
    found = smiles.make([faces])
    assert [EMOTIONS[label] for label in found.labels[:4]] == ["happy", "neutral"] * 2
    assert len(found) == 2 * count and set(found.sources) == {"smiles"} and found.raters.sum() == 0
    assert (
        found.splits.tolist() == np.repeat(splits[:count], 2).tolist()
        and found.groups.tolist() == np.repeat(people[:count], 2).tolist()
    )
    assert np.array_equal(found.pixels, smiles.make([faces]).pixels)
    doubted = replace(faces, votes=np.eye(7, dtype=np.float32)[labels] * 5, raters=np.full(2 * count, 10, np.float32))
    with pytest.raises(DatasetError, match="no face is neutral"):
        smiles.make([doubted])


def test_the_command_writes_a_table_and_says_what_is_missing(portraits, tmp_path, capsys):
    faces = table(portraits, [smiles.NEUTRAL] * 2, ["train"] * 2, ["a", "b"], "own", ["one", "two"])
    faces.save(tmp_path / "own.npz")
    with pytest.raises(SystemExit) as ended:
        smiles.main([str(tmp_path / "own.npz"), "--out", str(tmp_path / "smiles.npz")])
    assert ended.value.code == 1 and "0 people" in capsys.readouterr().err
    assert not (tmp_path / "smiles.npz").exists() and isinstance(Faces.load(tmp_path / "own.npz"), Faces)
