"""The head model and its renderer, where they are there."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.geometry.fitting import MeanHead
from scripts.synthetic.heads.geometry.model import load_head_model

ROOT = Path(__file__).resolve().parents[4]
PLACES = (ROOT.parent / "shared/data/heads/ict_facekit.npz", ROOT / "data/ict_facekit.npz")
HEADS = next((path for path in PLACES if path.is_file()), PLACES[0])


@pytest.fixture(scope="session")
def head_model():
    if not HEADS.is_file():
        pytest.skip("the head model is not here: neither ../shared/data/heads/ict_facekit.npz nor data/ict_facekit.npz")
    return load_head_model(HEADS)


@pytest.fixture(scope="session")
def mean_head(head_model):
    return MeanHead(head_model)


class RemoteRenderer:
    """A renderer in a process of its own: tests of other modules load TensorFlow, which does not share a process with Mesa."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(HEADS,)
        )

    def render(self, character, expression, view):
        return self.call(_render, character, expression, view)

    def call(self, function, *arguments):
        """Call a function of a module in that process; `renderer()` there is its renderer."""
        return self._pool.submit(function, *arguments).result(timeout=300)

    def close(self) -> None:
        self._pool.shutdown()


def renderer():
    return _here["renderer"]


_here: dict = {}


def _start(heads: Path) -> None:
    os.environ["LP_NUM_THREADS"] = "0"
    from scripts.synthetic.heads.renderer import HeadRenderer

    try:
        _here["renderer"] = HeadRenderer(load_head_model(heads))
    except DatasetError as error:
        _here["error"] = str(error)


def _render(character, expression, view):
    return renderer().render(character, expression, view)


def _error() -> str | None:
    return _here.get("error")


@pytest.fixture(scope="session")
def head_renderer(head_model):
    remote = RemoteRenderer()
    try:
        if error := remote.call(_error):
            pytest.skip(error)
        yield remote
    finally:
        remote.close()
