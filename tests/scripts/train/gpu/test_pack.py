"""Tests of the packed tables; they need no PyTorch."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from scripts.data.dataset import table
from scripts.train.gpu import pack


def test_tables_are_packed_without_test_faces_and_copies(tmp_path):
    rng = np.random.default_rng(0)
    pixels = list(rng.integers(0, 256, (40, 48, 48), np.uint8))
    pixels[30] = pixels[0]  # a validation face that repeats a training face
    splits = ["train"] * 30 + ["validation"] * 6 + ["test"] * 4
    names = [str(number) for number in range(40)]
    first = table(pixels, np.arange(40) % 7, splits, names, "own")
    drawn = table(pixels[:7], np.arange(7), ["train"] * 7, names[:7], "dicebear")
    size = pack.pack([first, drawn], [tmp_path / "own.npz", tmp_path / "drawn.npz"], tmp_path / "packed", 100, 100, test=False)
    assert size == sum(path.stat().st_size for path in (tmp_path / "packed").iterdir())
    with np.load(tmp_path / "packed" / "columns.npz") as columns:
        assert columns["splits"].tolist() == ["train"] * 30 + ["validation"] * 5 + ["train"] * 7
        assert columns["tables"].tolist() == [0] * 35 + [1] * 7 and np.isnan(columns["align"][35:]).all()
        assert columns["weights"][:35].tolist() == [1.0] * 35 and np.allclose(columns["weights"][35:], 0.9, atol=1e-3)
    sheet = np.asarray(Image.open(io.BytesIO((tmp_path / "packed" / "train-000.webp").read_bytes())).convert("L"))
    assert np.array_equal(sheet[:48, 48:96], pixels[1])


def test_further_tables_lose_faces_without_a_label(tmp_path):
    pixels = list(np.random.default_rng(1).integers(0, 256, (14, 48, 48), np.uint8))
    names = [str(number) for number in range(14)]
    first = table(pixels, [-1, *range(1, 7)] * 2, ["train"] * 7 + ["validation"] * 7, names, "own")  # votes may stand for a label
    heads = table(pixels[::-1], [-1, *range(1, 7)] * 2, ["train"] * 7 + ["test"] * 7, names, "heads")
    pack.pack([first, heads], [tmp_path / "own.npz", tmp_path / "heads.npz"], tmp_path, 100, 100, test=False)
    with np.load(tmp_path / "columns.npz") as columns:
        assert columns["labels"].tolist() == [-1, *range(1, 7)] * 2 + list(range(1, 7))
        assert np.allclose(columns["weights"][14:], 0.6, atol=1e-3)
