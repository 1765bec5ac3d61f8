"""Image loading: formats and variants, error codes, orientation, memory, and malformed files."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from emotions.errors import ImageError, MemoryBudgetError
from emotions.image import loading
from emotions.image.conversion import to_rgb, white_level
from emotions.image.formats import sniff
from emotions.image.loading import encode_jpeg, open_image
from emotions.runtime import memory
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import MB, MemoryBudget, set_decode_budget

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "data" / "photos"
FAILS = {
    "derived/astronaut.jp2": "unsupported_image",
    "derived/empty.jpg": "empty_file",
    "derived/not_an_image.jpg": "not_an_image",
    "derived/truncated.jpg": "truncated_image",
    "formats/decompression_bomb.gif": "too_many_pixels",
    "formats/hopper.ico": "unsupported_image",
    "formats/hopper.ppm": "unsupported_image",
    "formats/hopper.psd": "unsupported_image",
    "formats/hopper_16bit.pgm": "unsupported_image",
    "formats/hopper_1bit.pbm": "unsupported_image",
    "formats/pillow_heif_200MP.heic": "too_many_pixels",
    "formats/pillow_heif_corrupted.heic": "truncated_image",
    "formats/pillow_heif_empty.heic": "empty_file",
    "formats/pillow_heif_truncated.heic": "truncated_image",
    "formats/zero_width.gif": "not_an_image",
}
"""The files of the collection that must fail, and how; all others must open."""
CODES = {"not_an_image", "truncated_image", "unsupported_image", "too_many_pixels", "too_much_memory"}
"""Error codes of malformed files."""
COLLECTION = sorted(path.relative_to(PHOTOS).as_posix() for path in PHOTOS.glob("*/*.*")) or ["absent"]


@pytest.fixture(autouse=True)
def _server_limits():
    before = set_limits(SERVER)
    yield
    set_limits(before)


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """An image without symmetry: red grows to the right, green downwards, and the top left corner is blue."""
    down, across = np.mgrid[0:height, 0:width]
    pixels = np.stack([across * 255 // (width - 1), down * 255 // (height - 1), np.zeros_like(down)], axis=-1).astype(np.uint8)
    pixels[: height // 4, : width // 4, 2] = 255
    return Image.fromarray(pixels)


def encoded(kind: str, image: Image.Image | None = None, **options) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    out = io.BytesIO()
    (image or scene()).save(out, kind, **options)
    return out.getvalue()


def code_of(data: bytes | Path) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(data)
    assert str(caught.value)
    return caught.value.code


def difference(data: bytes, expected: Image.Image) -> float:
    """Mean absolute difference of the decoded pixels from the expected image, in levels."""
    return float(np.abs(open_image(data).pixels.astype(int) - np.asarray(expected.convert("RGB")).astype(int)).mean())


SAMPLES = {
    "JPEG": {"quality": 95, "subsampling": 0}, "MPO": {"save_all": True, "append_images": [scene()], "quality": 95}, "PNG": {},
    "WEBP": {"lossless": True}, "GIF": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "HEIF": {"quality": 95},
    "AVIF": {"quality": 95},
}  # fmt: skip


@pytest.mark.parametrize("name", COLLECTION)
def test_collection(name):
    path = PHOTOS / name
    if not path.exists():
        pytest.skip("the photo collection ../shared/data/photos is not here")
    if name in FAILS:
        assert code_of(path) == FAILS[name]
    else:
        loaded = open_image(path)
        assert loaded.pixels.dtype == np.uint8 and loaded.pixels.flags.c_contiguous
        assert max(loaded.pixels.shape) <= 2048 and loaded.width >= loaded.pixels.shape[1]


@pytest.mark.parametrize("kind", SAMPLES)
def test_formats(kind):
    loaded = open_image(encoded(kind, **SAMPLES[kind]))
    assert (loaded.width, loaded.height, loaded.pixels.shape, loaded.scale) == (96, 64, (64, 96, 3), 1.0)
    assert difference(encoded(kind, **SAMPLES[kind]), scene()) < (8 if kind == "GIF" else 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = scene()
    stored.getexif()[0x0112] = undo
    stored = ImageOps.exif_transpose(stored)
    data = encoded(kind, stored, **SAMPLES[kind], exif=exif.tobytes())  # AVIF and HEIC get boxes that say the same
    loaded = open_image(data)
    assert (loaded.width, loaded.height) == (96, 64)
    assert difference(data, scene()) < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK"])
def test_modes(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = scene().convert(mode)
    assert difference(encoded(kind, image), image.convert("RGB")) < 1


def test_cmyk_jpeg():
    assert difference(encoded("JPEG", scene().convert("CMYK"), quality=95), scene()) < 6


def test_lab():
    grey = np.zeros((8, 8, 3), np.uint8)
    grey[..., 0] = 137  # L* = 53.6 of 100 with a* = b* = 0 is sRGB 128
    pixels = open_image(encoded("TIFF", Image.frombytes("LAB", (8, 8), grey.tobytes()))).pixels
    assert np.abs(pixels.astype(int) - 128).max() <= 2


@pytest.mark.parametrize(("depth", "kind"), [(16, "PNG"), (16, "TIFF"), (12, "TIFF")])
def test_deep_grey_is_scaled_not_saturated(depth, kind):
    ramp = np.linspace(0, 2**depth - 1, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels = open_image(encoded(kind, Image.fromarray(ramp))).pixels
    assert np.abs(pixels[..., 0].astype(float) - ramp * (255 / (2**depth - 1))).max() <= 1


def test_transparent_level_of_deep_grey():
    levels = np.repeat(np.arange(0, 65536, 257, dtype=np.uint16)[None], 64, 0)
    pixels = open_image(encoded("PNG", Image.fromarray(levels), transparency=257 * 100)).pixels
    expected = np.where(np.arange(256) == 100, 255, np.arange(256))
    assert np.array_equal(pixels, np.broadcast_to(expected[None, :, None], pixels.shape))


@pytest.mark.parametrize(("values", "white"), [((0.0, 1.0), 1.0), ((0.0, 200.0), 255.0), ((0.0, 3000.0), 4095.0)])
def test_float_tiff(values, white):
    ramp = np.linspace(*values, 32 * 32, dtype=np.float32).reshape(32, 32)
    pixels = open_image(encoded("TIFF", Image.fromarray(ramp))).pixels
    assert np.abs(pixels[..., 1] - ramp * 255 / white).max() <= 1


def test_float_tiff_with_nan():
    ramp = np.full((16, 16), np.nan, np.float32)
    ramp[0] = 0.5
    assert set(np.unique(open_image(encoded("TIFF", Image.fromarray(ramp))).pixels)) == {0, 128}


def test_white_level_of_integers():
    assert [white_level(high, "I") for high in (9, 256, 5000, 65535, 2**31 - 1)] == [255, 1023, 16383, 65535, 2**32 - 1]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "HEIF"])
def test_transparent_becomes_white(kind):
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    pixels = open_image(encoded(kind, image)).pixels
    assert pixels[32, 8].min() > 245 and np.abs(pixels[32, 56] - np.array([200, 0, 0])).max() < 12


def test_transparent_palette():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    pixels = open_image(encoded("PNG", image, transparency=b"\x00\xff")).pixels
    assert pixels[0, 0].tolist() == [40, 50, 60] and pixels[3, 3].tolist() == [255, 255, 255]
    assert to_rgb(image, None).getpixel((3, 3)) == (10, 20, 30)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_frame(kind):
    data = encoded(kind, Image.new("RGB", (40, 40), "red"), save_all=True, append_images=[Image.new("RGB", (40, 40), "blue")])
    assert np.abs(open_image(data).pixels.mean(axis=(0, 1)) - [255, 0, 0]).max() < 5


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(kind, share):
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 255, (80, 120, 3), np.uint8))
    data = encoded("JPEG" if kind == "MPO" else kind, noise)
    assert code_of(data[: int(len(data) * share)]) == "truncated_image"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello, this is text", "not_an_image"),
        (b"BMW is not a bitmap of any kind", "not_an_image"),
        (b"\xff\xd8\xff", "truncated_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_image"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "unsupported_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_image"),
        (b"\0" * (SERVER.file_bytes + 1), "file_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_codes(data, code):
    assert code_of(data) == code


@pytest.mark.parametrize("kind", ["PPM", "ICO", "JPEG2000", "EPS", "PDF", "DDS"])
def test_other_formats_are_unsupported(kind):
    assert code_of(encoded(kind)) == "unsupported_image"


def test_wrong_suffix(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded("PNG"))
    assert open_image(path).width == 96


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("place", ["byte order", "entries"])
def test_damaged_exif_is_ignored(kind, place):
    exif = Image.Exif()
    exif[0x0131] = "the software's name"
    data = bytearray(encoded(kind, exif=exif.tobytes()))
    start = max(data.find(b"II*\0"), data.find(b"MM\0*"))
    assert start > 0
    data[start : start + 4] = b"\xff" * 4 if place == "byte order" else data[start : start + 4]
    data[start + 8 : start + 24] = b"\xff" * 16
    assert difference(bytes(data), Image.fromarray(open_image(encoded(kind)).pixels)) == 0


def test_large_images_are_scaled_down():
    big = scene(3000, 1000)
    for kind, width in (("PNG", 2048), ("JPEG", 2048), ("WEBP", 2048)):
        loaded = open_image(encoded(kind, big))
        assert loaded.pixels.shape == (683, width, 3) and (loaded.width, loaded.height) == (3000, 1000)
        assert loaded.scale == pytest.approx(3000 / width)
    assert open_image(encoded("JPEG", scene(1900, 20)), max_side=1024).pixels.shape[1] == 950  # half is near enough
    assert open_image(encoded("JPEG", scene(6000, 40))).pixels.shape == (14, 2048, 3)
    assert open_image(encoded("PNG", scene(2, 2)), max_side=1).pixels.shape == (1, 1, 3)


def test_bands_have_no_seam(monkeypatch):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (301, 203, 3), np.uint8))
    data = encoded("PNG", noise)
    whole = open_image(data, max_side=130).pixels.astype(int)
    monkeypatch.setattr("emotions.image.conversion.BAND_PIXELS", 1000)
    assert np.abs(open_image(data, max_side=130).pixels - whole).max() <= 1


def header_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", body) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def test_bombs_are_rejected_by_their_header():
    assert code_of(header_png(20_000, 10_000)) == "too_many_pixels"
    assert code_of(header_png(1, 30_000_000)) == code_of(header_png(25_000_000, 4)) == "too_many_pixels"
    assert code_of(header_png(2**31 - 1, 2**31 - 1)) == "too_many_pixels"
    with pytest.raises(ImageError, match=r"would take \d+ MB .* the limit is 120 MB") as caught:
        open_image(header_png(10_000, 6_000))
    assert caught.value.code == "too_much_memory"


def test_scan_bomb():
    data = encoded("JPEG", progressive=True)
    assert code_of(data[:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 200 + b"\xff\xd9") == "unsupported_image"


def test_budget_is_set(monkeypatch):
    monkeypatch.setattr(memory, "_budget", MemoryBudget(MB))
    assert code_of(encoded("PNG")) == "too_much_memory"
    set_decode_budget(50)
    assert open_image(encoded("PNG")).width == 96
    with pytest.raises(ValueError, match="positive"):
        set_decode_budget(0)


def test_budget_serves_in_order_and_frees():
    budget, order, started = MemoryBudget(100), [], []

    def ask(name: str, amount: int) -> None:
        with budget.reserve(amount):
            order.append(name)

    with budget.reserve(60):
        for name, amount in (("large", 90), ("small", 10)):  # the small one would fit, but came later
            thread = threading.Thread(target=ask, args=(name, amount))
            thread.start()
            started.append(thread)
            while len(budget._queue) < len(started):
                pass
        assert order == []
    for thread in started:
        thread.join(10)
    assert sorted(order) == ["large", "small"] and order[0] == "large" and budget.used == 0


def test_budget_wait_is_limited():
    budget = MemoryBudget(100)
    with budget.reserve(60), pytest.raises(MemoryBudgetError, match="try again") as caught, budget.reserve(60, wait_seconds=0.01):
        pass
    assert caught.value.code == "busy" and budget.used == 0 and not budget._queue


def test_budget_is_free_after_errors():
    data = encoded("PNG")
    for _ in range(3):
        code_of(data[: len(data) - 60])
    assert memory._budget.used == 0


def test_no_warning_leaks():
    data = encoded("GIF", Image.new("P", (8, 8)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=open_image, args=(data,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == []
        warnings.warn("ours still comes through", UserWarning, stacklevel=1)
    assert len(seen) == 1


def test_one_warnings_filter_for_all_images():
    with warnings.catch_warnings():
        open_image(encoded("PNG"))
        count = len(warnings.filters)
        open_image(encoded("PNG"))
        assert len(warnings.filters) == count


@pytest.mark.parametrize("kind", SAMPLES)
def test_malformed_files_only_raise_image_errors(kind):
    """Mutated headers, with a fixed seed: whatever a decoder does with them, callers see an image or an ImageError."""
    data, chance = encoded(kind, **SAMPLES[kind]), random.Random(kind)
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(4, min(len(broken), chance.choice((40, 200, 2000))))
            broken[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del broken[chance.randrange(4, len(broken)) :]
        try:
            loaded = open_image(bytes(broken))
        except ImageError as error:
            assert error.code in CODES
        else:
            assert loaded.pixels.ndim == 3


def test_sniffing_does_not_decode():
    assert [sniff(encoded(kind, **options)) for kind, options in SAMPLES.items()] == [
        "JPEG", "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIC", "AVIF",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("TIFF", {}), ("AVIF", {"speed": 10})],
)
def test_estimate_is_an_upper_bound(tmp_path, kind, options):
    path = tmp_path / "picture"
    path.write_bytes(encoded(kind, scene(2400, 1800), **options))
    command = [sys.executable, "-m", "scripts.bench.decoding", "--one", str(path)]
    row = json.loads(subprocess.run(command, cwd=Path(loading.__file__).parents[2], capture_output=True, check=True).stdout)
    assert 2400 * 1800 / 4 < row["peak"] <= row["estimate"]


def test_encode_jpeg():
    pixels = np.asarray(scene())
    assert difference(encode_jpeg(pixels, quality=95), scene()) < 8
    assert len(encode_jpeg(pixels, quality=30)) < len(encode_jpeg(pixels, quality=95))
    with pytest.raises(ValueError, match="uint8"):
        encode_jpeg(pixels[..., 0])
