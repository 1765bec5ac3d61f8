"""Model registry: files are verified before use, and errors name them."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from emotions.errors import ModelFileError
from emotions.labels import EMOTIONS
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
    ModelRegistry().check()
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


JUNK = (None, True, 0, -1, 7, 1.5, float("nan"), float("inf"), 10**400, "", "x", "../x", "\n", "\ud800", [], [1], [[1]], [{}], {},
        {"x": 1}, {"score": "high"})  # fmt: skip


def mutations(seed: int, count: int) -> Iterator[object]:
    """Yield the shipped manifest with one or two values replaced, removed or repeated, and other JSON."""
    chooser = random.Random(seed)
    shipped = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))
    yield from JUNK
    yield from ({"schema": 1, "models": junk} for junk in JUNK)
    yield from ({"schema": 1, "models": [junk, *shipped["models"]]} for junk in JUNK)
    for _ in range(count):
        manifest = copy.deepcopy(shipped)
        for _ in range(chooser.choice((1, 1, 2))):
            at: Any = manifest
            while True:
                key = chooser.choice(range(len(at)) if isinstance(at, list) else list(at))
                if not (isinstance(at[key], (dict, list)) and at[key]) or chooser.random() < 0.25:
                    break
                at = at[key]
            change = chooser.random()
            if change < 0.3:
                del at[key]
            elif change < 0.4 and isinstance(at, list):
                at.append(copy.deepcopy(at[key]))
            else:
                at[key] = chooser.choice(JUNK)
            if not manifest:
                break
        yield manifest


@pytest.mark.slow
def test_any_manifest_is_read_or_refused_in_one_line(tmp_path):
    """Reading the entries finds everything but damaged files; what is not refused can be used."""
    refused = 0
    for manifest in mutations(1, 3000):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        registry = ModelRegistry(tmp_path)
        try:
            registry.check()
            for entry in registry.entries():
                assert entry.temperature > 0 and "/" not in entry.file and len({*map(len, entry.anchors), 2}) == 1
                if entry.role == "text":
                    assert sum(entry.thresholds[name] for name in EMOTIONS) and entry.input["longest"] > 0
        except ModelFileError as error:
            refused += 1
            assert "\n" not in str(error) and "manifest.json" in str(error) and len(str(error)) < 400
    assert refused > 1500


@pytest.mark.parametrize("content", [b"", b"\xff", b"{" * 100_000, b"[" * 100_000, b'{"schema": ' + b"9" * 5000 + b"}", b"null"])
@pytest.mark.parametrize("name", ["manifest.json", "evaluation.json"])
def test_files_that_are_no_manifest(folder, content, name):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=f"{name} is not valid"):
        ModelRegistry(folder).entries()


@pytest.mark.parametrize("name", ["manifest.json", "evaluation.json"])
def test_a_folder_in_place_of_a_manifest(folder, name):
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    with pytest.raises(ModelFileError, match=f"{name} cannot be read: Is a directory"):
        ModelRegistry(folder).entries()


@pytest.mark.parametrize("junk", [{}, {"models": 1}, {"models": [1]}, {"models": [{}]}, {"models": [{"role": [], "name": {}}]}])
def test_an_evaluation_that_cannot_be_used(folder, junk):
    (folder / "evaluation.json").write_text(json.dumps(junk), encoding="utf-8")
    with pytest.raises(ModelFileError, match="evaluation.json is not valid"):
        ModelRegistry(folder).entries()


def test_an_evaluation_does_not_replace_what_the_manifest_says(folder):
    other = {"role": "expression-head", "name": "mixed", "file": "other.tflite", "temperature": -1, "reliability": []}
    (folder / "evaluation.json").write_text(json.dumps({"models": [other]}), encoding="utf-8")
    assert ModelRegistry(folder).entry("expression-head", "mixed").file != "other.tflite"


def test_a_missing_threshold_is_named():
    entry = ModelRegistry().entry("text")
    with pytest.raises(ModelFileError, match="thresholds of the entry 'minilm-text' lacks boredom"):
        entry.thresholds["boredom"]
    assert entry.thresholds.get("boredom") is None and dict(entry.thresholds) == entry.metadata["thresholds"]
