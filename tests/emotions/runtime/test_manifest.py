"""Model registry: files are verified before use, and errors name them."""

from __future__ import annotations

import json
import shutil

import pytest

from emotions.errors import ModelFileError
from emotions.runtime.manifest import BUNDLED, ModelRegistry


@pytest.fixture
def folder(tmp_path):
    """A copy of the heads and their manifest that a test may damage."""
    manifest = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))
    manifest["models"] = [entry for entry in manifest["models"] if entry["role"] == "expression-head"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for entry in manifest["models"]:
        shutil.copy(BUNDLED / entry["file"], tmp_path)
    return tmp_path


def test_the_bundled_models_match_the_manifest():
    ModelRegistry().verify()
    files = {entry.file for entry in ModelRegistry().entries()}
    assert files == {path.name for path in BUNDLED.glob("*.tflite")}, "every model file has an entry and the other way round"
    for entry in ModelRegistry().entries():
        assert entry.licence and entry.input
        assert entry.role in ("text", "speech", "speech-check") or {"size", "channels"} <= set(entry.input)


def test_expression_models_fit_in_16_mb():
    assert sum(entry.bytes for entry in ModelRegistry().entries() if entry.role.startswith("expression")) <= 16 * 2**20


def test_a_damaged_file_is_named(folder):
    entry = ModelRegistry(folder).entries()[0]
    data = bytearray((folder / entry.file).read_bytes())
    data[100] ^= 1
    (folder / entry.file).write_bytes(data)
    with pytest.raises(ModelFileError, match=f"{entry.file} is damaged.*restore"):
        ModelRegistry(folder).verify()


def test_a_missing_file_is_named(folder):
    entry = ModelRegistry(folder).entries()[-1]
    (folder / entry.file).unlink()
    with pytest.raises(ModelFileError, match=f"{entry.file}.*restore"):
        ModelRegistry(folder).verify()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "manifest.json is missing"), ("{", "not valid JSON"), ('{"schema": 99, "models": []}', "has schema 99")],
)
def test_a_manifest_that_cannot_be_used(folder, content, message):
    (folder / "manifest.json").unlink()
    if content is not None:
        (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelFileError, match=message):
        ModelRegistry(folder).verify()


def test_an_unknown_head_lists_the_known_ones(folder):
    with pytest.raises(ModelFileError, match="no expression-head called 'fer'.*fer2013"):
        ModelRegistry(folder).entry("expression-head", "fer")
