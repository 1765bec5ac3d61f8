"""The constants of the browser's library are those of the Python package."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emotions.face import detector
from scripts.release import device_constants


def test_the_file_is_what_the_modules_give(capsys):
    assert device_constants.main(["--check"]) == 0, capsys.readouterr().out


def test_a_changed_constant_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(detector, "MAX_FACES", detector.MAX_FACES + 1)
    assert device_constants.main(["--check"]) == 1
    assert "python -m scripts.release.device_constants" in capsys.readouterr().out


def test_the_file_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(device_constants, "FILE", tmp_path / "constants.js")
    assert device_constants.main([]) == 0
    written = (tmp_path / "constants.js").read_text()
    assert written == device_constants.render()
    assert f"    MAX_FACES: {detector.MAX_FACES},\n" in written


def test_values_take_the_forms_of_json():
    value = {"pair": (1, 2.5), "part": slice(0, 10), "row": np.arange(3), "none": float("inf"), "name": "auto"}
    plain = device_constants.plain(value)
    assert plain == {"pair": [1, 2.5], "part": [0, 10], "row": [0, 1, 2], "none": None, "name": "auto"}
    assert json.loads(json.dumps(plain)) == plain


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="object"):
        device_constants.plain(object())
