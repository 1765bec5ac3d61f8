"""Animated GIF, PNG and WebP pictures as videos."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from emotions import VideoError, analyze_photo, analyze_video, open_image
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import reserved_bytes
from emotions.video.formats.animations import read_outline
from emotions.video.reader import VideoReader
from tests import clips

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("GIF", "PNG", "WEBP")
MILLISECONDS = [100, 200, 40, 500, 0, 300]
TIMES = [0.0, 0.1, 0.3, 0.34, 0.84, 0.94, 1.24]
"""Where frames appear and the last one ends; one without a duration is shown for a tenth of a second."""


def pictures(count: int = 6) -> list[Image.Image]:
    return [Image.fromarray(np.roll(clips.still(), 20 * index, axis=1)) for index in range(count)]


@cache
def make(kind: str, **options) -> bytes:
    """An animation of six frames."""
    first, *others = pictures()
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, **options)
    return buffer.getvalue()


def read(data: bytes, fps: float = 30) -> tuple[VideoReader, list]:
    with VideoReader(data, fps) as reader:
        return reader, list(reader.frames(every_frame=True))


def code_of(data: bytes) -> str:
    with pytest.raises(VideoError) as caught:
        read(data)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"lossless": True, "disposal": 2}], ids=["plain", "other"])
def test_frames_and_times(kind, options):
    data = make(kind, **options)
    reader, frames = read(data)
    assert [frame.time for frame in frames] == pytest.approx(TIMES[:-1])
    assert [frame.until for frame in frames] == pytest.approx(TIMES[1:])
    assert [frame.number for frame in frames] == list(range(6)) and reader.reason is None
    assert reader.duration == reader.declared_duration == pytest.approx(TIMES[-1])
    for frame, picture in zip(frames, pictures(), strict=True):
        assert abs(frame.image.pixels.astype(int) - np.asarray(picture)).mean() < 10
    with VideoReader(data) as reader:
        assert reader.duration_and_count() == (pytest.approx(TIMES[-1]), 6)
    assert reserved_bytes() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_held_frame_weighs_its_seconds(kind):
    """An animation of two pictures, one of which is shown four times as long."""
    happy, other = Image.fromarray(clips.still("collins.jpg")), Image.fromarray(clips.still("collins.jpg") // 3)
    buffer = io.BytesIO()
    happy.save(buffer, kind, save_all=True, append_images=[other], duration=[4000, 1000])
    result = analyze_video(buffer.getvalue())
    assert result.summary["duration"] == pytest.approx(5.0) and not result.summary["partial"]
    assert result.summary["people"][0]["seconds"] in (pytest.approx(4.0), pytest.approx(5.0))


@pytest.mark.parametrize("kind", KINDS)
def test_as_a_photo_it_is_its_first_frame(kind):
    photo, video = analyze_photo(make(kind)), analyze_video(make(kind), fps=30)
    assert [face.emotion for face in photo.faces] == [face.emotion for face in video.frames[0].faces]
    assert photo.faces[0].box == video.frames[0].faces[0].box
    assert len(analyze_video(make(kind), fps=30).frames) == 6


XMP = '<x:xmpmeta><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("block", ["exif", "xmp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_the_stated_orientation_is_applied_as_to_a_photo(kind, block, orientation):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    further = {"exif": exif.tobytes()} if block == "exif" else {"xmp": XMP.format(orientation).encode()}
    further["lossless"] = kind == "WEBP"
    if kind == "PNG" and block == "xmp":
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.format(orientation))
        further = {"pnginfo": texts}
    first, *others = pictures(3)
    first.save(buffer, kind, save_all=True, append_images=others, duration=100, **further)
    photo, (_, frames) = open_image(buffer.getvalue()), read(buffer.getvalue())
    assert len(frames) == 3 and (orientation == 1) == np.array_equal(photo.pixels, open_image(first).pixels)
    image = frames[0].image
    assert (image.width, image.height, image.pixels.shape) == (photo.width, photo.height, photo.pixels.shape)
    assert np.abs(image.pixels.astype(int) - photo.pixels).mean() < 1


def test_the_default_image_of_a_png_is_no_frame():
    reader, frames = read(make("PNG", default_image=True))
    assert len(frames) == 5 and reader.reason is None
    assert abs(frames[0].image.pixels.astype(int) - np.asarray(pictures()[1])).mean() < 1


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_transparency_is_white(kind):
    frames = []
    for index in range(3):
        picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
        picture.paste((200, 0, 0, 255), (8 * index, 0, 8 * index + 20, 20))
        frames.append(picture)
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100, disposal=2)
    _, found = read(buffer.getvalue())
    for index, frame in enumerate(found):
        assert frame.image.pixels[40, 60].tolist() == [255] * 3 and frame.image.pixels[4, 8 * index + 4].tolist() == [200, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_that_do_not_move_are_images(kind):
    buffer = io.BytesIO()
    pictures()[0].save(buffer, kind)
    assert code_of(buffer.getvalue()) == "not_a_video"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.55, 0.8, 0.99])
def test_what_is_cut_off_is_noticed(kind, share):
    data = make(kind)
    reader, frames = read(data[: int(share * len(data))])
    assert reader.reason == "cut_off" and 0 < len(frames) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_its_own_errors_is_raised(kind):
    data = make(kind)
    random = np.random.default_rng(len(data))
    for number in range(40):
        damaged = bytearray(data[: int(len(data) * random.uniform(0.05, 1))] if number % 2 else data)
        for _ in range(random.integers(1, 8)):
            damaged[random.integers(0, min(len(damaged), 2000) if number % 3 else len(damaged))] = random.integers(256)
        try:
            reader, frames = read(bytes(damaged))
        except VideoError:
            continue
        assert frames and all(frame.until >= frame.time for frame in frames)
        assert frames[0].image.pixels.shape[0] <= 1024 and reader.reason in (None, "cut_off", "damaged")
    assert reserved_bytes() == 0


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def large(kind: str, width: int, height: int) -> bytes:
    """A small file that states frames of this size."""
    if kind == "GIF":
        image = b"," + struct.pack("<4HB", 0, 0, width, height, 0) + b"\2\2\x4c\1\0"
        return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + image * 3 + b";"
    if kind == "PNG":
        head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
        control = struct.pack(">5IHHBB", 0, width, height, 0, 0, 1, 10, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"acTL", struct.pack(">II", 3, 0)) + (
            chunk(b"fcTL", control) + chunk(b"IDAT", zlib.compress(bytes(9)))
        ) * 3 + chunk(b"IEND", b"")  # fmt: skip
    canvas = b"\2\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"ANMF" + struct.pack("<I", 24) + bytes(24)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_refused_before_anything_is_decoded(kind):
    before = set_limits(SERVER)
    try:
        assert code_of(large(kind, 10_000, 10_000)) == "too_many_pixels"
        assert code_of(large(kind, 16_000, 16_000)) == "too_many_pixels"
        assert code_of(large(kind, 3_000, 3_000)) in ("too_much_memory", "truncated_video")
    finally:
        set_limits(before)


def test_blocks_that_are_not_needed_are_left_out():
    data = make("GIF")
    comment = b"!\xfe" + b"\1x" * 50_000 + b"\0"
    outline = read_outline("GIF", data[:781] + comment + data[781:])
    assert len(outline.seconds) == 6 and outline.is_complete
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6)))
    data = make("PNG")
    outline = read_outline("PNG", data[:33] + text * 1000 + data[33:])
    assert len(outline.seconds) == 6 and len(outline.pieces) <= 3
    assert len(read(data[:33] + text * 1000 + data[33:])[1]) == 6
    data = make("WEBP")
    junk = b"EXIF" + struct.pack("<I", 10_000) + bytes(10_000)
    assert len(read(data[:30] + junk * 20 + data[30:])[1]) == 6


@pytest.mark.parametrize("stated", [0, 2, 2**31])
def test_a_number_of_frames_that_is_not_true(stated):
    data = bytearray(make("PNG"))
    start = data.index(b"acTL") + 4
    data[start : start + 4] = struct.pack(">I", stated)
    data[start + 8 : start + 12] = struct.pack(">I", zlib.crc32(data[start - 4 : start + 8]))
    if stated == 0:
        assert code_of(bytes(data)) == "not_a_video"
    else:
        assert len(read(bytes(data))[1]) in (2, 6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_memory_stays_within_the_reservation(kind, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    first, *others = (Image.fromarray(np.roll(pixels, shift, axis=0)).resize((1600, 1600)) for shift in (0, 9, 20))
    path = tmp_path / "animation"
    first.save(path, kind, save_all=True, append_images=others, duration=100, disposal=2, quality=40, method=0)
    program = """
import sys
import PIL.GifImagePlugin, PIL.PngImagePlugin, PIL.WebPImagePlugin
from emotions.runtime.memory import reserved_bytes
from emotions.video.reader import VideoReader
def value(name): return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = value("VmRSS")
with VideoReader(sys.argv[1], fps=30) as reader:
    reserved = reserved_bytes()
    assert sum(1 for frame in reader.frames(True)) == 3
print(value("VmHWM") - before, reserved)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    used, reserved = map(int, done.stdout.split())
    assert 0 < used < reserved
