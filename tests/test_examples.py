"""Scripts of examples/, run by the command in their first line."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emotions import EMOTIONS
from scripts.common.serving import local_server
from tests import clips, sounds

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PHOTO = ROOT / "static" / "samples" / "obama.jpg"
TESTED = {
    "one_photo", "folder_to_csv", "webcam_opencv", "video_timeline", "emotion_share_per_person", "text_file", "recording",
    "http_api", "flask_app", "own_data",
}  # fmt: skip


def run(name: str, *arguments: object, code: int = 0) -> str:
    command = [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + (done.stderr if code else "")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("examples") / "clip.mp4"
    path.write_bytes(clips.clip(clips.still_frames(20)))
    return path


def test_each_example_is_tested_and_listed():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED
    listed = re.findall(r"\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert set(listed) == TESTED and len(listed) == len(TESTED)


@pytest.mark.parametrize("name", sorted(TESTED))
def test_each_example_shows_its_command(name):
    first = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith('"""') and f"examples/{name}.py" in first


def test_one_photo():
    out = run("one_photo", PHOTO)
    assert "512x640 pixels, 1 faces" in out and "happy (" in out


def test_folder_to_csv(tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    shutil.copy(PHOTO, tmp_path / "in" / "below" / "one.jpg")
    (tmp_path / "in" / "damaged.png").write_bytes(PHOTO.read_bytes()[:500])
    run("folder_to_csv", tmp_path / "in", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        found, damaged = sorted(csv.DictReader(file), key=lambda row: row["error"])
    assert found["emotion"] == "happy" and not found["error"] and damaged["error"] and not damaged["emotion"]
    assert sum(float(found[emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=1e-3)


def test_webcam_opencv_on_a_file_for_a_camera(video):
    lines = run("webcam_opencv", video).splitlines()
    assert len(lines) == 20 and all("person 0: happy" in line for line in lines)
    assert "cannot open" in run("webcam_opencv", "nowhere.mp4", code=1)


def test_video_timeline(video):
    lines = run("video_timeline", video).splitlines()
    assert len(lines) == 4 and all("person 0 happy" in line for line in lines)


def test_emotion_share_per_person(video):
    assert re.search(r"person 0, 0\.0 to 1\.\d s: happy in 100% of \d+\.\d s", run("emotion_share_per_person", video))
    assert "sad in 0%" in run("emotion_share_per_person", video, "sad")
    run("emotion_share_per_person", video, "joy", code=1)


def test_text_file(tmp_path):
    (tmp_path / "lines.txt").write_text("I love it, thank you so much!\n...\n", encoding="utf-8")
    loved, empty = run("text_file", tmp_path / "lines.txt").splitlines()
    assert loved.startswith("happy") and empty.startswith("nothing (empty)")


def test_recording(tmp_path):
    (tmp_path / "voice.wav").write_bytes(sounds.encoded(sounds.voice_like()))
    first, *segments = run("recording", tmp_path / "voice.wav").splitlines()
    assert first and segments and " to " in segments[0]


def test_http_api():
    from web import create_app

    with local_server(create_app()) as address:
        assert "happy" in run("http_api", PHOTO, address) and "yaw" in run("http_api", PHOTO, address)
        assert "not_an_image" in run("http_api", __file__, address, code=1)


def test_flask_app(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import flask_app

    client = flask_app.app.test_client()
    with PHOTO.open("rb") as file:
        answer = client.post("/faces", data={"photo": file})
    assert answer.status_code == 200 and answer.json[0]["emotion"] == "happy"
    with Path(__file__).open("rb") as file:
        assert client.post("/faces", data={"photo": file}).status_code == 422


def test_own_data(tmp_path):
    for emotion in ("happy", "sad"):
        (tmp_path / emotion).mkdir()
        shutil.copy(PHOTO, tmp_path / emotion / "one.jpg")
    out = run("own_data", tmp_path)
    assert "accuracy 50.0%" in out and "0 pictures without a detected face" in out
    run("own_data", tmp_path / "happy", code=1)
