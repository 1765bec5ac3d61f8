"""TIFFs of every kind, written by tifffile or byte by byte, against what tifffile and OpenCV read: right, or refused in words."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from emotions.errors import ImageError
from emotions.image.decoders import plan_decode
from emotions.image.loading import estimate, open_image
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import MB

WIDTH, HEIGHT = 53, 70
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
KINDS = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
PHOTOMETRICS = {"miniswhite": 1, "minisblack": 1, "rgb": 3, "separated": 4}
REFUSED = {
    "mask": {262: (3, (4,))}, "sensor": {262: (3, (32803,))}, "LogLuv": {262: (3, (32845,))}, "ITU Lab": {262: (3, (10,))},
    "complex": {258: (3, (64,)), 339: (3, (6,))}, "24 bits": {258: (3, (24,))}, "mixed": {277: (3, (3,)), 258: (3, (8, 16, 8))},
    "WebP": {259: (3, (50001,))}, "JPEG 2000": {259: (3, (34712,))}, "fax of 8 bits": {259: (3, (4,)), 258: (3, (16,))},
    "JPEG of 12 bits": {259: (3, (7,)), 258: (3, (12,))}, "inks": {262: (3, (5,)), 277: (3, (4,)), 332: (3, (2,))},
    "few channels": {262: (3, (2,))}, "many channels": {277: (3, (200,))}, "predictor": {259: (3, (8,)), 317: (3, (4,))},
    "subsampled": {262: (3, (6,)), 277: (3, (3,)), 530: (3, (2, 2))}, "predictor 3": {259: (3, (8,)), 317: (3, (3,))},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _server_limits():
    before = set_limits(SERVER)
    yield
    set_limits(before)


def shares(channels: int) -> np.ndarray:
    """(HEIGHT, WIDTH, channels) from 0 to 1, without symmetry."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([across / (WIDTH - 1), down / (HEIGHT - 1), (across + down) % 17 / 16, across * down % 13 / 12], -1)[
        ..., :channels
    ]


def scaled(values: np.ndarray, kind: str) -> np.ndarray:
    """Numbers of a kind from its black to its white."""
    kind = np.dtype(kind)
    if kind.kind == "f":
        return values.astype(kind)
    info = np.iinfo(kind)
    return np.round(values * (info.max - info.min) + info.min).clip(info.min, info.max).astype(kind)


def unscaled(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return values.astype(float)
    info = np.iinfo(values.dtype)
    return (values.astype(float) - info.min) / (info.max - info.min)


def as_rgb(values: np.ndarray, photometric: str) -> np.ndarray:
    """Levels of what a reader gives, (height, width, channels) from 0 to 1."""
    if photometric == "miniswhite":
        values = 1 - values
    if photometric == "separated":
        values = (1 - values[..., :3]) * (1 - values[..., 3:])
    return np.broadcast_to(values, (*values.shape[:2], 3)) * 255


def written(values: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, metadata=None, **options)
    return out.getvalue()


def assert_levels(data: bytes, expected: np.ndarray, tolerance: float = 2.5) -> None:
    pixels = open_image(data).pixels.astype(float)
    assert pixels.shape == expected.shape and np.abs(pixels - expected).max() <= tolerance


def tiff(tags: dict[int, tuple[int, tuple]], segments: list[bytes], order: str = "<", tile: bool = False) -> bytes:
    """A TIFF with these tags (type, values) and strips or tiles."""
    form = {3: "H", 4: "I", 1: "B", 5: "I"}
    offsets = 8 + np.cumsum([0, *map(len, segments)])[:-1]
    places = {324 if tile else 273: (4, tuple(offsets)), 325 if tile else 279: (4, tuple(map(len, segments)))}
    tags = dict(sorted((tags | places).items()))
    body = b"".join(segments) + bytes(sum(map(len, segments)) % 2)
    start, entries, tail = 8 + len(body), b"", b""
    after = start + 6 + 12 * len(tags)
    for tag, (kind, values) in tags.items():
        packed = struct.pack(f"{order}{len(values)}{form[kind]}", *map(int, values))
        if len(packed) > 4:
            packed, tail = struct.pack(order + "I", after + len(tail)), tail + packed + bytes(len(packed) % 2)
        entries += struct.pack(order + "HHI", tag, kind, len(values) // (2 if kind == 5 else 1)) + packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + tail


def plain_tags(bits: int = 8, channels: int = 1, photometric: int = 1, kind: int = 1, compression: int = 1) -> dict:
    tags = {256: WIDTH, 257: HEIGHT, 259: compression, 262: photometric, 277: channels, 278: HEIGHT}
    return {tag: (3, (value,)) for tag, value in tags.items()} | {258: (3, (bits,) * channels), 339: (3, (kind,) * channels)}


@pytest.mark.slow
@pytest.mark.parametrize("photometric", PHOTOMETRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_product(kind, photometric):
    """Numbers, colors, planes, strips and tiles, compression, byte order, and classic and big files."""
    channels = PHOTOMETRICS[photometric]
    values = scaled(shares(channels), kind)
    layouts = [("contig", values if channels > 1 else values[..., 0])]
    if channels > 1:
        layouts.append(("separate", np.moveaxis(values, -1, 0)))
    storage = [{"tile": (16, 32)}, {"tile": (80, 64)}, {"rowsperstrip": 16}, {"rowsperstrip": HEIGHT}]
    for (planar, array), where, compression, order in itertools.product(layouts, storage, (None, "zlib"), "<>"):
        options = {"photometric": photometric, "compression": compression, "byteorder": order, "bigtiff": order == ">", **where}
        if channels > 1:
            options["planarconfig"] = planar
        data = written(array.astype(array.dtype.newbyteorder(order)), **options)
        read = tifffile.imread(io.BytesIO(data))
        read = read[..., None] if channels == 1 else np.moveaxis(read, 0, -1) if planar == "separate" else read
        assert_levels(data, as_rgb(unscaled(read), photometric), 4 if photometric == "separated" else 2.5)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773, 32946])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_compressions_and_predictors_of_libtiff(kind, compression):
    for channels, predictor in itertools.product((1, 3), (1, 2, 3)):
        if predictor == 3 and kind != "f4":
            continue
        values = scaled(shares(channels), kind)
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
        done, data = cv2.imencode(".tif", values, options)
        assert done
        read = np.atleast_3d(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
        assert_levels(data.tobytes(), as_rgb(unscaled(read)[..., ::-1], "rgb"))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma", "zstd"])
def test_compressions_that_pillow_writes(compression):
    values = shares(3)
    for array in (scaled(values, "u1"), scaled(values[..., 0], "u1"), scaled(values[..., 0], "u2"), scaled(values[..., 0], "f4")):
        out = io.BytesIO()
        Image.fromarray(array).save(out, "TIFF", compression=compression)
        assert_levels(out.getvalue(), as_rgb(unscaled(array.reshape(HEIGHT, WIDTH, -1)), "rgb"))


@pytest.mark.parametrize("tile", [(), (16, 16), (32, 64)], ids=str)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_predictors_in_tiles_and_planes(order, planar, tile):
    """Differences made here: within a tile, of samples of the same channel, and of bytes, the highest first."""
    for kind, predictor in [*((kind, 2) for kind in KINDS), *((kind, 3) for kind in ("f2", "f4", "f8"))]:
        values = scaled(shares(3), kind)
        size = values.dtype.itemsize
        high, wide = tile or (16, WIDTH)
        padded = np.pad(values, ((0, -HEIGHT % high if tile else 0), (0, -WIDTH % wide), (0, 0)))
        segments = []
        for plane in [padded[..., channel : channel + 1] for channel in range(3)] if planar else [padded]:
            for top, left in itertools.product(range(0, len(padded), high), range(0, padded.shape[1], wide)):
                part = np.ascontiguousarray(plane[top : top + high, left : left + wide])
                channels = part.shape[2]
                if predictor == 2:
                    whole = part.view(f"u{size}")
                    whole[:, 1:] -= whole[:, :-1].copy()
                    stored = part.astype(part.dtype.newbyteorder(order))
                else:
                    bytes_of = part.astype(f">f{size}").reshape(len(part), -1, 1).view(np.uint8)
                    stored = bytes_of.transpose(0, 2, 1).reshape(len(part), -1, channels).copy()
                    stored[:, 1:] -= stored[:, :-1].copy()
                segments.append(zlib.compress(stored.tobytes()))
        tags = plain_tags(8 * size, 3, 2, {"u": 1, "i": 2, "f": 3}[kind[0]], 8)
        tags |= {284: (3, (2 if planar else 1,)), 317: (3, (predictor,)), 278: (3, (16,))}
        if tile:
            tags |= {322: (3, (wide,)), 323: (3, (high,))}
        assert_levels(tiff(tags, segments, order, bool(tile)), as_rgb(unscaled(values), "rgb"))


@pytest.mark.parametrize("bits", range(1, 17))
def test_samples_that_are_no_whole_bytes(bits):
    for channels, photometric, order in itertools.product((1, 3), (0, 1, 2), "<>"):
        if (channels == 3) != (photometric == 2):
            continue
        values = np.round(shares(channels) * (2**bits - 1)).astype(">u2")
        each = np.unpackbits(values[..., None].view(np.uint8), axis=-1)[..., 16 - bits :].reshape(HEIGHT, -1)
        data = np.packbits(each, axis=1).tobytes()
        if bits == 16:
            data = values.astype(f"{order}u2").tobytes()
        expected = as_rgb(values.astype(float) / (2**bits - 1), "miniswhite" if photometric == 0 else "rgb")
        for compression in (1, 8):
            body = zlib.compress(data) if compression == 8 else data
            assert_levels(tiff(plain_tags(bits, channels, photometric, compression=compression), [body], order), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_orientation(kind, planar, orientation):
    values = scaled(shares(3), kind)
    upright = as_rgb(unscaled(values), "rgb")
    stored = values[:, ::-1] if orientation in (2, 3, 6, 7) else values
    stored = stored[::-1] if orientation in (3, 4, 7, 8) else stored
    if orientation > 4:  # 6: the first row is the right side
        stored = {5: values, 6: values[:, ::-1], 7: values[::-1, ::-1], 8: values[::-1]}[orientation].swapaxes(0, 1)
    array = np.moveaxis(stored, -1, 0) if planar == "separate" else stored
    data = written(
        np.ascontiguousarray(array), photometric="rgb", planarconfig=planar, extratags=[(274, 3, 1, orientation, True)]
    )  # fmt: skip
    assert_levels(data, upright)
    assert (open_image(data).width, open_image(data).height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(("name", "channels"), [("minisblack", 1), ("rgb", 3)])
def test_channels_beyond_the_colors(kind, planar, name, channels):
    """Transparency before and after multiplication, and channels of other meaning, which are not shown."""
    colors, alpha = shares(4)[..., :channels], shares(4)[..., 3:]
    for extra in ("unspecified", "assocalpha", "unassalpha"):
        shown = colors * alpha if extra == "assocalpha" else colors
        values = scaled(np.concatenate([shown, alpha], axis=2), kind)
        array = np.moveaxis(values, -1, 0) if planar == "separate" else values
        data = written(np.ascontiguousarray(array), photometric=name, planarconfig=planar, extrasamples=[extra])
        expected = colors if extra == "unspecified" else colors * alpha + 1 - alpha
        assert_levels(data, as_rgb(expected, "rgb"), 3)


def test_channels_without_a_meaning_are_not_shown():
    values = scaled(np.concatenate([shares(3), 0 * shares(1)], axis=2), "u1")
    tags = plain_tags(8, 4, 2)
    assert_levels(tiff(tags, [values.tobytes()]), as_rgb(shares(3), "rgb"))


@pytest.mark.parametrize(
    ("kind", "low", "high", "black", "white"),
    [
        ("u2", 0, 255, 0, 255), ("u2", 0, 4000, 0, 4095), ("u4", 0, 60000, 0, 65535), ("i2", 0, 255, 0, 255),
        ("i1", 0, 127, 0, 127), ("i2", -1024, 2000, -2048, 2047), ("i4", -(2**31), 2**31 - 1, -(2**31), 2**31 - 1),
        ("f4", 0, 1, 0, 1), ("f4", 0, 255, 0, 255), ("f8", 0, 65535, 0, 65535), ("f4", -1, 1, -1, 1), ("f4", 0, 4, 0, 4),
        ("f4", -0.01, 1.0, 0, 1), ("f4", -300, 300, -1023, 1023), ("f2", 0, 0.5, 0, 1),
    ],
)  # fmt: skip
def test_ranges(kind, low, high, black, white):
    values = low + shares(3) * (high - low)
    expected = as_rgb(((values - black) / (white - black)).clip(0, 1), "rgb")
    values = values.astype(kind) if kind[0] == "f" else np.round(values).astype(kind)
    assert_levels(written(values, photometric="rgb"), expected, 2)


@pytest.mark.parametrize("outlier", [1.3, 40.0, 1e30, np.inf, np.nan])
def test_single_values_beyond_the_range_do_not_darken_the_image(outlier):
    values = shares(3).astype(np.float32) * 0.99
    values[5, 5] = outlier
    pixels = open_image(written(values, photometric="rgb")).pixels.astype(float)
    difference = np.abs(pixels - as_rgb(shares(3) * 0.99, "rgb"))
    difference[5, 5] = 0
    assert difference.max() <= 2


def test_lab():
    """CIELab of 8 and 16 bits, and that of color profiles, whose a* and b* are unsigned."""
    gray = np.full((HEIGHT, WIDTH, 3), 128)
    for bits, photometric, colors in ((8, 8, 0), (16, 8, 0), (8, 9, 128), (16, 9, 128)):
        for planar in (1, 2):
            lab = np.full((HEIGHT, WIDTH, 3), colors, np.uint8)
            lab[..., 0] = 137
            values = lab.astype("<u2") << 8 if bits == 16 else lab
            planes = [values[..., channel].tobytes() for channel in range(3)] if planar == 2 else [values.tobytes()]
            assert_levels(tiff(plain_tags(bits, 3, photometric) | {284: (3, (planar,))}, planes), gray, 3)


def test_ycbcr_that_is_not_compressed_as_jpeg():
    picture = Image.fromarray(np.round(as_rgb(shares(3), "rgb")).astype(np.uint8))
    tags = plain_tags(8, 3, 6) | {530: (3, (1, 1))}
    assert_levels(tiff(tags, [np.asarray(picture.convert("YCbCr")).tobytes()]), np.asarray(picture), 3)


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_jpeg_in_tiff(photometric):
    """In one plane by Pillow, which writes it, and by planes: a gray JPEG each."""
    smooth = np.round(as_rgb(np.stack([shares(2)[..., 0], shares(2)[..., 1], shares(2).mean(2)], -1), "rgb")).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(smooth).save(out, "TIFF", compression="jpeg", quality=95)
    assert_levels(out.getvalue(), smooth, 12)
    planes = [cv2.imencode(".jpg", smooth[..., channel], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes() for channel in range(3)]
    assert_levels(tiff(plain_tags(8, 3, 2, compression=7) | {284: (3, (2,))}, planes), smooth, 12)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_palettes(bits):
    """Of 16-bit colors, as they should be, and of 8-bit ones, as some programs write them; with further channels, too."""
    random = np.random.default_rng(bits)
    table, index = random.integers(0, 256, (3, 2**bits)), random.integers(0, 2**bits, (HEIGHT, WIDTH)).astype(">u2")
    packed = np.packbits(np.unpackbits(index[..., None].view(np.uint8), axis=-1)[..., 16 - bits :].reshape(HEIGHT, -1), axis=1)
    stored = index.astype("<u2") if bits == 16 else packed
    for factor in (1, 257):
        tags = plain_tags(bits, 1, 3) | {320: (3, tuple((table * factor).ravel()))}
        assert_levels(tiff(tags, [stored.tobytes()]), table.T[index].astype(float), 0)
    if bits == 8:
        tags = plain_tags(8, 2, 3) | {320: (3, tuple((table * 257).ravel())), 284: (3, (2,))}
        assert_levels(tiff(tags, [stored.tobytes(), bytes(HEIGHT * WIDTH)]), table.T[index].astype(float), 0)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_fill_order(bits):
    values = np.round(shares(1)[..., 0] * (2**bits - 1)).astype("<u2")
    stored = np.packbits(values.astype(np.uint8), axis=1) if bits == 1 else values.astype(f"<u{bits // 8}")
    turned = np.packbits(np.unpackbits(np.frombuffer(stored.tobytes(), np.uint8)).reshape(-1, 8)[:, ::-1], axis=1).tobytes()
    assert_levels(tiff(plain_tags(bits) | {266: (3, (2,))}, [turned]), as_rgb(values[..., None] / (2**bits - 1), "rgb"))


def test_the_first_of_several_pages():
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(np.moveaxis(scaled(shares(3), "u2"), -1, 0), photometric="rgb", planarconfig="separate")
        writer.write(np.zeros((9, 9), np.uint8))
    assert_levels(out.getvalue(), as_rgb(shares(3), "rgb"))


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_metadata_of_any_size_costs_nothing(kind):
    """Layers of Photoshop, profiles and private tags: more than the memory for decoding has room for."""
    values = scaled(shares(3), kind)
    plain, sizes = written(values, photometric="rgb"), [(37724, 12 * MB), (700, 8 * MB), (34675, 9 * MB), (65000, MB)]
    data = written(values, photometric="rgb", extratags=[(tag, 7, size, bytes(size), True) for tag, size in sizes])
    assert estimate(plan_decode(data, 2048), 2048) < estimate(plan_decode(plain, 2048), 2048) + MB
    assert np.array_equal(open_image(data).pixels, open_image(plain).pixels)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_in_words(name):
    with pytest.raises(ImageError, match="not supported") as caught:
        open_image(tiff(plain_tags() | REFUSED[name], [bytes(WIDTH * HEIGHT * 8)]))
    assert caught.value.code == "unsupported_image"


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_files_that_are_cut_off(planar, compression):
    values = np.random.default_rng(0).integers(1, 65535, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    array = np.moveaxis(values, -1, 0) if planar == "separate" else values
    data = written(np.ascontiguousarray(array), photometric="rgb", planarconfig=planar, compression=compression, rowsperstrip=8)
    for share in (0.05, 0.3, 0.6, 0.9):
        with pytest.raises(ImageError) as caught:
            open_image(data[: int(len(data) * share)])
        assert caught.value.code == "truncated_image"


@pytest.mark.parametrize("name", ["tiff-16bit-planar", "tiff-16bit-white-is-zero"])
def test_cases(name):
    path = CASES / name / f"{name}.tif"
    if not path.exists():
        pytest.skip("../shared/cases is not here")
    read = tifffile.imread(path)
    read = np.moveaxis(read, 0, -1) if read.ndim == 3 and len(read) == 3 else np.atleast_3d(read)
    assert_levels(path.read_bytes(), as_rgb(read / 65535, "miniswhite" if "white" in name else "rgb"))
