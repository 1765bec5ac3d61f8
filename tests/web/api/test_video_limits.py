"""POST /api/v1/video: processor time, the end of the server, clients that have gone, and a full disk."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from emotions.runtime.memory import _budget as decoding
from emotions.runtime.time_budget import active_budget
from tests import clips
from web.api import video as module

ADDRESS = "/api/v1/video"


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Two seconds of a smiling face."""
    return clips.clip(clips.still_frames(20))


@pytest.fixture
def analyses(app, monkeypatch) -> list[float]:
    """Seconds to charge for the next analyses of frames; the server's own budget must be active at each of them."""
    analyze, seconds = app.extensions["analyzer"].analyze, []

    def charged(*arguments, **options):
        budget = active_budget()
        assert budget is not None and budget.seconds == app.config["VIDEO_SECONDS"]
        if seconds:
            budget.charge(seconds.pop(0))
        return analyze(*arguments, **options)

    monkeypatch.setattr(app.extensions["analyzer"], "analyze", charged)
    return seconds


def released(app) -> bool:
    return decoding.used == 0 and app.extensions["video_slots"]._value == module.MAX_CONCURRENT


def test_time_that_is_spent_ends_a_video_with_a_summary(app, client, clip, analyses):
    analyses[:] = [0, 0, 0, 1e6]
    with client.post(ADDRESS, data=clip, content_type="video/mp4") as response:
        *rows, last = map(json.loads, response.text.splitlines())
    assert response.status_code == 200 and len(rows) == 3
    summary = last["summary"]
    assert (summary["partial"], summary["reason"], summary["frames"]) == (True, "time_limit", 3) and "processor" in summary[
        "detail"
    ]
    assert released(app)


def test_annotated_video_ends_too(app, client, clip, analyses):
    analyses[:] = [0, 0, 0, 1e6]
    with client.post(ADDRESS + "?annotated=mp4", data=clip, content_type="video/mp4") as response:
        assert response.status_code == 200 and response.headers["X-Partial"] == "time_limit" and len(response.data) > 1000
    assert released(app)


@pytest.mark.parametrize("query", ["", "?annotated=mp4"])
def test_time_that_is_spent_before_the_first_frame_is_a_problem(app, client, clip, analyses, query):
    analyses[:] = [1e6]
    response = client.post(ADDRESS + query, data=clip, content_type="video/mp4")
    assert response.status_code == 413 and json.loads(response.data)["code"] == "too_much_work" and released(app)


def test_end_of_the_server_ends_a_video_with_a_summary(app, client, clip):
    response = client.post(ADDRESS, data=clip, content_type="video/mp4", buffered=False)
    lines = response.iter_encoded()
    assert json.loads(next(lines))["time"] == 0
    app.extensions["stopping"].set()
    try:
        (last,) = map(json.loads, lines)
    finally:
        app.extensions["stopping"].clear()
    assert last["summary"]["reason"] == "shutting_down" and last["summary"]["frames"] == 1
    response.close()
    assert released(app)


def test_nothing_is_said_to_a_client_that_has_gone(app, client, clip):
    gone = []
    environ = {"waitress.client_disconnected": lambda: bool(gone)}
    response = client.post(ADDRESS, data=clip, content_type="video/mp4", buffered=False, environ_overrides=environ)
    lines = response.iter_encoded()
    assert json.loads(next(lines))["time"] == 0
    gone.append(True)
    assert list(lines) == [] and decoding.used == 0
    response.close()
    assert released(app)


class FullDirectory(tempfile.TemporaryDirectory):
    """A temporary folder in which there is no room for the video."""

    def __enter__(self) -> str:
        Path(self.name, "annotated.mp4").symlink_to("/dev/full")
        return super().__enter__()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_full_disk_is_a_problem(app, client, clip, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryDirectory", FullDirectory)
    response = client.post(ADDRESS + "?annotated=mp4", data=clip, content_type="video/mp4")
    assert response.status_code == 507 and json.loads(response.data)["code"] == "no_space"
    assert list(tmp_path.iterdir()) == [] and Path("/dev/full").exists() and released(app)


def test_length_is_counted_up_to_the_limit_alone(client, monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAMES", 15)
    response = client.post(ADDRESS, data=clips.clip(clips.still_frames(40)), content_type="video/mp4")
    assert json.loads(response.data)["code"] == "video_too_long" and "16 frames" in json.loads(response.data)["detail"]


def test_encoder_is_part_of_the_price(app, client):
    """Frames of 4K are tracked within the server's memory, but not encoded as well."""
    frames = [(0, clips.still(size=(3840, 2160))), (0.2, clips.still(size=(3840, 2160)))]
    large = clips.clip(frames, "matroska", codec_options={"preset": "ultrafast"})
    with client.post(ADDRESS, data=large, content_type="video/x-matroska") as response:
        assert json.loads(response.text.splitlines()[-1])["summary"]["frames"] == 2
    response = client.post(ADDRESS + "?annotated=mp4", data=large, content_type="video/x-matroska")
    assert response.status_code == 413 and json.loads(response.data)["code"] == "too_much_memory" and released(app)
