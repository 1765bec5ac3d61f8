"""A damaged file of the head model gives a DatasetError, whatever is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.geometry.model import load_head_model


@pytest.fixture
def path(tmp_path):
    """An archive with the arrays of a head model, of a single triangle."""
    polygon, random = np.array([[0, 1, 2, -1]]), np.random.default_rng(1)
    np.savez_compressed(
        tmp_path / "model.npz", vertices=random.random((3, 3)), faces=polygon, uv=random.random((3, 2)), uv_faces=polygon,
        expression_names=np.array(["jawOpen"]), expressions=random.random((1, 3, 3)), identities=random.random((4, 3, 3)),
    )  # fmt: skip
    return tmp_path / "model.npz"


@pytest.mark.filterwarnings("ignore")  # NumPy warns of headers that only Python 2 wrote
def test_flipped_bytes_give_an_error_that_names_the_file(path):
    intact, random, damaged = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(2), 0
    for number in range(900):
        flipped = intact.copy()
        places = random.choice(len(intact), (1, 4, 16)[number % 3])
        flipped[places] ^= (1 << random.integers(8, size=len(places))).astype(np.uint8)
        path.write_bytes(flipped.tobytes())
        with pytest.raises(DatasetError, match=r"model\.npz") as error:
            load_head_model(path)
        damaged += "is not the head model" in str(error.value)
    assert damaged > 600, "others are read and have one triangle"


def test_an_array_alone_is_no_model(tmp_path):
    with open(tmp_path / "model.npz", "wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DatasetError, match="is not the head model"):
        load_head_model(tmp_path / "model.npz")


def test_the_message_names_the_command_that_makes_the_file(tmp_path):
    with pytest.raises(DatasetError, match=r"`make data/ict_facekit\.npz`"):
        load_head_model(tmp_path / "none.npz")
