"""Readers take the data sets as their owners publish them, and say what is wrong with other files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.datasets import DatasetError, Faces, read_class_folders, read_fer2013_csv
from scripts.prepare import duplicates_across_splits

SHARED = Path(__file__).parents[3] / "shared" / "data" / "faces"


def test_class_folders_and_votes(prepared):
    faces = Faces.load(prepared)
    assert faces.pixels.shape == (84, 48, 48) and faces.pixels.dtype == np.uint8
    assert [len(faces.split(name)) for name in ("train", "validation", "test")] == [56, 14, 14]
    assert np.array_equal(np.bincount(faces.labels), [12] * 7)
    assert np.array_equal(faces.votes.argmax(axis=1), faces.labels) and set(faces.raters) == {10.0}
    assert duplicates_across_splits(faces) == 0


def test_a_repeated_face_is_found(prepared):
    faces = Faces.load(prepared)
    pixels = faces.pixels.copy()
    pixels[faces.splits == "test"] = pixels[faces.splits == "train"][:14]
    assert duplicates_across_splits(replace(faces, pixels=pixels)) == 14


def test_kaggle_csv_has_its_own_class_order(tmp_path):
    path = tmp_path / "icml_face_data.csv"
    with open(path, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["emotion", " Usage", " pixels"])  # Kaggle's second file has blanks in its header
        for number, usage in enumerate(["Training", "PublicTest", "PrivateTest", "Training", "Training", "Training", "Training"]):
            rows.writerow([number, usage, " ".join(["7"] * 2304)])
    faces = read_fer2013_csv(path)
    assert [EMOTIONS[label] for label in faces.labels] == ["anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert list(faces.splits[:3]) == ["train", "validation", "test"] and (faces.pixels == 7).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fer2013.csv", "a,b\n1,2\n", "columns emotion, pixels and Usage"),
        ("fer2013.csv", "emotion,pixels,Usage\n0,1 2 3,Training\n", "line 2: 3 pixels"),
        ("faces.zip", "no archive", "neither a folder nor a zip"),
    ],
)
def test_another_file_gets_one_clear_error(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DatasetError, match=message):
        (read_fer2013_csv if name.endswith("csv") else read_class_folders)(path)


def test_a_folder_without_emotions_is_refused(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(DatasetError, match="no picture under a folder named after an emotion"):
        read_class_folders(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the FER2013 archive is not beside the project")
def test_the_real_archive():
    faces = read_class_folders(SHARED / "fer2013.zip")
    assert [len(faces.split(name)) for name in ("train", "validation", "test")] == [28558, 3579, 3573]
    assert list(np.bincount(faces.split("test").labels)) == [489, 55, 527, 876, 624, 588, 414]
