"""Files whose pixels end early, though by the rules of their format, and files that only look like it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotions.errors import ImageError
from emotions.image.loading import open_image

from .builders import bmp_runs, encoded, noise, png, tiff

MODES = ["RGB", "L", "RGBA"]
FORMATS = ["PNG", "GIF", "JPEG", "TIFF", "BMP"]
GRAY, UNTOUCHED = (128, 128, 128), (165, 165, 165)
END_OF_IMAGE = b"\xff\xd9"


def outcome(data: bytes) -> str:
    try:
        open_image(data)
    except ImageError as error:
        return error.code
    return "read"


def jpeg(share: float, end: bytes = b"\xff\xd9", **options) -> bytes:
    """A JPEG whose first scan is cut after this share of its data."""
    data = encoded("JPEG", noise(240, 200), **options)
    start = data.find(b"\xff\xda") + 14
    stop = next(at for at in range(start, len(data)) if data[at] == 0xFF and data[at + 1] not in (0, *range(0xD0, 0xD8)))
    return data[: start + int((stop - start) * share)].rstrip(b"\xff") + end if share < 1 else data[:-2] + end


def taller(data: bytes, rows: int) -> bytes:
    """A GIF that states more rows than its data has."""
    at = data.index(b",", 13 + (3 << (data[10] & 7) + 1))
    return data[:8] + struct.pack("<H", rows) + data[10 : at + 7] + struct.pack("<H", rows) + data[at + 9 :]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3])
@pytest.mark.parametrize("mode", MODES)
def test_png_with_few_rows_is_truncated(mode, share):
    assert outcome(png(noise(240, 200).convert(mode), share)) == "truncated_image"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}], ids=str)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.3])
def test_jpeg_with_few_rows_is_truncated(options, share):
    assert outcome(jpeg(share, **options)) == "truncated_image"


@pytest.mark.parametrize("rows", [1, 20, 90])
def test_gif_with_few_rows_is_truncated(rows):
    picture = noise(240, rows).quantize(64)
    assert outcome(encoded("GIF", picture)) == "read"
    assert outcome(taller(encoded("GIF", picture), 200)) == "truncated_image"
    assert outcome(taller(encoded("GIF", picture, transparency=3), 200)) == "truncated_image"


def test_tiff_with_few_strips_is_truncated():
    tags = [(256, 3, 1, 60), (257, 3, 1, 60), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200), (277, 3, 1, 1)]
    strip = bytes(range(60, 160)) * 60
    assert outcome(tiff([*tags, (278, 3, 1, 20), (279, 4, 1, 1200)], bytes(100) + strip)) == "truncated_image"
    assert outcome(tiff([*tags, (278, 3, 1, 60), (279, 4, 1, 3600)], bytes(100) + strip)) == "read"


def test_bmp_with_few_rows_is_truncated():
    row = b"\x40\x30\0\0"
    assert outcome(bmp_runs(64, 64, row * 10 + b"\0\1")) == "truncated_image"
    assert outcome(bmp_runs(64, 64, row * 64)) == "read"


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_most_pixels_are_enough(share):
    """As before: where the compressed data ends by the rules, what there is of it is read."""
    assert [outcome(png(noise(240, 200), share)), outcome(jpeg(share))] == ["read", "read"]


ENCODERS = [
    {"progressive": progressive, "subsampling": subsampling, "quality": quality, "restart_marker_blocks": blocks}
    for progressive in (False, True) for subsampling, quality, blocks in ((2, 75, 0), (0, 30, 0), (2, 90, 4))
]  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", ENCODERS, ids=lambda options: "-".join(map(str, options.values())))
def test_jpeg_without_end_marker(options, mode):
    """All pixels are there; with fewer, wherever the file is cut off, it is truncated."""
    half_gray = noise(240, 200)
    half_gray.paste(GRAY, (0, 90, 240, 200))
    for picture in (noise(240, 200), half_gray):
        whole = encoded("JPEG", picture.convert(mode), **options)
        for bare in (whole[:-2], whole[:-1]):
            assert np.array_equal(open_image(bare).pixels, open_image(whole).pixels)
    shares = np.linspace(0.02, 0.98, 25)
    whole = encoded("JPEG", noise(240, 200).convert(mode), **options)
    assert {outcome(whole[: int(len(whole) * share)]) for share in shares} == {"truncated_image"}


def test_large_progressive_jpeg_without_end_marker():
    """One that is decoded at a fraction of its size: the check sees what is decoded."""
    whole = encoded("JPEG", noise(5000, 2000), progressive=True, quality=60)
    assert np.array_equal(open_image(whole[:-2]).pixels, open_image(whole).pixels)
    last = whole.rfind(b"\xff\xda")
    assert outcome(whole[: last + (len(whole) - last) // 2]) == outcome(whole[:last]) == "truncated_image"


def test_a_scan_for_each_component():
    """Not interleaved and not progressive: three scans, of which none may be missing."""
    gray = encoded("JPEG", noise(64, 64).convert("L"), quality=60)
    frame, scan = gray.find(b"\xff\xc0"), gray.find(b"\xff\xda")
    length = int.from_bytes(gray[frame + 2 : frame + 4], "big")
    components = b"\1\x11\0\2\x11\0\3\x11\0"
    header = gray[frame : frame + 2] + struct.pack(">H", 17) + gray[frame + 4 : frame + 9] + b"\3" + components
    start = gray[:frame] + header + gray[frame + 2 + length : scan]
    scans = [gray[scan : scan + 5] + bytes((number,)) + gray[scan + 6 : -2] for number in (1, 2, 3)]
    whole = start + b"".join(scans) + END_OF_IMAGE
    assert np.array_equal(open_image(whole[:-2]).pixels, open_image(whole).pixels)
    assert [outcome(start + b"".join(scans[:count])) for count in (1, 2)] == ["truncated_image"] * 2
    assert outcome(whole[: -len(scans[2]) // 2]) == "truncated_image"


def test_case_of_a_jpeg_without_end_marker():
    path = Path(__file__).resolve().parents[4] / "shared" / "cases" / "jpeg-no-eoi" / "noeoi.jpg"
    if not path.exists():
        pytest.skip("../shared/cases is not here")
    assert open_image(path).pixels.shape == (640, 512, 3)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("color", [(0, 0, 0), GRAY, UNTOUCHED, (255, 255, 255)], ids=str)
def test_plain_pictures_are_complete(kind, color):
    """Pixels of the values that stand for missing ones."""
    plain, lower_half, lower_rows = Image.new("RGB", (200, 100), color), noise(200, 100), noise(200, 100)
    lower_half.paste(color, (0, 40, 200, 100))
    lower_rows.paste(color, (0, 40, 200, 60))
    lower_rows.paste(color, (0, 90, 200, 100))
    for picture in (plain, lower_half, lower_rows):
        variants = [picture, picture.convert("L"), picture.convert("1")] + ([] if kind == "JPEG" else [picture.quantize(8)])
        assert [outcome(encoded(kind, variant)) for variant in variants] == ["read"] * len(variants)
    if kind == "JPEG":
        assert outcome(encoded(kind, lower_half, progressive=True)) == "read"


def test_any_layout_of_gray_and_black_is_complete():
    random = np.random.default_rng(4)
    for _ in range(60):
        width, height = random.integers(1, 200, 2)
        background = int(random.choice([0, 128, 165]))
        pixels = np.full((height, width, 3), background, np.uint8)
        for _ in range(random.integers(0, 4)):
            y, x, side = random.integers(0, height), random.integers(0, width), random.integers(1, 60)
            pixels[y : y + side, x : x + side] = random.integers(0, 256, 3)
        picture = Image.fromarray(pixels)
        data = [encoded(kind, picture) for kind in FORMATS] + [encoded("JPEG", picture, progressive=True)]
        assert [outcome(file) for file in data] == ["read"] * len(data)


def test_transparent_and_partial_gif_is_complete():
    """Its first image may be smaller than the canvas, and all of it transparent."""
    clear = Image.new("P", (80, 80), 0)
    assert outcome(encoded("GIF", clear, transparency=0)) == "read"
    data = encoded("GIF", noise(80, 20).quantize(16))
    assert outcome(data[:8] + struct.pack("<H", 400) + data[10:]) == "read"
