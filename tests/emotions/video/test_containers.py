"""Containers: what is appended to a file, and files with several streams or movie headers."""

from __future__ import annotations

import struct
from io import BytesIO

import av
import numpy as np
import pytest

from emotions.errors import VideoError
from emotions.image.loading import encode_jpeg
from emotions.runtime.tag_headers import ASF
from emotions.video.formats.containers import is_truncated
from emotions.video.reader import VideoReader
from tests import clips

FAST = {"preset": "ultrafast"}
NOISE = np.random.default_rng(0)
TAILS = [
    b"\0", b"\n", b"\0" * 100, b"x" * 5, b"no box at all " * 50, b"SEFT" + b"\1" * 40, struct.pack(">I4s", 2**31 - 1, b"junk"),
    *(NOISE.integers(0, 256, count, np.uint8).tobytes() for count in (9, 64, 300, 5000)),
]  # fmt: skip


def make(container: str, faststart: bool = False) -> bytes:
    codec, options = {"avi": ("mpeg4", None), "webm": ("libvpx", {"deadline": "realtime", "cpu-used": "8"})}.get(
        container, ("libx264", FAST)
    )
    movflags = {"movflags": "+faststart"} if faststart else None
    return clips.clip(clips.still_frames(10, size=(160, 120)), container, codec, codec_options=options, options=movflags)


def read(data: bytes) -> tuple[VideoReader, list]:
    with VideoReader(data, fps=10) as reader:
        return reader, list(reader.frames())


@pytest.mark.parametrize(
    ("container", "faststart"),
    [("mp4", False), ("mp4", True), ("mov", False), ("matroska", False), ("avi", False), ("flv", False), ("mpegts", False)],
)
def test_bytes_after_the_end_do_not_matter(container, faststart):
    data = make(container, faststart)
    whole, frames = read(data)
    for tail in TAILS:
        reader, found = read(data + tail)
        assert reader.reason is None and reader.duration == whole.duration, tail[:12]
        assert [frame.time for frame in found] == [frame.time for frame in frames]


@pytest.mark.parametrize(
    ("container", "faststart"), [("mp4", False), ("mp4", True), ("matroska", False), ("webm", False), ("avi", False)]
)
def test_any_cut_through_the_content_is_noticed(container, faststart):
    """What is cut off is distinguished from what was appended."""
    data, kind = make(container, faststart), {"mp4": "mov", "webm": "matroska"}.get(container, container)
    assert not is_truncated(kind, BytesIO(data))
    for share in (0.3, 0.5, 0.8, 0.95):
        assert is_truncated(kind, BytesIO(data[: int(share * len(data))])), share


def test_a_file_that_is_cut_before_its_video_track_is_damaged():
    """The movie header stands at the end of the file and is cut off: that there is no track in what is left says nothing."""
    data = make("mp4")
    start = data.rindex(b"moov")
    for stop in (start + 4, start + 120, start + 200):
        with pytest.raises(VideoError) as caught:
            read(data[:stop])
        assert caught.value.code == "truncated_video" and "cut off" in str(caught.value)


def test_of_several_movie_headers_the_fullest_is_read_also_from_a_free_box():
    data = make("mp4")
    start = data.index(b"moov") - 4
    movie = data[start : start + struct.unpack(">I", data[start : start + 4])[0]]
    empty = struct.pack(">I4s", 8, b"moov")
    bare = struct.pack(">I", movie.index(b"trak") - 4) + movie[4 : movie.index(b"trak") - 4]
    both = [data[:start] + first + movie for first in (empty, bare, empty * 5 + bare)] + [data + empty, data + bare]
    for further in (*both, data + movie, data[:start] + struct.pack(">I4s", len(movie), b"free") + movie[8:] + movie):
        reader, frames = read(further)
        assert len(frames) == 10 and reader.reason is None


def streams(names: list[str], container: str, default: str | None = None) -> bytes:
    """Write streams of the same length: a large bright and a small dark one, and covers of one picture."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as output:
        made = []
        for name in names:
            stream = output.add_stream(
                "mjpeg" if name == "cover" else "libx264", rate=10, options={} if name == "cover" else FAST
            )
            stream.width, stream.height = (80, 60) if name == "dark" else (160, 120)
            stream.pix_fmt = "yuvj420p" if name == "cover" else "yuv420p"
            if name == "cover":
                stream.disposition = av.stream.Disposition.attached_pic
            elif name == default:
                stream.disposition = av.stream.Disposition.default
            made.append((name, stream))
        for index in range(10):
            for name, stream in made:
                if name == "cover" and index:
                    continue
                pixels = clips.still(size=(stream.width, stream.height)) // (4 if name == "dark" else 1)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
                frame.pts = index
                output.mux(stream.encode(frame))
        for _, stream in made:
            output.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("names", [["bright", "dark"], ["cover", "bright"], ["bright", "cover"]])
def test_of_several_streams_the_main_one_is_read(container, names):
    reader, frames = read(streams(names, container))
    assert len(frames) == 10 and reader.reason is None
    assert frames[0].image.pixels.mean() == pytest.approx(clips.still(size=(160, 120)).mean(), abs=4)


@pytest.mark.parametrize("names", [["bright", "dark"], ["dark", "bright"]])
def test_the_stream_that_is_marked_as_default_is_read(names):
    _, frames = read(streams(names, "matroska", default="dark"))
    assert (frames[0].image.width, frames[0].image.height) == (80, 60)


@pytest.mark.parametrize(
    ("head", "code", "word"),
    [
        (b"\x89PNG\r\n\x1a\n", "not_a_video", "image"),
        (b"RIFF\0\0\0\0WEBPVP8X", "not_a_video", "image"),
        (encode_jpeg(np.zeros((8, 8, 3), np.uint8)), "not_a_video", "image"),
        (b"GIF89a", "truncated_video", "cut off"),
        (b".RMF", "unsupported_video", "RealMedia"),
        (b"FLV\1", "truncated_video", "damaged"),
        (ASF, "truncated_video", "damaged"),
        (b"\0\0\1\xba", "truncated_video", "damaged"),
        (b"\0\0\1\xb3", "truncated_video", "damaged"),
        ((b"G\0\0\x10" + bytes(184)) * 6, "truncated_video", "damaged"),
    ],
)
def test_other_formats_are_named(head, code, word):
    with pytest.raises(VideoError, match=word) as caught:
        VideoReader(head + bytes(300))
    assert caught.value.code == code
