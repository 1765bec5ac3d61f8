"""Every error of the library has one base class and survives the way through a process pool."""

from __future__ import annotations

import copy
import importlib
import multiprocessing
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import emotions
from emotions.errors import CodedError, EmotionDetectorError

for module in pkgutil.walk_packages(emotions.__path__, "emotions."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def subclasses(parent: type) -> set[type]:
    return {found for child in parent.__subclasses__() for found in {child, *subclasses(child)}}


CLASSES = sorted(
    (one for one in subclasses(Exception) if one.__module__.partition(".")[0] == "emotions"), key=lambda one: one.__name__
)


def instance(error: type) -> Exception:
    """An error with the texts that its class takes."""
    return error("a_code", "A message.") if issubclass(error, CodedError) else error("A message.")


def raise_error(error: type) -> None:
    raise instance(error)


def analyze(path: str) -> int:
    return len(emotions.analyze_photo(path).faces)


def test_all_errors_have_the_base_class():
    names = {one.__name__ for one in CLASSES}
    assert {"ImageError", "VideoError", "AudioError", "TextError", "ModelFileError", "InputError", "ProcessDied"} <= names
    assert [one for one in CLASSES if not issubclass(one, EmotionDetectorError)] == []


@pytest.mark.parametrize("error", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_survive_pickling(error, protocol):
    before = instance(error)
    for after in (pickle.loads(pickle.dumps(before, protocol)), copy.copy(before), copy.deepcopy(before)):
        assert type(after) is error and (str(after), after.args, vars(after)) == (str(before), before.args, vars(before))


def test_a_coded_error_has_code_and_message():
    for error in subclasses(CodedError):
        one = pickle.loads(pickle.dumps(error("a_code", "A message.")))
        assert (one.code, one.message, str(one)) == ("a_code", "A message.", "A message.") and isinstance(one, ValueError)


def test_errors_cross_an_executor(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for error in CLASSES:
            assert type(pool.submit(raise_error, error).exception(timeout=60)) is error
        caught = pool.submit(analyze, str(bad)).exception(timeout=60)
        assert (caught.code, caught.message) == ("not_an_image", str(caught))


def test_errors_cross_a_process_pool(tmp_path):
    """A class that cannot be pickled leaves Pool.map waiting forever: hence the timeout."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    portrait = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for error in CLASSES:
            with pytest.raises(error):
                pool.map_async(raise_error, [error]).get(timeout=60)
        with pytest.raises(emotions.ImageError) as caught:
            pool.map_async(analyze, [str(portrait), str(bad)]).get(timeout=60)
        assert caught.value.code == "not_an_image"
        assert pool.map_async(analyze, [str(portrait)]).get(timeout=60) == [1], "the pool still works"
