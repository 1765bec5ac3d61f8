"""The head model and its renderer, where they are there."""

from pathlib import Path

import pytest

from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.geometry.fitting import MeanHead
from scripts.synthetic.heads.geometry.model import load_head_model

ROOT = Path(__file__).resolve().parents[4]
HEADS = ROOT.parent / "shared/data/heads/ict_facekit.npz"


@pytest.fixture(scope="session")
def head_model():
    if not HEADS.is_file():
        pytest.skip("the head model ../shared/data/heads/ict_facekit.npz is not here")
    return load_head_model(HEADS)


@pytest.fixture(scope="session")
def mean_head(head_model):
    return MeanHead(head_model)


@pytest.fixture(scope="session")
def head_renderer(head_model):
    from scripts.synthetic.heads.renderer import HeadRenderer

    try:
        renderer = HeadRenderer(head_model)
    except DatasetError as error:
        pytest.skip(str(error))
    yield renderer
    renderer.close()
