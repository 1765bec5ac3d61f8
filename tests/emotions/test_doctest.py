"""The examples of the docstrings run, and every public function and central class has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import emotions

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["emotions", *(one.name for one in pkgutil.walk_packages(emotions.__path__, "emotions.") if "__main__" not in one.name)]
CLASSES = ("FaceAnalyzer", "FaceTracker", "ModelRegistry", "SpeechClassifier", "TextClassifier", "VideoAnalyzer")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_public_names_have_examples():
    public = [getattr(emotions, name) for name in emotions.__all__]
    functions = [value for value in public if inspect.isfunction(value)]
    assert len(functions) >= 6
    for value in [*functions, *(getattr(emotions, name) for name in CLASSES)]:
        assert ">>> " in (value.__doc__ or ""), value.__name__
