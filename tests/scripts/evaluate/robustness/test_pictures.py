"""Samples of the three sets."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import DatasetError
from scripts.evaluate.robustness.pictures import SIDE, fer2013, london, rendered, sample
from tests.scripts.rendered import write_heads

PORTRAIT = Path(__file__).resolve().parents[3] / "data" / "astronaut.jpg"


def write_london(folder: Path, people: int) -> Path:
    """Write the labels of `people`, happy and neutral, whose photographs are all the same: a happy face at London's place."""
    folder.mkdir()
    portrait = cv2.copyMakeBorder(cv2.imread(str(PORTRAIT)), 60, 0, 0, 0, cv2.BORDER_REPLICATE)[4:264, 47:307]
    with open(folder / "labels.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "label", "person"))
        for person in range(people):
            for label in ("happy", "neutral"):
                name = f"{person:03d}_{label}.jpg"
                cv2.imwrite(str(folder / name), portrait)
                rows.writerow((name, label, f"{person:03d}"))
    return folder


def test_samples_are_balanced_and_depend_on_the_seed():
    labels = np.repeat([0, 3, 5], [50, 20, 3])
    kept = sample(labels, 30, seed=0)
    assert np.bincount(labels[kept]).tolist() == [10, 0, 0, 10, 0, 3] and len(set(kept.tolist())) == len(kept)
    assert (kept == sample(labels, 30, seed=0)).all() and (kept != sample(labels, 30, seed=1)).any()
    assert len(sample(labels, 1, seed=0)) == 3  # one of each class at least


def test_london(tmp_path: Path):
    made = london(write_london(tmp_path / "london", 3), 4, seed=0)
    assert made.pixels.shape == (4, SIDE, SIDE, 3) and made.pixels.dtype == np.uint8
    assert sorted(EMOTIONS[label] for label in made.labels) == ["happy", "happy", "neutral", "neutral"]
    (tmp_path / "london" / "000_happy.jpg").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match="labels.csv"):
        london(tmp_path / "london", 6, seed=0)
    with pytest.raises(DatasetError, match="labels.csv"):
        london(tmp_path / "missing", 6, seed=0)


def test_rendered_heads_are_of_the_test_family_at_full_strength(tmp_path: Path):
    made = rendered(write_heads(tmp_path / "heads.npz"), 14, seed=0)
    assert made.pixels.shape == (2, SIDE, SIDE, 3)  # the two whole pictures of the one test family
    assert {EMOTIONS[label] for label in made.labels} == {"happy"}
    assert {bool(picture.std() < 1) for picture in made.pixels} == {True, False}  # a blank one and a portrait


def test_fer2013_is_the_test_split(prepared: Path):
    made = fer2013(prepared, 7, seed=0)
    assert made.pixels.shape == (7, SIDE, SIDE, 3) and sorted(made.labels.tolist()) == list(range(7))
    assert (made.pixels[..., 0] == made.pixels[..., 2]).all()
