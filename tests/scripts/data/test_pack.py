"""Packed faces come back: those to train on nearly, the others exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts.data import pack
from scripts.data.dataset import DatasetError, Faces


def test_packed_faces_are_restored(prepared, tmp_path, capsys):
    faces = Faces.load(prepared)
    pack.main([str(prepared), "--out", str(tmp_path / "packed")])
    pack.main([str(tmp_path / "packed" / prepared.stem), "--unpack", "--out", str(tmp_path / "data")])
    again = Faces.load(tmp_path / "data" / f"{prepared.stem}.npz")
    for field in faces.__dataclass_fields__:
        if field != "pixels":
            assert np.array_equal(getattr(again, field), getattr(faces, field))
    train = faces.splits == "train"
    assert np.array_equal(again.pixels[~train], faces.pixels[~train])
    difference = np.abs(again.pixels[train].astype(int) - faces.pixels[train]).mean(axis=(1, 2))
    assert 0 < difference.max() < 12  # noise is the worst that JPEG can be given
    other = np.roll(faces.pixels[train], 1, axis=0)
    assert (difference < np.abs(again.pixels[train].astype(int) - other).mean(axis=(1, 2))).all()  # each in its own place


def test_several_sheets_and_a_part_of_one():
    pixels = np.random.default_rng(0).integers(0, 256, (2100, 8, 8)).astype(np.uint8)
    images = pack.sheets(pixels)
    assert [image.size for image in images] == [(256, 512), (256, 16)]
    assert np.array_equal(pack.faces_of(images, 8, 2100), pixels)


def test_errors_of_packing_and_unpacking(prepared, tmp_path):
    faces = Faces.load(prepared)
    with pytest.raises(DatasetError, match="multiple of 8"):
        pack.pack(replace(faces, pixels=faces.pixels[:, :47, :47]), tmp_path)
    with pytest.raises(SystemExit):
        pack.main([str(tmp_path / "nothing"), "--unpack", "--out", str(tmp_path)])
