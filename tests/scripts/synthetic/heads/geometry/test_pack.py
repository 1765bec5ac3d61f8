"""The head model as one file."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.synthetic.heads.geometry import pack
from scripts.synthetic.heads.geometry.model import load_head_model


def test_a_packed_head_model_is_read_as_it_was(head_model, tmp_path):
    path = tmp_path / "below" / "heads.npz"
    pack.save_head_model(head_model, path)
    read = load_head_model(path)
    assert list(read.shapes) == list(head_model.shapes) and np.array_equal(read.polygons, head_model.polygons)
    assert np.array_equal(read.uv, head_model.uv) and np.array_equal(read.uv_polygons, head_model.uv_polygons)
    assert np.array_equal(read.vertices, head_model.vertices)
    for name, offsets in head_model.shapes.items():
        assert np.abs(read.shapes[name] - offsets).max() < 1e-3  # cm
    assert np.abs(read.identities - head_model.identities).max() < 1e-3


def test_without_the_repository_it_exits_with_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        pack.main(["--folder", str(tmp_path / "FaceXModel"), "--out", str(tmp_path / "heads.npz")])
    error = capsys.readouterr().err
    assert stop.value.code == 1 and "make data/ict_facekit.npz" in error and error.count("\n") == 1
    assert not (tmp_path / "heads.npz").exists()
