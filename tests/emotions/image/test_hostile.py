"""Files whose headers cost more than their pixels: comments, empty chunks, metadata, tags, shapes and sizes that contradict."""

from __future__ import annotations

import struct
import threading
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from emotions.errors import ImageError, TimeBudgetError
from emotions.image import loading
from emotions.image.codecs.bmp import decode_runs
from emotions.image.decoders import plan_decode
from emotions.image.loading import estimate, open_image
from emotions.runtime.limits import LIBRARY, SERVER, set_limits
from emotions.runtime.memory import MB
from emotions.runtime.time_budget import TimeBudget

from .builders import bmp_runs, encoded, exif_bomb, noise, png, png_chunk, riff, tiff

JPEG = encoded("JPEG", noise())
GIF = encoded("GIF", noise().quantize(16))
GIF_HEAD = 13 + (3 << (GIF[10] & 7) + 1)
WEBP = encoded("WEBP", noise(), lossless=True)[12:]
AVIF, HEIF = encoded("AVIF", noise()), encoded("HEIF", noise())
ANIMATION = encoded("WEBP", Image.new("L", (8, 8)), save_all=True, append_images=[Image.new("L", (8, 8), 9)])
FRAME = ANIMATION[ANIMATION.find(b"ANMF") : ANIMATION.rfind(b"ANMF")]
VP8X = b"\x0c\0\0\0" + bytes((63, 0, 0)) * 2
PLAIN_TAGS = [(256, 3, 1, 64), (257, 3, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1), (278, 3, 1, 64)]
TEXT_BOMB = b"key\0\0" + zlib.compress(bytes(MB - 10))

TOO_MANY = {
    "jpeg comments": JPEG[:2] + b"\xff\xfe\0\2" * MB + JPEG[2:],
    "jpeg starts": JPEG[:2] + b"\xff\xd8" * MB + JPEG[2:],
    "jpeg tables": JPEG[:2] + (b"\xff\xdb\xff\xff" + (b"\0" + bytes(64)) * 1008 + bytes(13)) * 20 + JPEG[2:],
    "gif empty extensions": GIF[:GIF_HEAD] + b"!\xfe\0" * MB + GIF[GIF_HEAD:],
    "gif one extension": GIF[:GIF_HEAD] + b"!\xff" + b"\1a" * MB + b"\0" + GIF[GIF_HEAD:],
    "png empty texts": png(noise(), before=png_chunk(b"tEXt", b"") * MB),
    "png empty data": png(noise(), before=png_chunk(b"IDAT", b"") * MB),
    "webp chunks": riff((b"VP8X", VP8X)) + WEBP + b"ABCD\0\0\0\0" * MB,
    "webp frames": ANIMATION[: ANIMATION.find(b"ANMF")] + FRAME * 100_000,
    "tiff tags": tiff([(1 + tag, 3, 1, 1) for tag in range(60_000)]),
    "tiff values": tiff([*PLAIN_TAGS[:2], (258, 3, MB, 300), *PLAIN_TAGS[3:], (273, 4, 1, 300)], bytes(3 * MB)),
    "avif boxes": AVIF + b"\0\0\0\10free" * MB,
    "heic boxes": HEIF + b"\0\0\0\10free" * MB,
}  # fmt: skip
for _name in ("webp chunks", "webp frames"):
    TOO_MANY[_name] = b"RIFF" + struct.pack("<I", len(TOO_MANY[_name]) - 8) + TOO_MANY[_name][8:]

CHEAP = {
    "jpeg profiles": JPEG[:2] + (b"\xff\xe2\xff\xff" + bytes(65533)) * 200 + JPEG[2:],
    "jpeg exif blocks": JPEG[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65527)) * 200 + JPEG[2:],
    "jpeg thumbnails": JPEG[:2] + (b"\xff\xe0\xff\xffJFXX\0\x10" + bytes(65527)) * 200 + JPEG[2:],
    "jpeg small profiles": JPEG[:2] + (b"\xff\xe2\x10\0" + bytes(4094)) * 6000 + JPEG[2:],
    "jpeg other app14": JPEG[:2] + (b"\xff\xee\xff\xffother" + bytes(65528)) * 200 + JPEG[2:],
    "jpeg fill bytes": JPEG[:2] + b"\xff" * (8 * MB) + JPEG[2:],
    "jpeg trailing comments": JPEG[:-2] + b"\xff\xfe\0\2" * MB + JPEG[-2:],
    "jpeg exif": encoded("JPEG", noise(), exif=exif_bomb()),
    "png exif": encoded("PNG", noise(), exif=exif_bomb()),
    "webp exif": encoded("WEBP", noise(), exif=exif_bomb()),
    "avif exif": encoded("AVIF", noise(), exif=exif_bomb()[6:]),
    "avif profile": encoded("AVIF", noise(), icc_profile=bytes(10 * MB)),
    "heic profile": encoded("HEIF", noise(), icc_profile=bytes(10 * MB)),
    "heic exif": encoded("HEIF", noise(), exif=exif_bomb()),
    "png texts": png(noise(), before=png_chunk(b"zTXt", TEXT_BOMB) * 60),
    "png texts at the end": png(noise(), after=png_chunk(b"zTXt", TEXT_BOMB) * 60),
    "png profile": png(noise(), before=png_chunk(b"iCCP", TEXT_BOMB)),
    "png private": png(noise(), before=png_chunk(b"abCd", bytes(8 * MB))),
    "gif comment": GIF[:GIF_HEAD] + b"!\xfe" + (b"\xff" + bytes(255)) * 30_000 + b"\0" + GIF[GIF_HEAD:],
}
"""Files that open: what is not needed is skipped."""


@pytest.fixture(autouse=True)
def _server_limits():
    before = set_limits(SERVER)
    yield
    set_limits(before)


def code_of(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(data)
    return caught.value.code


@pytest.mark.parametrize("name", TOO_MANY)
def test_too_many_parts_are_unsupported(name):
    assert code_of(TOO_MANY[name]) == "unsupported_image"


@pytest.mark.parametrize("name", CHEAP)
def test_unused_parts_cost_nothing(name):
    """The estimate, which a test compares with the memory of a process, is that of the picture without them."""
    data = CHEAP[name]
    copies = {"avif exif": 1, "heic exif": 1, "avif profile": 3, "heic profile": 3}.get(name, 0)
    assert estimate(plan_decode(data, 2048), 2048) < loading.OVERHEAD + 2 * MB + copies * len(data)
    assert open_image(data).pixels.shape == (64, 64, 3)


def test_the_pixels_are_those_without_the_parts():
    for name, plain in (("jpeg profiles", JPEG), ("gif comment", GIF), ("png texts", png(noise()))):
        assert np.array_equal(open_image(CHEAP[name]).pixels, open_image(plain).pixels)


def test_overlapping_values_of_a_tiff():
    """Of tags that are not needed, nothing is read; those that are hold no more than the file."""
    overlapping = [(1000 + tag, 2, MB, 300) for tag in range(3000)]
    data = tiff([*PLAIN_TAGS, (273, 4, 1, 300), *overlapping], bytes(2 * MB))
    assert estimate(plan_decode(data, 2048), 2048) < loading.OVERHEAD + MB
    needed = [(tag, 4, 2**17, 300) for tag in (273, 279, 320, 324, 325)]
    assert code_of(tiff([*PLAIN_TAGS, *needed], bytes(MB))) == "truncated_image"
    set_limits(SERVER, decode_mb=16)
    assert code_of(tiff([*PLAIN_TAGS, *needed], bytes(3 * MB))) == "too_much_memory"


@pytest.mark.parametrize("rows", [60_000, 120_000])
def test_strips_of_a_tiff_are_part_of_the_estimate(rows):
    """A row a strip: Pillow describes each strip in an object of its own."""
    tags = [(256, 4, 1, 1), (257, 4, 1, rows), *PLAIN_TAGS[2:6], (278, 4, 1, 1)]
    start = 8 + 2 + 12 * 9 + 4
    data = tiff([*tags[:5], (273, 4, rows, start), *tags[5:], (279, 4, rows, start + 4 * rows)], bytes(8 * rows))
    if rows > 65_535:
        assert code_of(data) in ("too_many_pixels", "too_much_memory")
    else:
        assert estimate(plan_decode(data, 2048), 2048) > 300 * rows


def test_items_that_share_their_data():
    """Each item of a HEIC would be a copy: a location table in which all items are the whole file."""
    start = HEIF.find(b"iloc") + 4
    offset_size, length_size = HEIF[start + 4] >> 4, HEIF[start + 4] & 15
    assert (HEIF[start], offset_size, length_size) == (0, 4, 4)
    length = start + 8 + 2 + 2 + (HEIF[start + 5] >> 4) + 2 + 4
    data = HEIF[:length] + struct.pack(">I", len(HEIF) + 1) + HEIF[length + 4 :]
    assert code_of(data) == "truncated_image"


@pytest.mark.parametrize("said", [(64, 64), (640, 480)])
def test_size_in_an_av1_stream_counts(said):
    """A decoder allocates what the stream says, whatever the box around it does."""
    data = bytearray(encoded("AVIF", Image.new("RGB", (3000, 2000), (90, 20, 20)), speed=10))
    for at in range(len(data)):
        if data[at : at + 4] == b"ispe":
            data[at + 8 : at + 16] = struct.pack(">II", *said)
    assert estimate(plan_decode(bytes(data), 2048), 2048) > 3000 * 2000 * 2


@pytest.mark.parametrize(
    ("width", "height"), [(1, 120_000_000), (1, 30_000_000), (4, 25_000_000), (25_000_000, 4), (65_536, 1), (1, 65_536)]
)
def test_extreme_shapes_are_rejected_by_their_header(width, height):
    assert code_of(png(noise(), size=(width, height))) == "too_many_pixels"
    with pytest.raises(ImageError, match="65535 a side|megapixels"):
        open_image(tiff([(256, 4, 1, width), (257, 4, 1, height), *PLAIN_TAGS[2:], (273, 4, 1, 300)]))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 1, 1, 0, 0)
    assert code_of(b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head) == "too_many_pixels"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize(("width", "height"), [(1, 65_500), (65_500, 1), (40, 65_500)])
def test_longest_sides_are_read(kind, width, height):
    loaded = open_image(encoded(kind, Image.new("L", (width, height), 90)))
    assert (loaded.width, loaded.height, max(loaded.pixels.shape)) == (width, height, 2048) and (loaded.pixels == 90).all()


def test_limits_of_the_library_are_wider_than_those_of_a_server():
    data = png(noise(), size=(16_320, 12_240))
    assert code_of(data) == "too_many_pixels"
    assert code_of(bytes(SERVER.file_bytes + 1)) == "file_too_large"
    set_limits(LIBRARY)
    assert code_of(data) == "truncated_image"
    assert code_of(bytes(SERVER.file_bytes + 1)) == "not_an_image"


@pytest.mark.parametrize("bits", [4, 8])
def test_run_lengths_of_a_bmp(bits):
    """Runs, pixels as they are, jumps and ends of rows, in random order, against a decoder that goes pixel by pixel."""
    random = np.random.default_rng(bits)
    width, height, runs = 700, 30, bytearray()
    expected = np.zeros((height, width), np.uint8)
    for y in range(height):
        x = 0
        while x < width:
            count, value = min(int(random.integers(1, 256)), width - x), int(random.integers(0, 256))
            kind = random.integers(0, 4)
            if kind == 0 and count > 2:
                stored = random.integers(0, 256, (count + 1) // 2 if bits == 4 else count, np.uint8)
                colors = np.column_stack([stored >> 4, stored & 15]).ravel() if bits == 4 else stored
                runs += bytes((0, count)) + stored.tobytes() + bytes(len(stored) % 2)
                expected[y, x : x + count] = colors[:count]
            elif kind == 1:
                runs += bytes((0, 2, count, 0))
            else:
                runs += bytes((count, value))
                expected[y, x : x + count] = np.resize([value >> 4, value & 15] if bits == 4 else [value], count)
            x += count
        runs += b"\0\0"
    assert np.array_equal(decode_runs(bytes(runs), 0, (width, height), bits == 4), expected)
    data = bmp_runs(width, height, bytes(runs) + b"\0\1", bits)
    assert np.array_equal(open_image(data).pixels[::-1, :, 2], expected)
    assert code_of(data[: len(data) // 4]) == "truncated_image"


def test_run_lengths_that_never_end_a_row_are_skipped_and_stop_in_time():
    endless = bmp_runs(500, 500, b"\1\5" * (4 * MB))
    assert code_of(endless) == "truncated_image"
    with TimeBudget(0.0), pytest.raises(TimeBudgetError, match="processor time"):
        open_image(endless)


def test_further_images_are_not_read():
    """A million images behind the first one, or nothing but garbage."""
    first = GIF[:-1]
    assert np.array_equal(open_image(first + b"garbage" * MB).pixels, open_image(GIF).pixels)
    animated = encoded("PNG", noise(), save_all=True, append_images=[noise(seed=1)])
    at = animated.find(b"fdAT") - 4
    assert np.array_equal(open_image(animated[:at] + png_chunk(b"IEND", b"")).pixels, np.asarray(noise()))


def test_threads_give_all_memory_back():
    """Files that fail at every stage leave nothing reserved."""
    from emotions.runtime import memory

    files = [*list(TOO_MANY.values())[3:6], *list(CHEAP.values())[4:8], png(noise(), 0.2), JPEG[:900]]

    def work() -> None:
        for data in files:
            with suppress(ImageError):
                open_image(data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory._budget.used == 0
