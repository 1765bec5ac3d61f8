"""Videos that take too much time or memory: what is known before is refused, the rest ends with a summary."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from emotions.errors import TimeBudgetError, VideoError
from emotions.face.analyzer import FaceAnalyzer
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import MB
from emotions.runtime.memory import _budget as memory
from emotions.runtime.time_budget import TimeBudget, active_budget
from emotions.video.analyzer import PARTIAL_DETAILS, VideoAnalyzer
from emotions.video.reader import MAX_SIDE, VideoReader
from tests import clips
from tests.media_headers import movie

ROOT = Path(__file__).resolve().parents[3]
QUICK = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture
def server_limits() -> Iterator[None]:
    before = set_limits(SERVER)
    yield
    set_limits(before)


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Two seconds of a smiling face."""
    return clips.clip(clips.still_frames(20))


def picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("code", "reason"), [("shutting_down", "shutting_down"), ("too_much_work", "time_limit")])
def test_work_that_must_end_ends_with_a_summary(analyzer, clip, code, reason):
    frames = []
    budget = TimeBudget(1000.0, lambda: "shutting_down" if code == "shutting_down" and len(frames) == 3 else None)
    with VideoAnalyzer(clip, analyzer=analyzer) as video, budget:
        for frame in video:
            frames.append(frame)
            if code == "too_much_work" and len(frames) == 3:
                budget.charge(1000.0)
    summary = video.summary()
    assert len(frames) == summary["frames"] == 3 and summary["partial"] and memory.used == 0
    assert summary["reason"] == reason and summary["detail"] == PARTIAL_DETAILS[reason]
    assert summary["people"][0]["frames"] == 3


def test_nobody_is_told_when_the_client_has_gone(analyzer, clip):
    frames = []
    budget = TimeBudget(None, lambda: "client_gone" if len(frames) == 2 else None)
    with VideoAnalyzer(clip, analyzer=analyzer) as video, pytest.raises(TimeBudgetError) as caught, budget:
        frames.extend(video)
    assert caught.value.code == "client_gone" and memory.used == 0


def test_time_that_is_spent_before_the_first_frame_is_an_error(analyzer, clip):
    with TimeBudget(0.0), pytest.raises(TimeBudgetError) as caught, VideoAnalyzer(clip, analyzer=analyzer) as video:
        next(iter(video))
    assert caught.value.code == "too_much_work" and memory.used == 0


def test_threads_of_the_decoder_are_charged():
    data = clips.clip(clips.still_frames(60, size=(1280, 720)), codec_options=QUICK)
    with VideoReader(data, fps=0.01) as reader:
        if reader._threads == 1:
            pytest.skip("there is one processor")
        own, process = time.thread_time(), time.process_time()
        with TimeBudget(None) as budget:
            assert active_budget() is budget
            assert len(list(reader.frames())) == 1
            own, process = time.thread_time() - own, time.process_time() - process
            assert own < budget.spent <= 1.05 * process + 0.01


@pytest.mark.parametrize("size", [(16_384, 16), (16, 16_384), (8192, 2), (2, 8192), (1, 1), (1, 500), (16_384, 576)])
def test_extreme_shapes(server_limits, analyzer, size):
    data = clips.clip([(0, picture(*size)), (0.5, picture(*size))], "avi", "mjpeg", pixels="yuvj444p")
    try:
        with VideoAnalyzer(data, analyzer=analyzer) as video:
            frames = list(video)
    except VideoError as error:
        assert error.code == "too_much_memory"  # rows of a pixel take as much as 64
    else:
        assert len(frames) == 2 and (frames[0].image.width, frames[0].image.height) == size
        assert max(frames[0].image.pixels.shape[:2]) <= MAX_SIDE and min(frames[0].image.pixels.shape[:2]) >= 1
    assert memory.used == 0


@pytest.mark.parametrize(
    ("size", "code"),
    [((16_400, 16), "too_many_pixels"), ((5000, 4000), "too_many_pixels"), ((1, 65_000), "too_many_pixels")],
)
def test_shapes_that_are_refused(server_limits, size, code):
    with pytest.raises(VideoError) as caught, VideoReader(movie(1, size=size)):
        pass
    assert caught.value.code == code and memory.used == 0


@pytest.mark.parametrize(("damaged", "left"), [(1, 4), (3, 2), (5, 0)])
def test_colors_that_cannot_be_converted_are_damage(damaged, left):
    """Frames that state a color matrix that does not exist are left out."""
    data = bytearray(clips.clip(clips.still_frames(5, fps=5), "mov", "prores_ks", pixels="yuv422p10le"))
    places = [match.start() + 20 for match in re.finditer(b"icpf", data)]
    assert len(places) == 5
    for place in places[:damaged]:
        data[place] = 102
    with VideoReader(bytes(data)) as reader:
        if left:
            assert len(list(reader.frames())) == left and reader.reason == "damaged"
        else:
            with pytest.raises(VideoError) as caught:
                list(reader.frames())
            assert caught.value.code == "truncated_video"


def test_limit_of_pixels_can_be_set(server_limits):
    data = clips.clip([(0, picture(1280, 720))], "avi", "mjpeg", pixels="yuvj420p")
    set_limits(frame_megapixels=0.9)
    with pytest.raises(VideoError, match=r"the limit is 0\.9 megapixels"), VideoReader(data):
        pass
    set_limits(frame_megapixels=1)
    with VideoReader(data) as reader:
        assert len(list(reader.frames())) == 1


def test_price_grows_with_the_shape_of_a_frame(server_limits):
    prices = {}
    for width, height in ((640, 480), (1280, 720), (1920, 1080), (64, 4096)):
        with VideoReader(clips.clip([(0, picture(width, height))], codec_options=QUICK)):
            prices[width, height] = memory.used / MB
    assert prices[640, 480] < prices[1280, 720] * 1.2 < prices[1920, 1080] < 70
    with VideoReader(clips.clip([(0, picture(16, 4096))], codec_options=QUICK)):
        assert memory.used / MB == pytest.approx(prices[64, 4096], rel=0.01)  # rows are padded


def test_counting_ends_at_the_limits():
    data = clips.clip(clips.still_frames(100, fps=10))
    with VideoReader(data) as reader:
        seconds, count = reader.duration_and_count(max_count=20)
        assert count == 21 and seconds < 3
    with VideoReader(data) as reader:
        seconds, count = reader.duration_and_count(max_seconds=3.0)
        assert 3 < seconds < 4 and count < 45


def test_a_frame_a_minute_for_ten_hours():
    data = clips.clip([(60.0 * index, clips.still(size=(160, 120))) for index in range(600)], "matroska", codec_options=QUICK)
    with VideoReader(data, fps=0.01) as reader:
        frames = list(reader.frames())
    assert reader.duration == pytest.approx(36_000, abs=120) and len(frames) == 360 and reader.reason is None


COUNT = """
import sys
from emotions.errors import MemoryBudgetError
from emotions.runtime.limits import SERVER, set_limits
from emotions.video.reader import VideoReader

set_limits(SERVER, excess_mb=float(sys.argv[2]))
kept = []
try:
    with VideoReader(sys.argv[1], fps=30) as reader:
        for frame in reader.frames():
            kept.append(frame.image.pixels.repeat(4))
except MemoryBudgetError as error:
    print(error.code)
print(len(kept))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory with Linux's /proc")
def test_growth_beyond_the_reservation_ends_a_video_on_a_server_alone(tmp_path):
    """Sixteen frames of 4K are kept for reference, which no camera writes. What a caller keeps is no reason to end."""
    options = {**QUICK, "x264-params": "ref=16:bframes=3:threads=1:rc-lookahead=4:sync-lookahead=0"}
    large = clips.clip([(index / 30, picture(4096, 2304)) for index in range(14)], "matroska", codec_options=options)
    small = clips.clip(clips.still_frames(60, 30, size=(1280, 720)), codec_options=QUICK)
    outcomes = []
    for data, excess in ((large, str(SERVER.excess_mb)), (large, "inf"), (small, "inf")):
        (tmp_path / "clip").write_bytes(data)
        command = [sys.executable, "-c", COUNT, str(tmp_path / "clip"), excess]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        outcomes.append(done.stdout.split())
    (code, count), *others = outcomes
    assert code == "too_much_memory" and int(count) < 14 and others == [["14"], ["60"]]


def test_growth_by_the_work_on_frames_is_not_the_decoders(server_limits):
    """Models are loaded with the first frame, and callers keep what they like."""
    set_limits(SERVER, excess_mb=0.5)
    with VideoReader(clips.clip(clips.still_frames(40, 10), codec_options=QUICK), fps=10) as reader:
        kept = [np.ones(4 * MB, np.uint8) for _ in reader.frames()]
    assert len(kept) == 40
