"""POST /api/v1/video with the real models: streamed lines, annotated videos, errors, and released resources."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from emotions.runtime.memory import _budget as decoding
from tests import clips
from web.api import video as module

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Two seconds of a smiling face."""
    return clips.clip(clips.still_frames(20))


@pytest.fixture
def send(client) -> Callable:
    def send(file: bytes, query: str = "", **fields):
        return client.post("/api/v1/video" + query, data={"file": (BytesIO(file), "clip.mp4"), **fields})

    return send


def lines(response) -> list[dict]:
    assert response.status_code == 200 and response.mimetype == "application/x-ndjson", response.text
    return [json.loads(line) for line in response.text.splitlines()]


def code(response) -> tuple[int, str]:
    assert response.mimetype == "application/problem+json"
    return response.status_code, response.json["code"] if response.is_json else json.loads(response.data)["code"]


def nothing_is_reserved(app) -> bool:
    return decoding.used == 0 and app.extensions["video_slots"]._value == module.MAX_CONCURRENT


def test_line_per_frame_and_summary(app, send, clip):
    with send(clip) as response:
        *rows, last = lines(response)
    assert [row["time"] for row in rows] == [index / 5 for index in range(10)]
    assert all(set(row) == {"time", "frame", "faces"} for row in rows) and set(last) == {"summary"}
    for row in rows:
        (face,) = row["faces"]
        assert face["id"] == 0 and face["emotion"] == "happy" and set(face["raw"]) == set(face["probabilities"])
    summary = last["summary"]
    assert summary["frames"] == 10 and summary["partial"] is False and summary["reason"] is None
    assert summary["model"]["name"] == "vgg16/mixed" and summary["people"][0]["shares"]["happy"] == 1
    assert nothing_is_reserved(app)


def test_options(client, send, clip):
    with (
        send(clip, fps="1", landmarks="true", detector="haar", views="2") as form,
        send(clip, "?fps=1&landmarks=1&detector=haar&views=2") as query,
    ):
        *rows, last = lines(form)
        assert [row["time"] for row in rows] == [0, 1] and len(rows[0]["faces"][0]["landmarks"]) == 468
        assert last["summary"]["detector"] == "haar" and last["summary"]["views"] == 2 and lines(query) == [*rows, last]
    with client.post("/api/v1/video?fps=1", data=clip, content_type="video/mp4") as raw:
        assert len(lines(raw)) == 3


@pytest.mark.parametrize(
    "query",
    [
        "fps=0",
        "fps=31",
        "fps=nan",
        "fps=1_0",
        "fps=",
        "fps=-1",
        "fps=1&fps=2",
        "annotated=gif",
        "landmarks=yes",
        "detector=dlib",
        "views=3",
        "start=-1",
        "start=601",
        "end=nan",
        "end=0",
        "start=1.5&end=1.5",
    ],
)
def test_invalid_options(send, clip, query):
    assert code(send(clip, "?" + query)) == (400, "invalid_option")


def test_options_in_query_and_form_must_agree(send, clip):
    response = send(clip, "?fps=5&views=1", fps="5.0", views="2")
    assert code(response) == (400, "invalid_option")
    assert list(json.loads(response.data)["errors"]) == ["views"]
    with send(clip, "?fps=5&merge=1", fps="5.0", merge="true") as response:
        assert len(lines(response)) == 11


def test_unknown_options(send, clip):
    response = send(clip, "?url=http://127.0.0.1/")
    assert (
        code(response) == (400, "unknown_option")
        and "fps, start, end, detector, landmarks, annotated" in json.loads(response.data)["detail"]
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: b"", (422, "empty_file")),
        (lambda: b"text, not a video", (422, "not_a_video")),
        (lambda: (clips.SAMPLES / "obama.jpg").read_bytes(), (422, "not_a_video")),
        (lambda: b"OggS" + bytes(100), (415, "unsupported_video")),
        (lambda: clips.audio_only(cover=True), (422, "no_picture_track")),
        (lambda: clips.clip(clips.still_frames(20))[:9000], (422, "truncated_video")),
        (
            lambda: clips.clip([(0, np.zeros((4000, 5000, 3), np.uint8))], codec="mjpeg", pixels="yuvj420p"),
            (413, "too_many_pixels"),
        ),
        (lambda: clips.clip([(0, clips.still()), (660, clips.still())], "matroska"), (413, "video_too_long")),
    ],
)
@pytest.mark.parametrize("annotated", ["", "?annotated=mp4"])
def test_unusable_files_are_problems(app, send, make, expected, annotated):
    assert code(send(make(), annotated)) == expected and nothing_is_reserved(app)


def test_detail_of_too_long_a_video(send):
    detail = json.loads(send(clips.clip([(0, clips.still()), (660, clips.still())], "matroska")).data)["detail"]
    assert "11.0 minutes" in detail and "python -m emotions video" in detail


def test_overstated_duration_is_ignored(send):
    with send(clips.with_header_duration(clips.clip(clips.still_frames(10), "matroska"), 7200)) as response:
        summary = lines(response)[-1]["summary"]
    assert summary["stated_duration"] == 7200 and summary["duration"] == pytest.approx(1, abs=0.1) and not summary["partial"]


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b"", None, (400, "no_file")),
        (b"{}", "application/json", (415, "unsupported_media_type")),
        (b"x", "image/jpeg", (415, "unsupported_media_type")),
        (b"x", "video/mp4", (422, "not_a_video")),
        (bytes(32 * 2**20 + 1), "video/mp4", (413, "file_too_large")),
    ],
)
def test_invalid_bodies(app, client, data, kind, expected):
    assert code(client.post("/api/v1/video", data=data, content_type=kind)) == expected and nothing_is_reserved(app)


def test_wrong_field(client, clip):
    response = client.post("/api/v1/video", data={"video": (BytesIO(clip), "a.mp4")})
    assert code(response) == (400, "wrong_field") and "video was sent" in json.loads(response.data)["detail"]


def test_truncated_video_is_analyzed_in_part(send):
    data = clips.clip(clips.still_frames(30), "matroska")
    with send(data[: len(data) * 2 // 3]) as response:
        *rows, last = lines(response)
    assert rows and last["summary"]["partial"] and last["summary"]["reason"] == "cut_off"
    with send(data[: len(data) * 2 // 3], "?annotated=mp4") as response:
        assert response.status_code == 200 and response.headers["X-Partial"] == "cut_off"


def test_annotated_video(app, send, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with send(clip, "?annotated=mp4&fps=1") as response:
        assert response.status_code == 200 and response.mimetype == "video/mp4"
        assert list(tmp_path.iterdir()) == [], "deleted before it is sent"
        data = response.data
    assert len(data) == response.content_length and "X-Partial" not in response.headers
    with av.open(BytesIO(data)) as container:
        assert container.streams.video[0].frames == 20
    assert nothing_is_reserved(app)


def test_a_part_is_analyzed(send, clip):
    with send(clip, "?start=0.4&end=1.2") as response, send(clip) as whole:
        *rows, last = lines(response)
        assert rows[0]["time"] == 0.4 and rows[-1]["time"] < 1.2 and last["summary"]["start"] == 0.4
        assert [row["frame"] for row in rows] == [row["frame"] for row in lines(whole)[:-1] if 0.4 <= row["time"] < 1.2]
        assert not last["summary"]["partial"]
    with send(clip, "?start=0.5&annotated=mp4") as response, av.open(BytesIO(response.data)) as container:
        assert container.streams.video[0].frames == 15 and container.decode(video=0).__next__().time == 0
    for options in ({}, {"annotated": "mp4"}):
        response = send(clip, "?start=30&end=40", **options)
        assert code(response) == (422, "outside_video") and "from 30 to 40 s" in json.loads(response.data)["detail"]


def test_client_disconnects(app, client, clip):
    response = client.post("/api/v1/video", data=clip, content_type="video/mp4", buffered=False)
    pieces = response.iter_encoded()
    assert json.loads(next(pieces))["time"] == 0
    assert decoding.used > 0, "reserved while the response is sent"
    response.close()
    assert nothing_is_reserved(app)


def test_failure_in_the_middle_is_reported_in_the_summary(app, send, clip, monkeypatch, capsys):
    analyze, calls = app.extensions["analyzer"].analyze, []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("secret message")
        return analyze(*arguments, **options)

    monkeypatch.setattr(app.extensions["analyzer"], "analyze", failing)
    with send(clip) as response:
        *rows, last = lines(response)
    assert len(rows) == 3 and last["summary"]["partial"] and last["summary"]["reason"] == "internal_error"
    assert "secret" not in response.text
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = [record for record in records if "secret message" in record.get("stack_trace", "")]
    assert failed["request_id"] == response.headers["X-Request-Id"] and nothing_is_reserved(app)


def test_concurrent_videos_are_limited(app, client, clip, photo):
    waiting = [
        client.post("/api/v1/video", data=clip, content_type="video/mp4", buffered=False) for _ in range(module.MAX_CONCURRENT)
    ]
    refused = client.post("/api/v1/video", data=clip, content_type="video/mp4")
    assert code(refused) == (503, "busy") and refused.headers["Retry-After"]
    assert client.post("/api/v1/image", data=photo, content_type="image/jpeg").status_code == 200
    for response in waiting:
        response.close()
    assert nothing_is_reserved(app)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server with its own temporary folder: (port, folder, process id of the worker)."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    scratch = tmp_path_factory.mktemp("tmp")
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "main:app"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(scratch)}, **quiet)
    for _ in range(300):
        time.sleep(0.1)
        assert process.poll() is None, "the server stopped while starting"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            continue
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    yield port, scratch, int(worker)
    process.terminate()
    process.wait(30)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_lines_are_streamed_and_stop_on_disconnect(server):
    port, scratch, worker = server
    data = clips.clip(clips.still_frames(3000, 30), codec_options={"preset": "ultrafast"})  # takes seconds at 30 frames/s
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/video?fps=30&landmarks=1", data, {"Content-Type": "video/mp4"})
    response = connection.getresponse()
    assert json.loads(response.readline())["time"] == 0
    assert json.loads(response.readline())["time"] > 0
    response.close()
    connection.close()
    for _ in range(100):  # the next line is written to a closed connection
        before = cpu_ticks(worker)
        time.sleep(0.3)
        if cpu_ticks(worker) - before < 5:
            break
    else:
        pytest.fail("the server did not stop after the disconnect")
    assert list(scratch.iterdir()) == []
