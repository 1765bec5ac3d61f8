from __future__ import annotations

import hashlib
import json

import pytest

from emotions.errors import ModelFileError
from emotions.runtime.manifest import ModelRegistry
from scripts.common.manifest import drop_entry, put_entry


def entry(name: str, role: str, version: str = "1") -> dict:
    return {"name": name, "role": role, "version": version, "file": f"{name}-{version}.tflite", "licence": "MIT",
            "input": {"size": 8, "channels": 1}, "output": 2}  # fmt: skip


def test_entry_carries_size_and_digest_and_reads_back(tmp_path):
    put_entry(tmp_path, entry("a", "detector"), b"model")
    registry = ModelRegistry(tmp_path)
    written = registry.entry("detector")
    assert written.bytes == 5 and written.sha256 == hashlib.sha256(b"model").hexdigest()
    assert registry.read(written) == b"model"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.tflite", "manifest.json"]


def test_order_is_by_role_and_first_put_stays_first(tmp_path):
    for name, role in [
        ("h", "expression-head"),
        ("m", "landmarks"),
        ("first", "detector"),
        ("b", "expression-base"),
        ("x", "text"),
    ]:
        put_entry(tmp_path, entry(name, role), name.encode())
    put_entry(tmp_path, entry("second", "detector"), b"second")
    put_entry(tmp_path, entry("first", "detector", "2"), b"first again")  # replaced in its place
    names = [model["name"] for model in json.loads((tmp_path / "manifest.json").read_text())["models"]]
    assert names == ["first", "second", "m", "b", "h", "x"]


def test_entries_are_replaced_by_role_and_name(tmp_path):
    """A head trained on a data set that is called like a detector leaves the detector in place."""
    put_entry(tmp_path, entry("faces", "detector"), b"detector")
    head = entry("faces", "expression-head") | {"file": "faces-head-1.tflite"}
    put_entry(tmp_path, head, b"head")
    roles = [model["role"] for model in json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["models"]]
    assert roles == ["detector", "expression-head"]
    registry = ModelRegistry(tmp_path)
    assert registry.model(registry.entry("detector", "faces")) is not registry.model(registry.entry("expression-head", "faces"))
    drop_entry(tmp_path, "expression-head", "faces")
    assert [one.role for one in ModelRegistry(tmp_path).entries()] == ["detector"]


def test_data_may_be_a_path_and_the_same_bytes_may_be_put_again(tmp_path):
    source = tmp_path / "made.bin"
    source.write_bytes(b"weights")
    folder = tmp_path / "models"
    assert put_entry(folder, entry("a", "detector"), source) == put_entry(folder, entry("a", "detector"), source)


def test_a_published_version_is_never_overwritten(tmp_path):
    put_entry(tmp_path, entry("a", "detector"), b"one")
    with pytest.raises(ValueError, match="raise the version"):
        put_entry(tmp_path, entry("a", "detector"), b"two")
    assert (tmp_path / "a-1.tflite").read_bytes() == b"one"


@pytest.mark.parametrize("change", [{"file": "../a.tflite"}, {"file": "sub/a.tflite"}])
def test_a_file_outside_the_folder_is_refused(tmp_path, change):
    with pytest.raises(ValueError, match="folder"):
        put_entry(tmp_path, {**entry("a", "detector"), **change}, b"x")


def test_an_incomplete_entry_is_named(tmp_path):
    incomplete = entry("a", "detector")
    del incomplete["licence"]
    with pytest.raises(ValueError, match="licence"):
        put_entry(tmp_path, incomplete, b"x")


def test_measured_fields_are_written_to_the_evaluation_and_joined_again(tmp_path):
    put_entry(
        tmp_path, {**entry("a", "detector"), "evaluation": {"set": {"accuracy": 0.5}}, "thresholds": {"score": 0.6}}, b"one"
    )
    put_entry(tmp_path, entry("a", "text"), b"one")  # another role with the same name, nothing measured
    manifest, evaluation = (json.loads((tmp_path / name).read_text()) for name in ("manifest.json", "evaluation.json"))
    assert all("evaluation" not in one for one in manifest["models"])
    assert evaluation["models"] == [{"name": "a", "role": "detector", "evaluation": {"set": {"accuracy": 0.5}}}]
    first, second = ModelRegistry(tmp_path).entries()
    assert (
        first.evaluation == {"set": {"accuracy": 0.5}}
        and first.metadata["thresholds"] == {"score": 0.6}
        and not second.evaluation
    )
    digest = hashlib.sha256((tmp_path / "evaluation.json").read_bytes()).hexdigest()
    assert manifest["evaluation"]["sha256"] == digest
    drop_entry(tmp_path, "detector", "a")
    assert not (tmp_path / "evaluation.json").exists() and "evaluation" not in json.loads(
        (tmp_path / "manifest.json").read_text()
    )


def test_a_server_runs_without_the_evaluation(tmp_path):
    put_entry(tmp_path, {**entry("a", "detector"), "evaluation": {"set": {}}}, b"one")
    (tmp_path / "evaluation.json").unlink()
    registry = ModelRegistry(tmp_path)
    registry.verify()
    assert not registry.entry("detector").evaluation
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(ModelFileError, match="evaluation.json is not valid"):
        ModelRegistry(tmp_path).entries()
