"""MPEG streams, Flash and Windows Media video, and interlaced frames."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO

import numpy as np
import pytest

from emotions import analyze_video
from emotions.runtime.media_headers import header_cost
from emotions.runtime.tag_headers import ASF, ASF_DATA, ASF_LISTS, MAX_ENTRIES, SCRIPT_TAG, TAG_HEAD, asf_hidden, flv_tags
from emotions.video.decoders import is_combed
from emotions.video.formats.containers import is_truncated, sniff
from emotions.video.reader import VideoReader
from tests import clips

KINDS = {
    "ts": ("mpegts", "mpeg2video", "mpegts"),
    "h264.ts": ("mpegts", "libx264", "mpegts"),
    "mpg": ("mpeg", "mpeg2video", "mpeg"),
    "mpeg1.mpg": ("mpeg", "mpeg1video", "mpeg"),
    "vob": ("vob", "mpeg2video", "mpeg"),
    "m1v": ("mpeg1video", "mpeg1video", "mpegvideo"),
    "flv": ("flv", "flv", "flv"),
    "h264.flv": ("flv", "libx264", "flv"),
    "wmv": ("asf", "wmv2", "asf"),
    "wmv1.wmv": ("asf", "wmv1", "asf"),
    "msmpeg4.wmv": ("asf", "msmpeg4", "asf"),
}
"""Name -> container and codec that are written, container that is recognized."""
FRAMES = [(index / 25, clips.still()) for index in range(25)]
MOVING = [(time, np.roll(pixels, 9 * index, axis=1)) for index, (time, pixels) in enumerate(FRAMES)]


@cache
def make(name: str, moving: bool = False) -> bytes:
    container, codec, _ = KINDS[name]
    return clips.clip(
        MOVING if moving else FRAMES,
        container,
        codec,
        codec_options={"preset": "ultrafast", "tune": "zerolatency"} if "264" in codec else {},
    )


def read(data: bytes, fps: float = 25) -> tuple[VideoReader, list]:
    with VideoReader(data, fps) as reader:
        return reader, list(reader.frames())


@pytest.mark.parametrize("name", KINDS)
def test_frames_and_times(name):
    data = make(name)
    assert sniff(data[:1024]) == KINDS[name][2]
    reader, frames = read(data)
    assert reader.reason is None and len(frames) == 25
    assert [frame.time for frame in frames] == pytest.approx(
        [index / 25 for index in range(25)], abs=0.041 if name == "m1v" else 0.003
    )
    assert reader.duration == pytest.approx(1.0, abs=0.09)
    assert abs(frames[-1].image.pixels.astype(int) - clips.still()).mean() < 12
    with VideoReader(data) as reader:
        seconds, count = reader.duration_and_count()
    assert count == 25 and seconds == pytest.approx(0.96, abs=0.05)


@pytest.mark.parametrize("name", ["ts", "mpg", "flv", "wmv"])
def test_the_answer_is_that_of_an_mp4(name):
    expected = analyze_video(clips.clip(FRAMES, "mp4"), fps=2).summary["people"]
    people = analyze_video(make(name), fps=2).summary["people"]
    assert len(people) == len(expected) == 1
    assert max(people[0]["shares"], key=people[0]["shares"].get) == max(expected[0]["shares"], key=expected[0]["shares"].get)


@pytest.mark.parametrize("length", [188, 192, 204])
def test_packets_of_transport_streams(length):
    """Camcorders put a time of four bytes before each packet, broadcasts an error correction of 16 behind it."""
    data = make("ts")
    before, after = {188: (0, 0), 192: (4, 0), 204: (0, 16)}[length]
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    joined = b"".join(bytes(before) + packet + bytes(after) for packet in packets)
    reader, frames = read(joined)
    assert len(frames) == 25 and reader.reason is None


@pytest.mark.parametrize("length", [188, 192, 204])
@pytest.mark.parametrize("cut", [1, 100, 187])
def test_a_transport_stream_may_begin_in_the_middle_of_a_packet(length, cut):
    data = make("h264.ts")
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    joined = b"".join(bytes(4) + packet if length == 192 else packet.ljust(length, b"\0") for packet in packets)
    whole = len(read(joined)[1])
    reader, frames = read(packets[0][-cut:] + joined)
    assert len(frames) == whole == 25 and reader.reason is None


@pytest.mark.parametrize("name", ["flv", "h264.flv", "wmv"])
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_what_is_cut_off_is_noticed(name, share):
    data = make(name, moving=True)
    assert not is_truncated(KINDS[name][2], BytesIO(data))
    assert is_truncated(KINDS[name][2], BytesIO(data[: int(share * len(data))]))
    reader, frames = read(data[: int(share * len(data))])
    assert reader.reason == "cut_off" and 0 < len(frames) < 25


@pytest.mark.parametrize("name", ["ts", "mpg"])
def test_streams_without_a_size_are_read_as_far_as_they_go(name):
    data = make(name, moving=True)
    reader, frames = read(data[: len(data) // 2])
    assert 5 < len(frames) < 20


def test_words_of_flash_video_are_not_read():
    """FFmpeg would compare each word with all others."""
    data = make("flv")
    words = b"\2\0\nonMetaData\x08\0\0\0\0" + b"".join(b"\0\5%05d\1\1" % index for index in range(30_000)) + b"\0\0\x09"
    tag = struct.pack(">B", SCRIPT_TAG) + len(words).to_bytes(3, "big") + bytes(7) + words
    flooded = data[:13] + tag + struct.pack(">I", len(tag)) + data[13:] + tag + struct.pack(">I", len(tag))
    kinds = [kind for _, _, kind in flv_tags(BytesIO(flooded), len(flooded))]
    hidden = header_cost(BytesIO(flooded), len(flooded), 2**30).hidden
    assert kinds.count(SCRIPT_TAG) == len(hidden) >= 2 and all(flooded[place] & 0x1F == SCRIPT_TAG for place in hidden)
    with VideoReader(flooded, fps=25) as reader:
        assert not [name for name in reader._media.container.metadata if name.isdigit()]
        assert len(list(reader.frames())) == 25


@pytest.mark.parametrize("identifier", ASF_LISTS, ids=["description", "metadata", "library", "markers"])
@pytest.mark.parametrize("at", [0, 2**20 - 8, 2**20 + 5])
def test_long_lists_of_windows_media_are_not_read(identifier, at):
    def listed(count: int) -> bytes:
        place = ASF_LISTS[identifier]
        return identifier + bytes(place - 16) + struct.pack("<H", count)

    for count in (0, MAX_ENTRIES, MAX_ENTRIES + 1, 65535):
        data = ASF + bytes(at) + listed(count) + bytes(100)
        expected = {len(ASF) + at: b"JUNK"} if count > MAX_ENTRIES else {}
        assert asf_hidden(BytesIO(data), len(data)) == expected


def test_flooded_windows_media_is_read():
    data, identifier = make("wmv"), next(iter(ASF_LISTS))
    entries = b"".join(
        struct.pack("<H", 10) + f"{index:05d}".encode("utf-16-le") + struct.pack("<HHI", 3, 4, 1) for index in range(5000)
    )
    flood = identifier + struct.pack("<QH", 26 + len(entries), 5000) + entries
    header = int.from_bytes(data[16:24], "little")
    assert data[header : header + 16] == ASF_DATA
    flooded = data[:16] + struct.pack("<Q", header + len(flood)) + data[24:header] + flood + data[header:]
    with VideoReader(flooded, fps=25) as reader:
        assert len(reader._media.container.metadata) < 100
        assert len(list(reader.frames())) == 25


def test_tags_that_end_beyond_the_file_end_the_walk():
    for data in (
        b"FLV\1\5",
        b"FLV\1\5\xff\xff\xff\xff" + bytes(50),
        b"FLV\1\5\0\0\0\x09" + bytes(4) + b"\x09\xff\xff\xff" + bytes(20),
    ):
        assert all(length >= TAG_HEAD for _, length, _ in flv_tags(BytesIO(data), len(data)))


def woven(shift: int) -> np.ndarray:
    """An interlaced frame: the second field is a moment later, `shift` pixels further."""
    pixels = clips.still(size=(640, 480)).copy()
    pixels[1::2] = np.roll(pixels, shift, axis=1)[1::2]
    return pixels


INTERLACED = {
    "ts": ("mpegts", "mpeg2video", {"flags": "+ildct+ilme"}),
    "mp4": ("mp4", "libx264", {"x264-params": "tff=1", "preset": "ultrafast"}),
}


@pytest.mark.parametrize("shift", [0, 6, 24, -40])
def test_fields_of_two_moments_are_told_from_one_picture(shift):
    assert is_combed(woven(shift)) == bool(shift)
    assert not is_combed(np.zeros((1, 1, 3), np.uint8)) and not is_combed(np.zeros((7, 5, 3), np.uint8))


@pytest.mark.parametrize("name", INTERLACED)
def test_one_field_of_interlaced_frames_is_read(name):
    container, codec, options = INTERLACED[name]
    plain, moving = (
        read(clips.clip([(index / 25, woven(shift)) for index in range(4)], container, codec, codec_options=options))[1]
        for shift in (0, 24)
    )
    assert [len(found) for found in (plain, moving)] == [4, 4]

    def comb(pixels: np.ndarray) -> float:
        rows = pixels.astype(int).mean(axis=2)
        return float(abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())

    assert plain[0].image.pixels.shape == moving[0].image.pixels.shape == (480, 640, 3)
    assert comb(woven(24)) > 2 * comb(woven(0)) and comb(moving[0].image.pixels) < comb(plain[0].image.pixels)
    summary = analyze_video(
        clips.clip([(index / 25, woven(24)) for index in range(4)], container, codec, codec_options=options)
    ).summary
    assert len(summary["people"]) == 1
