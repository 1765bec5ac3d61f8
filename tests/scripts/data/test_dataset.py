"""The table of faces, its splits and its repeated faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts.data.dataset import DatasetError, Faces, table
from scripts.data.splits import (
    Duplicates,
    duplicates,
    hashed_split,
    leave_one_group_out,
    leave_one_group_out_folds,
    without_copies,
)


def small(groups: list[str], source: str = "one", side: int = 8) -> Faces:
    """A table of random faces, one a group, all for training."""
    pixels = np.random.default_rng(len(groups)).integers(0, 256, (len(groups), side, side), np.uint8)
    names = [f"{index}.png" for index in range(len(groups))]
    return table(pixels, np.arange(len(groups)) % 7, ["train"] * len(groups), names, source, groups)


def test_tables_are_saved_and_joined(tmp_path):
    faces = small(["a", "b"])
    faces.save(tmp_path / "one.npz")
    both = Faces.joined([Faces.load(tmp_path / "one.npz"), small(["c"], "two")])
    assert both.names.tolist() == ["0.png", "1.png", "0.png"] and both.sources.tolist() == ["one", "one", "two"]
    assert np.array_equal(both.pixels[:2], faces.pixels) and both.votes.shape == (3, 7)


def test_tables_of_different_sizes_cannot_be_joined():
    with pytest.raises(DatasetError, match="8 and 16 pixels"):
        Faces.joined([small(["a"]), small(["b"], side=16)])


@pytest.mark.parametrize("damage", ["absent", "cut short", "no archive", "another table"])
def test_a_damaged_table_raises_a_dataset_error(tmp_path, damage):
    path = tmp_path / "faces.npz"
    small(["a"]).save(path)
    if damage == "absent":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "no archive":
        path.write_text("text")
    else:
        np.savez(path, pixels=np.zeros(3))
    with pytest.raises(DatasetError, match="faces.npz is .*python -m scripts.data.prepare"):
        Faces.load(path)


def test_repeated_faces_are_counted():
    faces = Faces.joined([small(["a"] * 6), small(["b"] * 4, "two")])
    faces = replace(faces, splits=np.array(["train", "train", "train", "validation", "test", "test"] + ["train"] * 4))
    assert duplicates(faces) == Duplicates(0, 0, 0, 0)
    pixels, labels = faces.pixels.copy(), faces.labels.copy()
    pixels[1] = pixels[0]  # within train
    pixels[3] = pixels[0]  # validation has a training face
    pixels[5] = pixels[4]  # within test
    pixels[7] = pixels[4]  # test has a training face of the other data set
    labels[:] = 0
    labels[3] = 1
    assert duplicates(replace(faces, pixels=pixels, labels=labels)) == Duplicates(4, 3, 2, 1)


def test_the_split_of_a_person_is_independent_of_others():
    people = [f"Person_{number}" for number in range(4000)]
    splits = np.array([hashed_split(person) for person in people])
    assert [np.mean(splits == split) for split in ("train", "validation", "test")] == pytest.approx([0.65, 0.15, 0.2], abs=0.03)
    # Written down: the hash must not change with the version of Python, or figures stop being comparable.
    assert [hashed_split(name) for name in ("George_W_Bush", "Colin_Powell", "Dwarakish")] == ["test", "test", "train"]
    assert np.mean(splits == [hashed_split(person, seed=1) for person in people]) < 0.7
    assert set(hashed_split(person, among=("train", "validation")) for person in people) == {"train", "validation"}
    assert {hashed_split(person, among=("test",)) for person in people[:50]} == {"test"}


def test_each_group_is_left_out_once():
    faces = small(["aia", "ray", "mery", "aia", ""])
    turns = dict(leave_one_group_out_folds(faces))
    assert list(turns) == ["aia", "mery", "ray"]
    assert turns["aia"].splits.tolist() == ["test", "train", "validation", "test", "train"]
    assert turns["ray"].splits.tolist() == ["validation", "test", "train", "validation", "train"]


@pytest.mark.parametrize(("groups", "message"), [(["aia"], "no group 'ray'"), (["aia", "ray"], "three groups are needed")])
def test_too_few_groups_to_leave_one_out(groups, message):
    with pytest.raises(DatasetError, match=message):
        leave_one_group_out(small(groups), "ray")


def test_validation_faces_that_repeat_training_faces_are_left_out():
    pixels = [np.full((8, 8), value, np.uint8) for value in (1, 2, 3, 1, 4, 1, 3)]
    splits = ["train", "train", "train", "validation", "validation", "test", "validation"]
    faces = table(pixels, [0] * 7, splits, [f"{number}.png" for number in range(7)], "own")
    kept = without_copies(faces)
    assert kept.names.tolist() == ["0.png", "1.png", "2.png", "4.png", "5.png"]
