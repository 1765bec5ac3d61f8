"""The batch command: rows, resumed runs, changed files, formats, errors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest
from PIL import Image

from emotions import analyze_photo
from emotions.labels import EMOTIONS
from scripts.batch.measure import SAMPLES, write_photos

ROOT = Path(__file__).resolve().parents[2]
COUNT, BAD = 40, 4


def run_batch(*options: object, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.batch", *map(str, options)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def rows(out: Path, parts: str = "*/part-*.jsonl") -> list[dict]:
    """All rows of a finished batch, errors included, sorted by file."""
    lines = [line for part in out.glob(parts) for line in part.read_text(encoding="utf-8").splitlines()]
    return sorted(map(json.loads, lines), key=lambda row: row["file"])


def parts(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.glob("*/part-*")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """COUNT files, BAD of them not photos, and one photo without a face."""
    place = tmp_path_factory.mktemp("photos")
    assert write_photos(place, COUNT - 1, bad_every=9) == BAD
    Image.new("RGB", (320, 240), "gray").save(place / "grey.png")
    return place


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "one"
    done = run_batch("--input", f"{folder}/**", "--output", out, "--shards", 8)
    assert f"{COUNT - BAD} photos analyzed, {BAD} failed (" in done.stdout and "8 parts" in done.stdout
    return out


def test_rows_equal_those_of_the_command_line(folder, finished):
    command = [
        sys.executable,
        "-m",
        "emotions",
        "photo",
        "--format",
        "jsonl",
        *map(str, sorted(path for path in folder.rglob("*") if path.is_file())),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    for row in theirs:
        row.pop("timing_ms", None)
    assert len(theirs) == COUNT and sum("error" in row for row in theirs) == BAD
    assert sum(len(row.get("faces", ())) for row in theirs) >= COUNT - BAD - 1
    assert rows(finished) == sorted(theirs, key=lambda row: row["file"])


def test_failed_files_are_listed_with_their_error(folder, finished):
    failed = rows(finished, "failed/*")
    assert {row["error"]["code"] for row in failed} >= {"empty_file", "not_an_image"} and len(failed) == BAD
    assert all(row["error"]["message"] and row["file"].startswith(str(folder)) for row in failed)
    assert not any("error" in row for row in rows(finished, "parts/*"))


def test_documented_make_command(folder, finished, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "batch", f"INPUT={folder}/**", f"OUTPUT={tmp_path / 'made'}", "WORKERS=2"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=600)
    assert rows(tmp_path / "made") == rows(finished)


def test_two_workers_write_the_same_bytes(folder, finished, tmp_path):
    run_batch("--input", f"{folder}/**", "--output", tmp_path / "two", "--shards", 8, "--workers", 2)
    assert parts(tmp_path / "two") == parts(finished)


def test_views_are_those_of_the_command_line(tmp_path):
    command = ["--input", f"{SAMPLES}/obama.jpg", "--shards", 1]
    run_batch(*command, "--output", tmp_path / "lines", "--views", 10)
    expected = analyze_photo(SAMPLES / "obama.jpg", views=10).to_json()["faces"]
    (row,) = rows(tmp_path / "lines")
    assert row["views"] == 10 and row["faces"] == expected
    run_batch(*command, "--output", tmp_path / "table", "--views", 2, "--format", "parquet")
    (face,) = pyarrow.parquet.read_table(tmp_path / "table" / "parts").to_pylist()
    assert face["views"] == 2
    done = run_batch(*command, "--output", tmp_path / "lines", "--views", 2, code=2)
    assert "views 10" in done.stderr


def test_parquet_has_one_row_per_face(folder, finished, tmp_path):
    run_batch("--input", f"{folder}/**", "--output", tmp_path / "table", "--shards", 3, "--format", "parquet")
    table = pyarrow.parquet.read_table(tmp_path / "table" / "parts").to_pylist()
    good = [row for row in rows(finished) if "error" not in row]
    assert len(table) == sum(max(1, len(row["faces"])) for row in good)
    faces = {(row["file"], row["face"]): row for row in table}
    for row in good:
        if not row["faces"]:
            empty = faces[row["file"], None]
            assert empty["faces"] == 0 and empty["emotion"] is None and empty["anger"] is None
        for face in row["faces"]:
            flat = faces[row["file"], face["id"]]
            assert (flat["emotion"], flat["left"], flat["box_height"]) == (
                face["emotion"],
                face["box"]["left"],
                face["box"]["height"],
            )
            assert [flat[name] for name in EMOTIONS] == pytest.approx(list(face["probabilities"].values()), abs=1e-6)
    assert len(list((tmp_path / "table" / "failed").glob("*.jsonl"))) > 0


def test_killed_run_resumes_without_lost_or_duplicate_rows(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    bad = write_photos(folder, 600)
    command = ["--input", f"{folder}/**", "--output", str(out), "--shards", "60", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.batch", *command], cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while len(list(out.glob("parts/*"))) < 10 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    before = parts(out)
    assert 10 <= len([name for name in before if name.startswith("parts")]) < 60
    for name, content in before.items():  # whole lines only
        assert content.endswith(b"\n") and all(json.loads(line)["file"] for line in content.splitlines()), name
    done = run_batch(*command)
    assert f"60 parts in {out}" in done.stdout and ", 0 of them from an earlier run" not in done.stdout
    after = parts(out)
    assert before.items() <= after.items()
    files = [row["file"] for row in rows(out)]
    assert len(files) == 600 and files == sorted(str(path) for path in folder.rglob("*.jpg"))
    assert len([row for row in rows(out) if "error" in row]) == bad == 6
    assert list((out / "unfinished").iterdir()) == []


def test_added_changed_and_removed_files(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "photos")
    command = ["--input", f"{tmp_path / 'photos'}/**", "--output", tmp_path / "out", "--shards", 16]
    run_batch(*command)
    before = parts(tmp_path / "out")
    changed, gone, new = (tmp_path / "photos" / "0000" / f"{number:06d}.jpg" for number in (0, 1, 99))
    shutil.copy(SAMPLES / "angry.png", changed)
    gone.unlink()
    shutil.copy(SAMPLES / "obama.jpg", new)
    run_batch(*command)
    found = {row["file"]: row for row in rows(tmp_path / "out")}
    assert set(found) == {str(path) for path in (tmp_path / "photos").rglob("*") if path.is_file()} and len(found) == len(
        rows(tmp_path / "out")
    )
    assert str(new) in found and found[str(changed)]["width"] == 640
    after = parts(tmp_path / "out")
    assert 1 <= len(before.keys() - after.keys()) <= 6 and len(before.keys() & after.keys()) >= 10
    shutil.rmtree(tmp_path / "photos" / "0000")
    run_batch(*command)
    assert [row["file"] for row in rows(tmp_path / "out")] == [str(tmp_path / "photos" / "grey.png")]


def test_folder_with_other_settings_is_rejected(folder, finished):
    before = parts(finished)
    done = run_batch("--input", f"{folder}/**", "--output", finished, "--shards", 8, "--detector", "haar", code=2)
    assert (
        done.stderr.splitlines()[-1].startswith("error: ") and "detector 'auto'" in done.stderr and "Traceback" not in done.stderr
    )
    run_batch("--input", f"{folder}/0000/*", "--output", finished, "--shards", 8, code=2)
    assert parts(finished) == before


@pytest.mark.parametrize(("options", "reason"), [
    (["--input", "/nowhere/**"], "no file matches /nowhere/**"),
    (["--input", f"{SAMPLES}/*", "--shard", "3"], "no such option here: shard"),
    (["--input", f"{SAMPLES}/*", "--shards", "0"], "must be at least 1"),
    (["--input", f"{SAMPLES}/*", "--detector", "eyes"], "invalid choice: 'eyes'"),
    (["--input", f"{SAMPLES}/*", "--views", "3"], "invalid choice: 3"),
    (["--input", f"{SAMPLES}/*", "--head", "moods"], "no expression-head called 'moods'"),
    (["--input", f"{SAMPLES}/*", "--runner", "NoRunner"], "NoRunner"),
])  # fmt: skip
def test_invalid_options_write_nothing(tmp_path, options, reason):
    done = run_batch("--output", tmp_path / "out", *options, code=2)
    assert reason in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
