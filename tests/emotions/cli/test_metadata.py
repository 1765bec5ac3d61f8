"""Metadata of a run: files with SHA-256, versions, settings."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emotions import ModelRegistry, __version__
from emotions.cli import main, metadata
from tests import clips
from tests.conftest import DATA

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def video(tmp_path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.clip(clips.still_frames(10)))
    return path


def test_metadata_of_a_run(video, tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("text", encoding="utf-8")
    words = [str(video), str(tmp_path / "text.mp4"), str(tmp_path / "missing.mp4")]
    path = tmp_path / "metadata.json"
    assert main(["video", *words, "--fps", "2", "--end", "0.5", "--format", "csv", "--metadata", str(path)]) == 1
    rows = capsys.readouterr().out
    body = json.loads(path.read_text(encoding="utf-8"))
    assert set(body) == {"created", "versions", "models", "settings", "files"} and rows.startswith("file,time,frame,")
    good, bad, missing = body["files"]
    assert [one["file"] for one in body["files"]] == words
    assert good["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest() and good["bytes"] == video.stat().st_size
    assert good["frames"] == 1 and good["partial"] is False and set(good["model"]) == {"name", "version"}
    assert bad["error"]["code"] == "not_a_video" and bad["sha256"] == hashlib.sha256(b"text").hexdigest()
    assert missing["error"]["code"] == "file_not_found" and missing["sha256"] is None
    assert body["versions"]["emotions"] == __version__ and body["versions"]["av"] and body["versions"]["numpy"]
    assert (body["settings"]["fps"], body["settings"]["start"], body["settings"]["end"]) == (2.0, 0.0, 0.5)
    assert body["settings"]["head"] and body["settings"]["views"] == 1


@pytest.mark.parametrize("words", [[], ["--processes", "2"]], ids=["one process", "two processes"])
def test_photos(tmp_path, capsys, words):
    (tmp_path / "text.jpg").write_text("text", encoding="utf-8")
    photo, path = DATA / "astronaut.jpg", tmp_path / "metadata.json"
    assert main(["photo", str(photo), str(tmp_path / "text.jpg"), "--views", "2", *words, "--metadata", str(path)]) == 1
    body = json.loads(path.read_text(encoding="utf-8"))
    good, bad = body["files"]
    assert good["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest() and good["bytes"] == photo.stat().st_size
    assert (good["width"], good["height"], good["model"]["name"]) == (400, 400, "vgg16/mixed")
    assert bad["error"]["code"] == "not_an_image" and bad["sha256"] == hashlib.sha256(b"text").hexdigest()
    assert body["settings"]["views"] == 2 and {"role", "name", "version", "sha256"} == set(body["models"][0])
    registry = ModelRegistry()
    assert [one["sha256"] for one in body["models"]] == [entry.sha256 for entry in registry.entries()]


def test_texts_and_lines(tmp_path, capsys):
    lines, missing, path = tmp_path / "lines.txt", tmp_path / "missing.txt", tmp_path / "metadata.json"
    lines.write_bytes(b"I love it\n\xff\n\nSo sad\n")
    assert main(["text", "--lines", str(lines), str(missing), "--metadata", str(path)]) == 1
    body = json.loads(path.read_text(encoding="utf-8"))
    some, none = body["files"]
    assert (some["texts"], some["errors"], some["error"]["code"]) == (2, 1, "not_text") and some["model"]["version"]
    assert some["sha256"] == hashlib.sha256(lines.read_bytes()).hexdigest()
    assert (none["texts"], none["error"]["code"], none["sha256"]) == (0, "file_not_found", None)
    assert body["settings"]["lines"] is True


def test_recordings(tmp_path, capsys):
    sound, path = DATA / "buzz.flac", tmp_path / "metadata.json"
    assert main(["speech", str(sound), str(tmp_path / "missing.wav"), "--format", "csv", "--metadata", str(path)]) == 1
    good, missing = json.loads(path.read_text(encoding="utf-8"))["files"]
    assert good["sha256"] == hashlib.sha256(sound.read_bytes()).hexdigest()
    assert (good["seconds"], good["reason"], set(good["model"])) == (2.0, "not_speech", {"name", "version"})
    assert missing["error"]["code"] == "file_not_found"


def test_standard_input_of_photos_is_hashed(tmp_path):
    photo, path = (DATA / "astronaut.jpg").read_bytes(), tmp_path / "metadata.json"
    command = [sys.executable, "-m", "emotions", "photo", "-", "--metadata", str(path)]
    done = subprocess.run(command, input=photo, capture_output=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0
    [one] = json.loads(path.read_text(encoding="utf-8"))["files"]
    assert (one["file"], one["sha256"]) == ("-", hashlib.sha256(photo).hexdigest())


def test_an_existing_file_is_not_overwritten(video, tmp_path, capsys):
    (tmp_path / "metadata.json").write_text("mine", encoding="utf-8")
    assert main(["video", str(video), "--metadata", str(tmp_path / "metadata.json")]) == 2
    assert "exists already" in capsys.readouterr().err and (tmp_path / "metadata.json").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_not_there(video, tmp_path, capsys):
    assert main(["video", str(video), "--summary", "--metadata", str(tmp_path / "none" / "metadata.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a" * 300, "loop/metadata.json", "\udcff" * 300, "/proc/metadata.json"])
def test_names_that_cannot_be_written_end_the_run_before_it_starts(tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert main(["text", "missing", "--metadata", name]) == 2
    output = capsys.readouterr()
    assert output.out == "" and "cannot be written" in output.err and output.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


def test_a_link_to_nothing_is_not_replaced(tmp_path, capsys):
    (tmp_path / "link").symlink_to("nothing")
    assert main(["text", "missing", "--metadata", str(tmp_path / "link")]) == 2
    assert "exists already" in capsys.readouterr().err and (tmp_path / "link").is_symlink()


def test_metadata_that_can_no_longer_be_written_are_results_that_cannot(tmp_path, capsys, monkeypatch):
    folder, add = tmp_path / "folder", metadata.Metadata.add
    folder.mkdir()

    def add_and_remove_folder(*words: Any) -> None:
        add(*words)
        folder.rmdir()

    monkeypatch.setattr(metadata.Metadata, "add", add_and_remove_folder)
    assert main(["text", "missing", "--metadata", str(folder / "metadata.json")]) == 1
    assert capsys.readouterr().err.endswith("metadata.json cannot be written: No such file or directory\n")


@pytest.mark.parametrize("command", ["photo", "text", "speech"])
def test_other_commands_do_not_overwrite_either(command, tmp_path, capsys):
    (tmp_path / "metadata.json").write_text("mine", encoding="utf-8")
    assert main([command, "missing", "--metadata", str(tmp_path / "metadata.json")]) == 2
    assert (tmp_path / "metadata.json").read_text(encoding="utf-8") == "mine"
