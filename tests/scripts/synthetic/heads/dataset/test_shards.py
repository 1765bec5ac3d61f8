"""Shards and records of rendered pictures, and the fingerprint that keeps different ones apart."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.dataset import shards
from scripts.synthetic.heads.dataset.record import COLUMNS, Record, read_records, to_csv
from scripts.synthetic.heads.geometry.model import HeadModel

RECORD = Record("clay/clay-003/sad/000012", "clay-003", "clay", "sad", "sad-full", 0.4, 5, -12.5, 3.25, 0.0, 7, 1, "")


def picture(number: int, whole: bytes = b"") -> shards.Picture:
    faces = tuple(np.random.default_rng(number).integers(0, 256, (size, size), np.uint8) for size in shards.SIZES)
    return shards.Picture(number, replace(RECORD, name=f"clay/clay-003/sad/{number:06d}"), faces, whole)


def tiny_model() -> HeadModel:
    triangle = np.eye(3, dtype=np.float32)
    polygon = np.array([[0, 1, 2, -1]], np.int32)
    return HeadModel(triangle, polygon, triangle[:, :2], polygon, {"jawOpen": triangle}, triangle[None])


def test_pictures_are_read_as_written(tmp_path):
    path = shards.shard_path(tmp_path / "below", "clay", 3)
    written = [picture(4), picture(9, b"whole picture"), picture(11, b"x")]
    shards.write_shard(path, written)
    read = shards.read_shard(path)
    assert path.name == "clay-003.npz" and [path] == list(path.parent.iterdir())
    assert [(one.number, one.record, one.whole) for one in read] == [(one.number, one.record, one.whole) for one in written]
    for one, other in zip(read, written, strict=True):
        assert all(np.array_equal(face, face2) for face, face2 in zip(one.crops, other.crops, strict=True))
    assert shards.finished_numbers(path) == {4, 9, 11}


@pytest.mark.parametrize("damage", ["cut", "text", "gone"])
def test_a_damaged_shard_counts_as_missing(tmp_path, damage):
    path = tmp_path / "clay-003.npz"
    shards.write_shard(path, [picture(4)])
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000] if damage == "cut" else b"no archive")
    assert shards.read_shard(path) == [] and shards.finished_numbers(path) == set()


def test_a_shard_of_other_columns_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "clay-003.npz"
    shards.write_shard(path, [picture(4)])
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays | {"records": np.array(['{"name": "old"}'])})
    assert shards.read_shard(path) == []


@pytest.mark.filterwarnings("ignore")  # NumPy warns of headers that only Python 2 wrote
def test_a_shard_with_flipped_bytes_raises_nothing(tmp_path):
    """Single bits and many bytes, anywhere and in the headers of the arrays, of the archive's members and of its directory."""
    path, random, read = tmp_path / "clay-003.npz", np.random.default_rng(3), Counter()
    written = [picture(4), picture(9, b"whole picture")]
    shards.write_shard(path, written)
    intact = np.frombuffer(path.read_bytes(), np.uint8)
    with zipfile.ZipFile(path) as stored:
        starts = np.array([info.header_offset for info in stored.infolist()])
    heads = (starts[:, None] + np.arange(160)).ravel()
    for number in range(900):
        anywhere, directory = np.arange(len(intact)), np.arange(len(intact) - 600, len(intact))
        places = random.choice((anywhere, heads, directory)[number % 3], 1 if number % 2 else 16)
        damaged = intact.copy()
        damaged[places] ^= (1 << random.integers(8, size=len(places))).astype(np.uint8)
        path.write_bytes(damaged.tobytes())
        pictures, numbers = shards.read_shard(path), shards.finished_numbers(path)
        assert len(pictures) in (0, 2) and len(numbers) in (0, 1, 2)
        read[len(pictures)] += 1
    assert read[0] > 500 and read[2] > 10, "bytes that nobody reads may be flipped"


def test_the_fingerprint_changes_with_seed_model_detectors_and_code(tmp_path):
    model, registry, code = tiny_model(), ModelRegistry(), tmp_path / "code.py"
    code.write_text("VALUE = 1\n")
    first = shards.fingerprint(model, 1, registry, [code])
    assert first == shards.fingerprint(tiny_model(), 1, ModelRegistry(), [code])
    others = [shards.fingerprint(model, 2, registry, [code])]
    for changes in (
        {"shapes": {"jawOpen": model.shapes["jawOpen"] * 1.01}}, {"shapes": {"jawLeft": model.shapes["jawOpen"]}},
        {"identities": model.identities * 1.01}, {"uv_polygons": model.uv_polygons + 1},
    ):  # fmt: skip
        others.append(shards.fingerprint(replace(model, **changes), 1, registry, [code]))
    code.write_text("VALUE = 2\n")
    others.append(shards.fingerprint(model, 1, registry, [code]))
    assert len({first, *others}) == 7
    code.write_text("VALUE = 1  # the same\n")
    assert shards.fingerprint(model, 1, registry, [code]) == first


@pytest.mark.parametrize(
    ("role", "key", "value", "counts"),
    [
        ("detector", "sha256", "0" * 64, True), ("landmarks", "sha256", "0" * 64, True),
        ("detector", "thresholds", {"score": 0.9}, True), ("expression-head", "sha256", "0" * 64, False),
        ("detector", "licence", "another", False),
    ],
)  # fmt: skip
def test_of_the_models_the_detectors_alone_count(tmp_path, role, key, value, counts):
    shutil.copy(BUNDLED / "manifest.json", tmp_path)
    before = shards.fingerprint(tiny_model(), 1, ModelRegistry(tmp_path), [])
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    next(entry for entry in manifest["models"] if entry["role"] == role)[key] = value
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert (shards.fingerprint(tiny_model(), 1, ModelRegistry(tmp_path), []) != before) is counts


def test_sources_are_what_renders_and_frames():
    sources = shards.rendering_sources()
    names = {path.name for path in sources}
    assert {"alignment.py", "blazeface.py", "detector.py", "landmarks.py", "framing.py", "worker.py", "crops.py"} <= names
    assert {"head.frag", "facs.toml", "hair.py", "plan.py", "record.py"} <= names
    assert not {"card.py", "reader.py", "sample.py", "generate.py", "contact_sheet.py", "ferg_lookalike.py"} & names
    assert all((shards.PACKAGE / name).is_file() for name in shards.AFTER) and all(path.is_file() for path in sources)
    assert len(set(sources)) == len(sources)


def test_comments_and_docstrings_do_not_count_as_code():
    code = '"""Module."""\nVALUE = 1\n"""A value."""\n\n\ndef double(x):\n    """Double."""\n    return 2 * x  # twice\n'
    other = '"""Another text."""\nVALUE = 1\n\n\n\ndef double(x):\n    return 2 * x\n'
    assert shards._instructions(code) == shards._instructions(other)
    assert shards._instructions(code) != shards._instructions(code.replace("2 * x", "3 * x"))


def test_folders_with_another_fingerprint_are_named(tmp_path):
    for name in ("aaaa", "bbbb"):
        shards.write_shard(tmp_path / name / "clay-003.npz", [picture(1)])
    (tmp_path / "empty").mkdir()
    assert list(shards.other_folders(tmp_path / "bbbb")) == [tmp_path / "aaaa"]


def test_records_are_read_as_written(tmp_path):
    path, records = tmp_path / "info.csv", [RECORD, replace(RECORD, label=-1, whole="clay-003-sad-000012.webp")]
    path.write_text(to_csv(records), encoding="utf-8")
    assert read_records(path) == records and path.read_text().splitlines()[0].split(",") == list(COLUMNS)


@pytest.mark.parametrize("text", [None, "name,family\nx,clay\n", ",".join(COLUMNS) + "\n" + "x," * 12 + "x\n"])
def test_another_table_is_rejected(tmp_path, text):
    path = tmp_path / "info.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DatasetError, match="make heads"):
        read_records(path)
