"""What analyzes and what it returns can be copied and sent to another process, before and after it was used."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import pytest

import emotions
from emotions.runtime.limits import get_limits
from tests.conftest import DATA

PORTRAIT, RECORDING, FILM = DATA / "astronaut.jpg", DATA / "buzz.flac", DATA / "av1.webm"
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
ANALYZERS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "photo": lambda: emotions.FaceAnalyzer().analyze,
    "text": lambda: emotions.TextClassifier().predict,
    "speech": lambda: emotions.SpeechClassifier().predict,
}
INPUTS: dict[str, Any] = {"photo": PORTRAIT, "text": "I love it, thank you so much!", "speech": RECORDING}


@cache
def results() -> dict[str, Any]:
    photo = emotions.analyze_photo(PORTRAIT, landmarks=True, explain=True)
    text = emotions.analyze_text("I love it. I hate you!", explain=True, sentences=True)
    film = emotions.analyze_video(FILM, fps=1)
    with emotions.VideoAnalyzer(FILM, 1) as video:
        frame = next(iter(video))
    found = [
        photo, photo.faces[0], photo.faces[0].box, text, text.sentences[0], text.words[0], film, film.frames[0], frame,
        emotions.analyze_speech(RECORDING), emotions.open_image(PORTRAIT), get_limits(), emotions.ModelRegistry().entries()[0],
    ]  # fmt: skip
    return {type(one).__name__: one for one in found}


@pytest.mark.parametrize("how", COPIES)
def test_results_equal_their_copies(how):
    assert len(results()) == 13
    for name, one in results().items():
        made = COPIES[how](one)
        assert type(made) is type(one) and made == one, name
        assert not name.endswith("Result") or made.to_json() == one.to_json(), name


def test_images_of_other_pixels_or_sizes_differ():
    image = emotions.open_image(PORTRAIT)
    assert image == emotions.open_image(PORTRAIT) and image != emotions.open_image(PORTRAIT, max_side=200)
    assert image != emotions.open_image(255 - image.pixels) and image != "an image"


def plain(result: Any) -> dict[str, Any]:
    return {name: value for name, value in result.to_json().items() if name != "timing_ms"}


@pytest.mark.parametrize("kind", ANALYZERS)
def test_analyzers_that_were_used_can_be_copied(kind):
    analyze = ANALYZERS[kind]()
    expected = plain(analyze(INPUTS[kind]))
    for how in COPIES.values():
        assert plain(how(analyze)(INPUTS[kind])) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANALYZERS)
def test_analyzers_that_were_used_cross_an_executor(kind):
    analyze = ANALYZERS[kind]()
    expected = plain(analyze(INPUTS[kind]))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert plain(pool.submit(analyze, INPUTS[kind]).result(timeout=60)) == expected
