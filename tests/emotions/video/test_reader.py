"""Video reader: containers and codecs, times, rotation, damaged files, and bounded memory."""

from __future__ import annotations

import gc
import struct
import subprocess
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emotions.errors import VideoError
from emotions.image.loading import encode_jpeg
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import _budget as budget
from emotions.runtime.memory import set_decode_budget
from emotions.video.formats.containers import is_truncated
from emotions.video.reader import MAX_SIDE, VideoReader
from tests import clips

ROOT = Path(__file__).resolve().parents[3]
THREE_SECONDS = clips.still_frames(30)
QUICK = {
    "libx265": {"x265-params": "log-level=none", "preset": "ultrafast"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
FASTSTART = {"movflags": "+faststart"}


def read(source, **options) -> tuple[VideoReader, list]:
    with VideoReader(source, **options) as reader:
        return reader, list(reader.frames())


def error_code(source, **options) -> str:
    with pytest.raises(VideoError) as caught:
        read(source, **options)
    assert budget.used == 0
    return caught.value.code


@pytest.mark.parametrize(
    ("container", "codec", "pixels"),
    [
        ("mp4", "libx264", "yuv420p"),
        ("mp4", "libx265", "yuv420p10le"),
        ("mov", "libx264", "yuv444p"),
        ("mov", "mjpeg", "yuvj420p"),
        ("webm", "libvpx", "yuv420p"),
        ("webm", "libvpx-vp9", "yuv420p"),
        ("matroska", "libx264", "yuv420p"),
        ("matroska", "ffv1", "gray"),
        ("avi", "mpeg4", "yuv420p"),
    ],
)
def test_every_codec_gives_the_frames_at_their_times(container, codec, pixels):
    reader, frames = read(clips.clip(THREE_SECONDS, container, codec, pixels=pixels, codec_options=QUICK.get(codec)))
    assert [frame.time for frame in frames] == pytest.approx([index / 5 for index in range(15)], abs=0.002)
    assert reader.reason is None and reader.duration == pytest.approx(3, abs=0.11)
    expected = clips.still().astype(int)
    if pixels == "gray":
        expected = np.repeat(expected @ [[299], [587], [114]] // 1000, 3, axis=2)
    for frame in frames:
        assert (frame.image.width, frame.image.height) == (320, 240) and frame.image.pixels.flags.c_contiguous
        assert np.abs(frame.image.pixels - expected).mean() < 12  # of 255: the codecs are lossy


def test_av1():
    """Read a stored file: the encoder SVT-AV1 sets real-time priority for the whole process when it runs as root."""
    reader, frames = read(ROOT / "tests" / "data" / "av1.webm")
    assert [frame.time for frame in frames] == pytest.approx([index / 5 for index in range(10)], abs=0.002)
    assert reader.reason is None
    assert np.abs(frames[-1].image.pixels - clips.still(size=(160, 120)).astype(int)).mean() < 12


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_of_phone_videos(degrees):
    _, (first, *_) = read(clips.clip(clips.still_frames(3), rotation=degrees))
    upright = np.rot90(clips.still(), degrees // 90)
    assert first.image.pixels.shape == upright.shape and (first.image.width, first.image.height) == upright.shape[1::-1]
    assert np.abs(first.image.pixels - upright.astype(int)).mean() < 8


MIRRORED = {"across": (-1, 0, 0, 1), "down": (1, 0, 0, -1), "main diagonal": (0, 1, 1, 0), "other diagonal": (0, -1, -1, 0)}
"""Where the axes x and y of a frame point, as a track header states it."""


@pytest.mark.parametrize("name", [*MIRRORED, "nowhere"])
def test_display_matrix(name):
    """Mirror images, as front cameras state them, and a matrix of zeros, which players do not apply."""
    data = bytearray(clips.clip(clips.still_frames(3)))
    start = data.index(b"tkhd") + 44
    across, down = np.array(MIRRORED.get(name, (0, 0, 0, 0))).reshape(2, 2)
    data[start : start + 36] = struct.pack(">9i", *(across * 2**16), 0, *(down * 2**16), 0, 0, 0, 2**30)
    _, (first, *_) = read(bytes(data))
    still = clips.still()
    expected = {
        "across": still[:, ::-1], "down": still[::-1], "main diagonal": still.transpose(1, 0, 2),
        "other diagonal": still[::-1, ::-1].transpose(1, 0, 2),
    }.get(name, still)  # fmt: skip
    assert first.image.pixels.shape == expected.shape and (first.image.width, first.image.height) == expected.shape[1::-1]
    assert np.abs(first.image.pixels - expected.astype(int)).mean() < 8


@pytest.mark.parametrize("fps", [1, 2.5, 10, 30])
def test_sampling_rate(fps):
    reader, frames = read(clips.clip(THREE_SECONDS), fps=fps)
    times = [frame.time for frame in frames]
    assert len(times) == min(30, 3 * fps + (fps == 2.5) * 0.5) and len({int((time + 0.002) * fps) for time in times}) == len(
        times
    )


@pytest.mark.parametrize("fps", [0, -1, 31, float("nan")])
def test_invalid_sampling_rates(fps):
    with pytest.raises(ValueError, match="fps must be"):
        VideoReader(clips.clip(clips.still_frames(2)), fps)


def test_frames_at_irregular_times():
    frames = [(time, clips.still()) for time in (0, 0.01, 0.03, 0.5, 0.56, 3, 3.01, 3.4)]
    _, found = read(clips.clip(frames))
    assert [frame.time for frame in found] == pytest.approx([0, 0.03, 0.5, 0.56, 3, 3.4], abs=0.001), "and those that are held"
    with VideoReader(clips.clip(frames)) as reader:
        every = list(reader.frames(every_frame=True))
    assert [frame.time for frame in every if frame.sampled] == [frame.time for frame in found]
    assert len(every) == 6, "all but those that are shown for less than a thirtieth of a second"


def test_browser_recording_without_a_declared_duration():
    reader, frames = read(clips.clip(THREE_SECONDS, "webm", "libvpx", live=True))
    assert reader.declared_duration is None and reader.reason is None
    assert reader.duration == pytest.approx(3, abs=0.1) and len(frames) == 15


def test_audio_stream_is_ignored():
    assert len(read(clips.clip(THREE_SECONDS, sound=True))[1]) == 15


def test_negative_times_and_late_starts():
    for shift in (-1.0, 5.0):
        shifted = [(time + shift, image) for time, image in THREE_SECONDS]
        _, frames = read(clips.clip(shifted, "matroska"))
        assert frames[0].time == 0 and all(0 <= frame.time <= 3 for frame in frames)


def test_large_frames_are_reduced_and_odd_sizes_kept():
    big = clips.still(size=(2560, 1440))
    _, (frame,) = read(clips.clip([(0, big)], codec_options={"preset": "ultrafast"}))
    assert frame.image.pixels.shape == (576, MAX_SIDE, 3) and (frame.image.width, frame.image.height) == (2560, 1440)
    assert frame.image.scale == 2.5
    _, (odd,) = read(clips.clip([(0, clips.still(size=(321, 241)))], "matroska", "ffv1", pixels="yuv444p"))
    assert odd.image.pixels.shape == (241, 321, 3)


def test_non_square_pixels():
    _, (frame,) = read(clips.clip([(0, clips.still())], aspect=2))
    assert (frame.image.width, frame.image.height) == (640, 240)


def test_wrong_declared_duration():
    wrong = clips.with_header_duration(clips.clip(THREE_SECONDS, "matroska"), 3600)
    reader, frames = read(wrong)
    assert reader.declared_duration == 3600 and reader.duration == pytest.approx(3, abs=0.1) and len(frames) == 15
    with VideoReader(wrong) as reader:
        assert reader.duration_and_count() == (pytest.approx(2.9, abs=0.01), 30)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [("mp4", "libx264", FASTSTART), ("matroska", "libx264", {}), ("webm", "libvpx", {}), ("avi", "mpeg4", {})],
)
def test_truncated_file(container, codec, options):
    data = clips.clip(THREE_SECONDS, container, codec, options=options)
    reader, frames = read(data[: len(data) * 2 // 3])
    assert reader.reason == "cut_off" and 0 < len(frames) < 15 and reader.duration < 2.9


def test_recording_without_sizes_that_is_truncated():
    data = clips.clip(THREE_SECONDS, "webm", "libvpx", live=True)
    assert not is_truncated("matroska", BytesIO(data)) and is_truncated("matroska", BytesIO(data[:-3]))
    reader, frames = read(data[: len(data) // 2])
    assert reader.reason == "cut_off" and frames


def test_damaged_packets_are_skipped():
    data = bytearray(clips.clip(THREE_SECONDS, options=FASTSTART))
    data[len(data) // 2 : len(data) // 2 + 8000] = bytes(8000)
    reader, frames = read(bytes(data))
    assert reader.reason == "damaged" and 0 < len(frames) <= 15
    assert reader.duration > 2, "frames after the damage are read"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "empty_file"),
        (lambda: b"words, not a video" * 50, "not_a_video"),
        (lambda: (clips.SAMPLES / "obama.jpg").read_bytes(), "not_a_video"),
        (lambda: b"#EXTM3U\n#EXTINF:1\nfile:///etc/hostname\n", "not_a_video"),
        (lambda: b"ffconcat version 1.0\nfile /etc/hostname\n", "not_a_video"),
        (lambda: b"\0\0\0\x18ftypheic" + bytes(100), "not_a_video"),
        (lambda: b"OggS" + bytes(100), "unsupported_video"),
        (lambda: b"GEM" * 500, "not_a_video"),
        (lambda: clips.clip(clips.still_frames(2), "mov", "png", pixels="rgb24"), "unsupported_video"),
        (lambda: clips.audio_only(), "no_picture_track"),
        (lambda: clips.audio_only(cover=True), "no_picture_track"),
        (lambda: clips.audio_only("mp3", cover=True), "no_picture_track"),
        (lambda: clips.clip(THREE_SECONDS)[:20_000], "truncated_video"),
        (lambda: clips.clip(clips.still_frames(2))[:40] + b"x" * 4000, "truncated_video"),
        (lambda: b"\x1aE\xdf\xa3" + bytes(500), "truncated_video"),
        (lambda: clips.clip([(0, np.zeros((3600, 3600, 3), np.uint8))], codec="mjpeg", pixels="yuvj420p"), "too_many_pixels"),
    ],
)
def test_files_that_are_rejected(make, code):
    before = set_limits(SERVER)
    try:
        assert error_code(make()) == code
    finally:
        set_limits(before)


def test_memory_is_reserved_while_a_video_is_open():
    reader = VideoReader(clips.clip(clips.still_frames(2)))
    assert budget.used > 0
    reader.close()
    assert budget.used == 0
    before = budget.limit
    set_decode_budget(1)
    try:
        assert error_code(clips.clip(clips.still_frames(2))) == "too_much_memory"
    finally:
        budget.limit = before


def test_max_seconds():
    reader, frames = read(clips.clip(THREE_SECONDS), max_seconds=1.0)
    assert reader.reason == "video_too_long" and [frame.time for frame in frames][-1] == 1.0


def test_paths_and_open_files(tmp_path):
    path = tmp_path / "http:__example.org_clip.mp4"
    path.write_bytes(clips.clip(THREE_SECONDS))
    with path.open("rb") as file:
        assert len(read(path)[1]) == len(read(file)[1]) == 15
        assert not file.closed


COUNT_FRAMES = """
import resource, sys
from emotions.video.reader import VideoReader
with VideoReader({path!r} and __import__("pathlib").Path({path!r}), fps=1) as reader:
    count = sum(1 for _ in reader.frames())
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path):
    """Between 1 and 20 minutes the peak differs by less than a second's frames."""
    peaks = []
    for minutes in (1, 20):
        path = tmp_path / f"{minutes}.mp4"
        path.write_bytes(
            clips.clip(clips.still_frames(minutes * 60 * 5, fps=5, size=(160, 120)), codec_options={"preset": "ultrafast"})
        )
        done = subprocess.run(
            [sys.executable, "-c", COUNT_FRAMES.format(path=str(path))], cwd=ROOT, capture_output=True, text=True, check=True
        )
        count, peak = map(int, done.stdout.split())
        assert count == minutes * 60
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 4 * 1024  # KB


def test_frames_keep_the_size_of_the_first():
    """As in a browser's recording on a phone that is rotated: here JPEGs of several sizes in one stream."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for index, size in enumerate([(320, 240), (240, 320), (640, 480)]):
            packet = av.Packet(encode_jpeg(clips.still(size=size)))
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 5), index, index
            output.mux(packet)
    _, frames = read(buffer.getvalue())
    assert [frame.image.pixels.shape for frame in frames] == [(240, 320, 3)] * 3
    assert np.abs(frames[2].image.pixels - clips.still().astype(int)).mean() < 12


@pytest.mark.parametrize("container", ["mp4", "webm", "avi"])
def test_damaged_files_give_frames_or_a_video_error(container):
    codec = {"mp4": "libx264", "webm": "libvpx", "avi": "mpeg4"}[container]
    intact = clips.clip(clips.still_frames(10, size=(160, 120)), container, codec, codec_options=QUICK.get(codec))
    random = np.random.default_rng(0)
    codes = set()
    for _ in range(150):
        data = np.frombuffer(intact, np.uint8).copy()
        places = random.integers(0, random.choice([len(data), 1500]), 8)
        data[places] = random.integers(0, 256, 8)
        try:
            codes.add(read(data.tobytes(), max_seconds=600.0)[0].reason)
        except VideoError as error:
            codes.add(error.code)
    assert len(codes) > 2 and budget.used == 0


def test_frames_are_freed_at_once():
    """Nothing keeps them until a garbage collection: frames of 4K would take hundreds of megabytes."""
    film = clips.clip(THREE_SECONDS, codec="libx264", rotation=90)
    gc.collect()
    gc.disable()
    try:
        assert len(read(film, fps=10)[1]) == 30
        left = sum(type(one) is av.VideoFrame for one in gc.get_objects())
    finally:
        gc.enable()
    assert left == 0


def test_exif_in_frames_of_motion_jpeg():
    """As cameras write them; PyAV has no name for this kind of data."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    jpeg, target = BytesIO(), BytesIO()
    Image.fromarray(clips.still()).save(jpeg, "JPEG", exif=exif)
    with av.open(target, "w", format="avi") as output:
        stream = output.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for number in range(5):
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 5)
            packet.is_keyframe = True
            output.mux(packet)
    reader, frames = read(target.getvalue(), fps=5)
    assert len(frames) == 5 and reader.reason is None
    assert np.abs(frames[0].image.pixels - clips.still().astype(int)).mean() < 12
