"""The set of rendered heads: tables, independence of processes and of interruptions, splits, labels, data card and sample."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import DatasetError, Faces
from scripts.data.sources import data_statement, licence_of
from scripts.synthetic.heads.dataset import generate, sample
from scripts.synthetic.heads.dataset.plan import plan_row, split_of
from scripts.synthetic.heads.dataset.reader import describe_set
from scripts.synthetic.heads.dataset.record import read_records
from scripts.synthetic.heads.expressions import LABEL_STRENGTH

from ..conftest import HEADS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[5]
SEED, COUNT = 5, 16


def arguments(out: Path, count: int, jobs: int) -> list[str]:
    return ["--heads", str(HEADS), "--count", str(count), "--out", str(out), "--seed", str(SEED), "--jobs", str(jobs)]


def command(out: Path, count: int, jobs: int) -> list[str]:
    return [sys.executable, "-m", "scripts.synthetic.heads.dataset.generate", *arguments(out, count, jobs)]


def assert_same(one: Faces, other: Faces) -> None:
    for field in Faces.__dataclass_fields__:
        assert np.array_equal(getattr(one, field), getattr(other, field)), field


@pytest.fixture(scope="module")
def made(head_renderer, tmp_path_factory) -> Path:
    """A set of COUNT pictures by two processes."""
    out = tmp_path_factory.mktemp("made") / "heads.npz"
    generate.main(arguments(out, COUNT, 2))
    return out


def test_tables_have_the_form_that_all_readers_have(made):
    faces, larger = Faces.load(made), Faces.load(generate.beside(made, "-96.npz"))
    assert faces.pixels.shape == (COUNT, 48, 48) and larger.pixels.shape == (COUNT, 96, 96)
    assert np.array_equal(faces.names, larger.names) and np.array_equal(faces.labels, larger.labels)
    assert set(faces.sources) == {"heads"} and not faces.votes.any()
    for number, (name, group, split) in enumerate(zip(faces.names, faces.groups, faces.splits, strict=True)):
        family, character, emotion, text = name.split("/")
        row = plan_row(SEED, number)
        assert (family, emotion, int(text)) == (row.family, row.emotion, number)
        assert character == group == f"{family}-{row.character:03d}" and split == split_of(family)
    assert faces.pixels.std(axis=(1, 2)).min() > 8
    for small, large in zip(faces.pixels, larger.pixels, strict=True):
        halved = cv2.resize(large, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
        assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.9
    rows = data_statement(faces, "base")
    assert "rendered 3D characters (CC BY 4.0" in licence_of(rows) and not rows[0]["research"]


def test_weak_expressions_have_no_label(made):
    faces, records = Faces.load(made), read_records(generate.beside(made, "-info.csv"))
    assert [record.name for record in records] == faces.names.tolist()
    for record, label in zip(records, faces.labels, strict=True):
        weak = record.emotion != "neutral" and record.strength < LABEL_STRENGTH
        assert record.label == label == (-1 if weak else EMOTIONS.index(record.emotion))
        assert record.seed == SEED and record.recipe and abs(record.yaw) <= 40
    assert {-1} < set(faces.labels.tolist())  # some have none, most have one


def test_most_faces_are_found(made):
    assert np.mean([record.found for record in read_records(generate.beside(made, "-info.csv"))]) > 0.8


def test_whole_pictures_are_those_of_the_table(made):
    records = [record for record in read_records(generate.beside(made, "-info.csv")) if record.whole]
    with zipfile.ZipFile(generate.beside(made, "-whole.zip")) as packed:
        assert sorted(packed.namelist()) == sorted(["LICENSE.md", *(record.whole for record in records)])
        assert "2020 USC Institute for Creative Technologies" in packed.read("LICENSE.md").decode()
        pictures = [cv2.imdecode(np.frombuffer(packed.read(record.whole), np.uint8), cv2.IMREAD_COLOR) for record in records]
    assert records and all(picture.shape == (256, 256, 3) and picture.std() > 10 for picture in pictures)


@pytest.mark.slow
def test_one_process_renders_the_same(made, tmp_path):
    out = tmp_path / "heads.npz"
    subprocess.run(command(out, 8, 1), cwd=ROOT, check=True, capture_output=True)
    first = np.arange(8)
    for ending in (".npz", "-96.npz"):
        assert_same(Faces.load(generate.beside(out, ending)), Faces.load(generate.beside(made, ending)).where(first))
    assert read_records(generate.beside(out, "-info.csv")) == read_records(generate.beside(made, "-info.csv"))[:8]


@pytest.mark.slow
def test_an_interrupted_rendering_resumes(made, tmp_path):
    out = tmp_path / "heads.npz"
    process = subprocess.Popen(command(out, COUNT, 2), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "heads").glob("*/*.npz"))) < 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    message = process.communicate()[1]
    assert process.returncode == 130 and "the same command resumes" in message
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "heads").glob("*/*.npz")}
    assert len(finished) >= 3 and not out.exists() and not list((tmp_path / "heads").glob("*/*.partial"))
    generate.main(arguments(out, COUNT, 2))
    assert_same(Faces.load(out), Faces.load(made))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


@pytest.mark.slow
def test_a_larger_set_begins_with_the_smaller_one(made, tmp_path):
    out = tmp_path / "heads.npz"
    before = Faces.load(made)
    shutil.copytree(made.with_suffix(""), tmp_path / "heads")
    generate.main(arguments(out, COUNT + 2, 2))
    assert_same(Faces.load(out).where(np.arange(COUNT)), before)
    assert len(Faces.load(out)) == COUNT + 2
    generate.main(arguments(out, 10, 2))
    assert_same(Faces.load(out), before.where(np.arange(10)))


@pytest.mark.slow
def test_a_damaged_shard_is_rendered_again(made):
    before, path = Faces.load(made), next(made.with_suffix("").glob("*/*.npz"))
    path.write_bytes(path.read_bytes()[:500])
    generate.main(arguments(made, COUNT, 2))
    assert_same(Faces.load(made), before)


def test_the_card_counts_what_is_there(made):
    text = generate.beside(made, "-CARD.md").read_text(encoding="utf-8")
    records = read_records(generate.beside(made, "-info.csv"))
    (folder,) = (path for path in made.with_suffix("").iterdir() if path.is_dir())
    assert describe_set(made) == f"{COUNT} rows, seed {SEED}, fingerprint `{folder.name}`"
    assert f"{COUNT} pictures of {len({record.character for record in records})} characters" in text
    table = text.split("## Faces by family and label")[1].split("##")[0].strip().splitlines()
    columns = [cell.strip() for cell in table[0].strip("|").split("|")]
    for line in table[2:]:
        row = dict(zip(columns, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
        part = [record for record in records if record.family == row["family"]]
        assert int(row["faces"]) == len(part) and int(row["no label"]) == sum(record.label < 0 for record in part)
        assert row["split"] == split_of(row["family"])
    assert "CC BY 4.0" in text and "Copyright (c) 2020 USC Institute" in text and "{" not in text


def test_the_sample_is_balanced_and_has_its_terms(made, tmp_path):
    out = tmp_path / "build" / "sample.zip"
    kept = [record for record in read_records(generate.beside(made, "-info.csv")) if record.whole]
    sample.main(["--set", str(made), "--count", str(len(kept)), "--out", str(out)])
    with zipfile.ZipFile(out) as packed:
        rows = list(csv.DictReader(packed.read("info.csv").decode().splitlines()))
        assert sorted(packed.namelist()) == sorted(
            ["CARD.md", "LICENSE.md", "README.md", "info.csv", *(row["whole"] for row in rows)]
        )
        pixels = cv2.imdecode(np.frombuffer(packed.read(rows[0]["whole"]), np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (256, 256, 3) and "MIT License" in packed.read("LICENSE.md").decode()
    assert len(rows) == len(kept)


def test_the_sample_takes_families_and_emotions_in_turn():
    records = [
        read for number in range(1400) if (row := plan_row(1, number)).kept
        for read in [sample.Record(str(number), "", row.family, row.emotion, "", 1, 0, 0, 0, 0, 1, 1, f"{number}.webp")]
    ]  # fmt: skip
    chosen = sample.choose(records, 70)
    assert len({(record.family, record.emotion) for record in chosen}) == 70
    with pytest.raises(DatasetError, match="140 whole pictures are kept, 141 are wanted"):
        sample.choose(records, 141)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--heads", "nowhere.npz"], 1, "nowhere.npz is not there"),
        (["--heads", "README.md"], 1, "is not the head model"),
        (["--count", "0"], 2, "must be at least 1"),
        (["--out", "heads.csv"], 2, "a file .npz"),
    ],
)
def test_it_exits_with_a_one_line_error(options, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("no model")
    with pytest.raises(SystemExit) as stop:
        generate.main(options)
    error = capsys.readouterr().err
    assert stop.value.code == code and message in error and (code == 2 or error.count("\n") == 1)
    assert not list(tmp_path.glob("**/*.npz"))


def test_without_egl_the_message_names_the_packages(head_model, tmp_path):
    """As where no driver is installed: the vendor library that is asked for is not there."""
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": str(tmp_path / "none.json")}
    for jobs in (1, 2):
        done = subprocess.run(command(tmp_path / "heads.npz", 2, jobs), cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 1 and "libegl1 libgl1-mesa-dri" in done.stderr and "Traceback" not in done.stderr
