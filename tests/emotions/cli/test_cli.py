"""`python -m emotions`, as a user runs it: rows, errors as rows, exit codes, complete files."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emotions import EMOTIONS, analyze_photo
from emotions.cli import files, main, photo, workers
from emotions.runtime.memory import _budget as budget
from tests import clips

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "static" / "samples"
PHOTO = [sys.executable, "-m", "emotions", "photo"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command in this process, in an empty folder; returns exit code and standard output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(budget, "limit", budget.limit)  # a command sets its own

    def start(*words: object) -> tuple[int, str]:
        code = main([str(word) for word in words])
        return code, capsys.readouterr().out

    return start


@pytest.fixture
def images(tmp_path) -> Path:
    """A folder with two photos, one of them in a subfolder, a text file, and a damaged photo."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    (folder / "a.jpg").write_bytes((SAMPLES / "obama.jpg").read_bytes())
    (folder / "below" / "a.JPG").write_bytes((SAMPLES / "collins.jpg").read_bytes())
    (folder / "b.jpg").write_bytes(b"words, not a picture")
    (folder / "notes.txt").write_text("not looked at", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def video_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    path.write_bytes(clips.clip(clips.still_frames(20)))
    return path


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def table(text: str) -> list[dict]:
    return list(csv.DictReader(StringIO(text)))


def test_each_file_is_a_json_line_and_so_is_each_error(run, images):
    code, out = run("photo", images, images / "gone.jpg", SAMPLES / "friends.png")
    first, second, third, gone, group = lines(out)
    assert code == 1
    assert [Path(line["file"]).name for line in (first, second, third)] == ["a.jpg", "b.jpg", "a.JPG"]
    assert set(second) == {"file", "error"} and second["error"]["code"] == "not_an_image" and second["error"]["message"]
    assert gone["error"]["code"] == "file_not_found" and len(group["faces"]) == 4
    assert first["faces"][0]["emotion"] == "happy" and first["width"] == 512 and first["model"]["name"].endswith("/mixed")


def test_exit_code_0_if_every_file_was_analyzed(run):
    code, out = run("photo", SAMPLES / "obama.jpg", "--detector", "none", "--landmarks")
    (line,) = lines(out)
    assert code == 0 and line["faces"][0]["box"]["width"] == 512 and len(line["faces"][0]["landmarks"]) == 468


@pytest.mark.parametrize("views", [1, 2, 10])
def test_views_of_photos(run, views):
    code, out = run("photo", SAMPLES / "obama.jpg", "--views", views)
    (line,) = lines(out)
    expected = analyze_photo(SAMPLES / "obama.jpg", views=views).to_json()
    assert code == 0 and line["views"] == views and line["faces"] == expected["faces"]


def test_views_of_videos(run, video_file):
    summaries = {views: lines(run("video", video_file, "--summary", "--fps", "1", "--views", views)[1])[0] for views in (1, 10)}
    one, ten = (line["summary"] for line in summaries.values())
    assert (one["views"], ten["views"]) == (1, 10) and one["people"][0]["mean"] != ten["people"][0]["mean"]


def test_csv_has_a_row_for_each_face_or_one_without_faces(run, tmp_path):
    Image.new("RGB", (80, 80), "teal").save(tmp_path / "plain.png")
    (tmp_path / "bad, name.jpg").write_bytes(b"x")
    code, out = run("photo", "--format", "csv", SAMPLES / "friends.png", "plain.png", "bad, name.jpg")
    *faces, plain, bad = table(out)
    assert code == 1 and len(faces) == 4 and [face["id"] for face in faces] == list("0123")
    assert all(abs(sum(float(face[name]) for name in EMOTIONS) - 1) < 0.01 for face in faces)
    assert {plain["emotion"], plain["id"], plain["error"]} == {""}
    assert (bad["file"], bad["error"]) == ("bad, name.jpg", "not_an_image") and bad["message"]


def test_table(run, images):
    _, out = run("photo", "--format", "table", images)
    head, first, bad, _ = out.splitlines()
    assert head.split() == ["file", "number", "emotion", "confidence", "unsure"]
    assert "happy" in first and "(not_an_image)" in bad


def test_patterns_and_folders(run, images):
    code, out = run("photo", images / "**" / "a.*", images / "*.png", images / "below" / "none")
    assert [line.get("error", {}).get("code") for line in lines(out)] == [None, None, "file_not_found", "file_not_found"]
    (images / "empty").mkdir()
    assert files.expand([str(images / "empty")], photo.SUFFIXES)[0].error.code == "no_files"


def test_standard_input():
    with (SAMPLES / "obama.jpg").open("rb") as file:
        done = subprocess.run([*PHOTO, "-"], cwd=ROOT, stdin=file, capture_output=True, check=True)
    (line,) = lines(done.stdout.decode())
    assert line["file"] == "-" and line["faces"][0]["emotion"] == "happy"


def test_worker_processes_return_the_same_rows_in_the_same_order(run, images):
    def results(*options: str) -> list[dict]:
        _, out = run("photo", images, SAMPLES / "friends.png", *options)
        return [{name: value for name, value in line.items() if name != "timing_ms"} for line in lines(out)]

    assert results("--processes", "2") == results()


def initialize_nothing() -> None:
    """Initializer of the workers below."""


def double_or_die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_a_dead_process_costs_one_job():
    pairs = list(workers.map_in_order(double_or_die, range(6), 2, initialize_nothing, ()))
    assert [job for job, _ in pairs] == list(range(6))
    assert [result for job, result in pairs if job != 3] == [2 * job for job in range(6) if job != 3]
    assert isinstance(pairs[3][1], workers.ProcessDied)


def test_annotated_images_never_overwrite_a_file(run, images):
    before = {path: path.read_bytes() for path in images.rglob("*.*")}
    code, out = run("photo", images, "--annotate", images)
    written = [Path(line["annotated"]) for line in lines(out) if "annotated" in line]
    assert [path.name for path in written] == ["a-2.jpg", "a-3.jpg"] and all(
        path.read_bytes()[:3] == b"\xff\xd8\xff" for path in written
    )
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(images.rglob("*.*"))) == len(before) + 2, "no partial file is left"


def test_atomic_write_leaves_no_partial_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.atomic_write(tmp_path / "out.bin") as path:
        path.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [[], ["paint"], ["photo"], ["photo", "x", "--format", "xml"], ["photo", "x", "--detector", "dlib"],
     ["photo", "x", "--views", "3"], ["video", "x", "--views", "two"],
     ["video", "x", "--start", "-1"], ["video", "x", "--start", "1:60"], ["video", "x", "--end", "inf"],
     ["video", "x", "--end", "1e3"], ["video", "x", "--end", "1:2:3:4"], ["video", "x", "--end", "9999999"],
     ["video", "x", "--fps", "31"], ["video", "x", "--fps", "nan"]],
)  # fmt: skip
def test_exit_code_2_for_a_wrong_command_line(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2 and "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["photo", "x.jpg", "--head", "vgg99"], ["photo", "x.jpg", "--processes", "0"], ["video", "x", "--head", "vgg99"]]
)
def test_exit_code_2_if_no_file_can_be_analyzed(run, words):
    assert run(*words)[0] == 2


def test_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    printed = capsys.readouterr().out
    assert stopped.value.code == 0 and all(f"\n  {code} " in printed for code in (0, 1, 2, 130, 143))


def test_a_closed_pipe_prints_no_traceback():
    command = f"{sys.executable} -m emotions photo {SAMPLES} {SAMPLES} | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 1 and "Traceback" not in done.stderr


def test_rows_of_a_video(run, video_file):
    code, out = run("video", video_file, "--fps", "2")
    *rows, last = lines(out)
    assert code == 0 and [row["time"] for row in rows] == [0.0, 0.5, 1.0, 1.5] and set(last) == {"file", "summary"}
    assert all(row["faces"][0]["id"] == 0 for row in rows)
    assert last["summary"]["people"][0]["shares"]["happy"] == 1 and last["summary"]["partial"] is False


def test_a_video_as_csv_and_as_table(run, video_file):
    rows = table(run("video", video_file, "--fps", "2", "--format", "csv")[1])
    assert len(rows) == 4 and rows[1]["time"] == "0.5" and rows[1]["id"] == "0" and rows[1]["number"] == "1"
    assert float(rows[1]["happy"]) > 0.5
    assert [row["frame"] for row in rows] == ["0", "5", "10", "15"]
    out = run("video", video_file, "--fps", "2", "--format", "table")[1]
    assert "person 1: 0 s to 1.5 s, 4 frames: happy in 100%" in out


def test_a_frame_without_faces_is_an_empty_row(run, tmp_path):
    black = np.zeros_like(clips.still())
    moments = [(index / 10, clips.still() if index // 10 % 2 else black) for index in range(30)]
    (tmp_path / "gaps.mp4").write_bytes(clips.clip(moments))
    rows = table(run("video", "gaps.mp4", "--fps", "10", "--format", "csv")[1])
    assert [row["frame"] for row in rows] == [str(index) for index in range(30)]
    assert [float(row["time"]) for row in rows] == [index / 10 for index in range(30)]
    empty = [row for row in rows if not row["id"]]
    assert [int(row["frame"]) // 10 for row in empty] == [0] * 10 + [2] * 10
    assert all(set(row[name] for name in row if name not in ("file", "time", "frame")) == {""} for row in empty)


@pytest.mark.parametrize(
    ("words", "times"),
    [
        (["--start", "1"], [1.0, 1.5]),
        (["--end", "0:01"], [0.0, 0.5]),
        (["--start", "0:00.5", "--end", "0:00:01.5"], [0.5, 1.0]),
    ],
)
def test_a_part_of_a_video(run, video_file, tmp_path, words, times):
    code, out = run("video", video_file, "--fps", "2", *words, "--chart", tmp_path / "charts")
    *rows, last = lines(out)
    assert code == 0 and [row["time"] for row in rows] == times and last["summary"]["partial"] is False
    assert last["summary"]["start"] == times[0] and last["summary"]["people"][0]["first"] == times[0]
    assert "No face was found." not in Path(last["summary"]["chart"]).read_text(encoding="utf-8")


def test_a_part_beyond_the_end_is_an_error_of_the_file(run, video_file):
    code, out = run("video", video_file, "--start", "1:00:00")
    assert code == 1 and lines(out)[0]["error"]["code"] == "outside_video"


def test_an_end_before_the_start(run, video_file, capsys):
    assert run("video", video_file, "--start", "2", "--end", "1")[0] == 2


def test_summary_only(run, video_file):
    (line,) = lines(run("video", video_file, "--summary")[1])
    assert line["summary"]["frames"] == 10
    (row,) = table(run("video", video_file, "--summary", "--format", "csv")[1])
    assert row["emotion"] == "happy" and row["share_happy"] == "1.0" and row["frames"] == "10" and row["partial"] == ""


def test_annotated_videos_and_charts(run, video_file, tmp_path):
    _, out = run("video", video_file, video_file, "--fps", "1", "--annotate", tmp_path / "out", "--chart", tmp_path / "out")
    summaries = [line["summary"] for line in lines(out) if "summary" in line]
    assert [Path(one["annotated"]).name for one in summaries] == ["clip.mp4", "clip-2.mp4"]
    with av.open(summaries[1]["annotated"]) as container:
        assert container.streams.video[0].frames == 20
    assert Path(summaries[0]["chart"]).read_text(encoding="utf-8").startswith("<svg")
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_the_annotated_video_of_a_part_begins_with_it(run, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.clip(clips.still_frames(30)))
    _, out = run("video", path, "--start", "1", "--end", "2.5", "--annotate", tmp_path / "out")
    *rows, last = lines(out)
    assert [row["time"] for row in rows] == pytest.approx(np.arange(1, 2.5, 0.2))
    with av.open(last["summary"]["annotated"]) as container:
        (stream,) = container.streams
        assert container.duration / 1e6 == pytest.approx(1.5, abs=0.01)
        assert [float(frame.time) for frame in container.decode(stream)] == pytest.approx(np.arange(15) / 10, abs=0.001)


def test_damaged_and_truncated_videos(run, video_file, tmp_path):
    data = clips.clip(clips.still_frames(30), "matroska")
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "words.mp4").write_text("words, not a video", encoding="utf-8")
    code, out = run("video", "words.mp4", "cut.mkv", video_file, "--summary", "--annotate", "out")
    bad, cut, whole = lines(out)
    assert code == 1 and bad["error"]["code"] == "not_a_video"
    assert cut["summary"]["reason"] == "cut_off" and cut["summary"]["frames"] > 0 and whole["summary"]["partial"] is False
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip.mp4", "cut.mp4"]
    assert run("video", "cut.mkv", "--summary")[0] == 1, "a part is not all"


def test_a_video_from_standard_input(video_file):
    with video_file.open("rb") as file:
        command = [sys.executable, "-m", "emotions", "video", "-", "--fps", "1"]
        done = subprocess.run(command, cwd=ROOT, stdin=file, capture_output=True, text=True, check=True)
    assert len(lines(done.stdout)) == 3


def test_ctrl_c_leaves_no_partial_video(tmp_path):
    """Stopped within a video of two minutes: exit code 130, the rows so far, no file."""
    path = tmp_path / "long.mp4"
    path.write_bytes(clips.clip(clips.still_frames(1200), codec_options={"preset": "ultrafast"}))
    command = [sys.executable, "-m", "emotions", "video", str(path), "--annotate", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 130
    assert first["time"] == 0 and "summary" not in rest, "rows come as they are ready"
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_is_only_shown_on_a_terminal(video_file):
    command = [sys.executable, "-m", "emotions", "video", str(video_file), "--summary"]
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=follower, text=True)
    os.close(follower)
    printed = b""
    try:
        while piece := os.read(leader, 4096):
            printed += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(leader)
    out = process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 0 and len(lines(out)) == 1
    assert b" of 2 s" in printed and printed.endswith(b"\x1b[K")
    plain = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "\r" not in plain.stderr and "\x1b" not in plain.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8:strict", "utf-8"])
@pytest.mark.parametrize("format_name", ["jsonl", "csv", "table"])
def test_names_that_the_output_encoding_lacks(tmp_path, encoding, format_name):
    """Redirected output on Windows has a code page; a file name may also be no valid Unicode."""
    names = ["笑顔.jpg", os.fsdecode(b"caf\xe9.jpg"), "b.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    command = [sys.executable, "-m", "emotions", "photo", str(tmp_path), "--format", format_name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    text = done.stdout.decode(encoding.partition(":")[0])
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    if format_name == "jsonl":
        assert {Path(line["file"]).name for line in lines(text)} == set(names)
    else:
        assert text.count("not_an_image") == 3
    assert ("笑顔" in text) == encoding.startswith("utf-8")
