"""Picture files, format by format: which it is, what decoding it costs, and its rows as RGB. `images.py` is the door."""

from __future__ import annotations

import importlib
import io
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageFile

MB = 2**20
Rows = Callable[[int, int], Image.Image]
"""(first, last) -> those rows of a decoded picture, in its own mode."""

DECODERS = {"JPEG": "Jpeg", "PNG": "Png", "GIF": "Gif", "BMP": "Bmp", "TIFF": "Tiff", "WEBP": "WebP", "AVIF": "Avif"}
"""Format -> prefix of Pillow's plugin. The one plugin is called by its name: `Image.open` would try EPS and forty others."""

OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "Photoshop"), (b"\0\0\1\0", "icon"),
    (b"\0\0\2\0", "cursor"), (b"icns", "icon"), (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"), (b"<svg", "SVG"), (b"<?xml", "SVG or XML"), (b"DDS ", "DDS"),
    (b"gimp xcf", "GIMP"), (b"qoif", "QOI"), (b"\x76\x2f\x31\x01", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"),
    (b"\x1aE\xdf\xa3", "video"), (b"FUJIFILM", "camera raw"), (b"SIMPLE  =", "FITS"), (b"\x59\xa6\x6a\x95", "Sun raster"),
    *((b"P%c%c" % (kind, space), "PNM") for kind in b"1234567" for space in b"\n\r\t #"),
)  # fmt: skip
HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}
BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}
NATIVE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel of Pillow's modes; the others take 4."""
MAX_PIXELS = 120_000_000
"""Width times height: above the 108 megapixels that some phones take, and about two seconds of a slow core's work."""
KEEP = 7 / 8
"""A JPEG is drafted to 1/2, 1/4 or 1/8 as long as its longer side keeps this share of `max_side`: a 4,032-pixel photo then
comes at exactly one half, with no resizing after, and no picture loses more than an eighth of the detail asked for."""
BAND = 2**19
"""Pixels that are converted at a time: a full-size RGB copy beside the decoded picture would double its memory."""
MAX_SCANS = 100
"""Scans a JPEG may have: encoders write about ten, and each costs a pass over the picture ("JPEG scan bomb")."""


class ImageError(ValueError):
    """A picture that cannot be used. `code` is stable, the message is for people.

    Codes: `empty_file`, `not_an_image`, `truncated_image` (cut off or damaged), `unsupported_image`, `file_too_large`,
    `too_many_pixels`, `too_much_memory`, and `busy` (other pictures hold the memory; the same file may pass later).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Plan:
    """A picture whose header is read and whose pixels are not.

    `size`: (width, height) of the full picture as stored. `decoded`: that of what the decoder will give (JPEG drafts).
    `peak`: bytes that decoding takes at its worst moment; `held`: those that stay until the rows have been used.
    `load` decodes; `orientation`, asked after `load`, is the EXIF orientation (1..8) still to be applied.
    """

    format: str
    size: tuple[int, int]
    decoded: tuple[int, int]
    peak: int
    held: int
    load: Callable[[], Rows]
    orientation: Callable[[], int]


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters = warnings.catch_warnings()


@contextmanager
def quiet() -> Iterator[None]:
    """No warning leaves a decoder. Filters belong to the whole process: the first thread in sets them, the last restores."""
    global _quiet_depth, _quiet_filters
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.simplefilter("ignore")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _quiet_filters.__exit__(None, None, None)


@contextmanager
def decoder_errors(kind: str) -> Iterator[None]:
    """Whatever a decoder raises on a hostile file (it can be anything) comes out as an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("too_much_memory", f"This {kind} picture takes more memory than there is.") from None
    except Image.DecompressionBombError:
        raise ImageError("too_many_pixels", f"This {kind} picture has too many pixels.") from None
    except Exception as error:
        text = str(error).lower()
        if any(words in text for words in ("unsupported", "not supported", "unknown pixel mode", "cannot handle")):
            raise ImageError("unsupported_image", f"This variant of {kind} is not supported.") from error
        raise ImageError("truncated_image", f"This {kind} picture is cut off or damaged.") from error


def sniff(data: bytes) -> str:
    """The format by the first bytes, never by the file's name: a key of DECODERS, or "HEIC". ImageError for all else."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if data[4:8] == b"ftyp":
        names = data[8 : min(max(int.from_bytes(data[:4], "big"), 16), 256)]
        brands = {names[start : start + 4] for start in range(0, len(names), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & HEVC_BRANDS:
            return "HEIC"
        raise ImageError("unsupported_image", "This is a video or a file of that family, not a picture in a supported format.")
    for start, kind in OTHERS:
        if data.startswith(start):
            raise ImageError("unsupported_image", f"This looks like {kind}, which is not among the supported formats.")
    raise ImageError("not_an_image", "This is not a picture: its first bytes are those of no known format.")


def plan(data: bytes, max_side: int) -> Plan:
    """Read the header of `data`; ImageError where it is no usable picture. JPEGs are drafted down towards `max_side`."""
    kind = sniff(data)
    with decoder_errors(kind):
        if _is_cut(kind, data):
            raise ImageError("truncated_image", f"This {kind} file is cut off: it ends before its own header says.")
        if kind == "HEIC":
            return _plan_heic(data)
        if kind == "GIF":
            _check_gif(data)
        plugin = importlib.import_module(f"PIL.{DECODERS[kind]}ImagePlugin")
        image = getattr(plugin, f"{DECODERS[kind]}ImageFile")(io.BytesIO(data))
        _check_size(*image.size)
        return _plan_webp(data, image) if kind == "WEBP" else _plan_pillow(data, kind, image, max_side)


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError("not_an_image", f"This picture has no pixels: its header says {width} x {height}.")
    if width * height > MAX_PIXELS:
        limit = f"the limit is {MAX_PIXELS / 1e6:.0f} megapixels"
        raise ImageError("too_many_pixels", f"This picture has {width * height / 1e6:.0f} megapixels ({width} x {height}); {limit}.")


def _is_cut(kind: str, data: bytes) -> bool:
    """Whether a container that states its length ends early; such a file may still decode to a half-grey picture."""
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind in ("HEIC", "AVIF"):
        start = 0
        while start + 8 <= len(data):
            size = int.from_bytes(data[start : start + 4], "big")
            if size == 1:
                size = int.from_bytes(data[start + 8 : start + 16], "big")
            if size == 0:  # the last box, open-ended
                return False
            if size < 8:
                return True
            start += size
        return start > len(data)
    return False


def _check_gif(data: bytes) -> None:
    """The canvas and the first frame, before Pillow makes room for them while it opens."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    start = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[start : start + 1] == b"\x21":  # extensions: blocks of up to 255 bytes, closed by an empty one
        start += 2
        while data[start]:
            start += data[start] + 1
        start += 1
    left, top, across, down = struct.unpack("<4H", data[start + 1 : start + 9])
    _check_size(width, height)
    _check_size(max(width, left + across), max(height, top + down))


def _plan_pillow(data: bytes, kind: str, image: ImageFile.ImageFile, max_side: int) -> Plan:
    size, extra = image.size, 0
    if kind == "JPEG":
        extra = _draft(data, image, max_side)
    pixels = image.width * image.height
    native = pixels * NATIVE_BYTES.get(image.mode, 4)
    if kind == "TIFF":
        extra = _tiff_extra(image, native)
    elif kind == "GIF":
        extra = pixels  # the area that the frame leaves behind, made ready at once
    elif kind == "BMP" and image.tile and image.tile[0].codec_name == "bmp_rle":
        extra = 2 * pixels  # Pillow gathers the runs in a bytearray and copies it
    elif kind == "AVIF":
        return Plan(kind, size, size, *_avif_bytes(data, pixels, len(image.mode)), _loader(image), lambda: _orientation(image))
    return Plan(kind, size, image.size, native + extra, native, _loader(image), lambda: _orientation(image))


def _draft(data: bytes, image: ImageFile.ImageFile, max_side: int) -> int:
    """Choose the scale of a JPEG; gives the bytes of the coefficients that libjpeg holds at full size, if it has to."""
    width, height = image.size
    scale = max((s for s in (1, 2, 4, 8) if max(width, height) / s >= KEEP * max_side), default=1)
    start = data.rfind(b"\xff\xda", 0, image.fp.tell())
    layers = [(across, down) for _, across, down, _ in image.layer]
    # Progressive files and those with a scan per component are held whole, two bytes a coefficient, before a row comes out.
    buffered = image.info.get("progressive") or data[start + 4] < len(layers)
    if buffered and data.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError("unsupported_image", f"This JPEG has more than {MAX_SCANS} scans.")
    if scale > 1:
        image.draft(None, (width // scale, height // scale))
    if not buffered:
        return 0
    widest, tallest = max(across for across, _ in layers), max(down for _, down in layers)
    blocks = -(-width // (8 * widest)) * -(-height // (8 * tallest)) * sum(across * down for across, down in layers)
    return blocks * 64 * 2


def _tiff_extra(image: ImageFile.ImageFile, native: int) -> int:
    """Bytes beside the picture: one strip or tile as libtiff unpacks it, and the second copy when Pillow turns it."""
    tags = image.tag_v2
    width, height = tags.get(322, image.width), tags.get(323) or min(tags.get(278, image.height), max(image.size))
    bits, samples = tags.get(258, (8,)), tags.get(277, 1)
    unpacked = width * height * max(4, samples * -(-max(bits) // 8) + 6 * (tags.get(259) == 7))
    return unpacked + native * (tags.get(274, 1) != 1)


def _avif_bytes(data: bytes, pixels: int, channels: int) -> tuple[int, int]:
    """libavif's planes and dav1d's own (measured: 1.7 times the planes), the RGB bytes and Pillow's copy of them."""
    found = data.find(b"av1C")
    flags = data[found + 6] if found > 0 else 0x40
    samples = 1 if flags & 0x10 else 3 if not flags & 0x08 else 2 if not flags & 0x04 else 1.5
    planes = (samples + (channels == 4)) * (2 if flags & 0x40 else 1)
    return int(pixels * (1.75 * planes + channels + 4)), int(pixels * (1.75 * planes + 4))


def _loader(image: ImageFile.ImageFile) -> Callable[[], Rows]:
    def load() -> Rows:
        image.load()
        return lambda first, last: image if last - first == image.height else image.crop((0, first, image.width, last))

    return load


def _orientation(image: Image.Image) -> int:
    """EXIF orientation (or XMP's), 1 where there is none or EXIF is damaged. TIFF comes turned, and without the tag."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        return 1


def _raw_rows(data: np.ndarray | memoryview, width: int, mode: str, raw: str, stride: int) -> Rows:
    """Rows of packed pixels in a decoder's own memory."""
    flat = memoryview(data).cast("B")
    return lambda first, last: Image.frombytes(mode, (width, last - first), flat[first * stride : last * stride], "raw", raw, stride)


def _plan_webp(data: bytes, image: ImageFile.ImageFile) -> Plan:
    pixels = image.width * image.height
    if image.n_frames > 1:  # two canvases, the frame's bytes and Pillow's copy; only the first frame is decoded
        return Plan("WEBP", image.size, image.size, 17 * pixels, 16 * pixels, _loader(image), lambda: _orientation(image))

    def load() -> Rows:
        # OpenCV has the same libwebp write straight into its array: half of the memory that Pillow takes.
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if array is None or array.shape[:2] != image.size[::-1]:
            raise ImageError("truncated_image", "This WEBP picture is cut off or damaged.")
        mode, raw = ("RGBA", "BGRA") if array.shape[2] == 4 else ("RGB", "BGR")
        return _raw_rows(array, image.width, mode, raw, array.strides[0])

    return Plan("WEBP", image.size, image.size, int(8.5 * pixels), 4 * pixels, load, lambda: _orientation(image))


def _plan_heic(data: bytes) -> Plan:
    import pillow_heif  # 12 MB that only phone pictures need

    file = pillow_heif.open_heif(io.BytesIO(data), remove_stride=False)
    image = file[file.primary_index]
    _check_size(*image.size)
    pixels, info = image.size[0] * image.size[1], image.info
    out = pillow_heif.misc.MODE_INFO[image.mode][0] * (2 if ";16" in image.mode else 1)
    samples = {420: 1.5, 422: 2}.get(info.get("chroma"), 3 if out > 2 else 1) + image.has_alpha
    planes = samples * (2 if info["bit_depth"] > 8 else 1)
    # Measured: libde265 adds 0.7 of the planes unless the picture comes in tiles; 4:4:4 passes through planar RGB.
    factor = (1.05 if "tiling" in info else 1.75) + (0.7 if samples >= 3 else 0)

    def load() -> Rows:
        pixels, stride = image.data, image.stride
        return _raw_rows(pixels, image.size[0], image.mode, image.mode, stride)

    # libheif turns the picture by its own boxes (irot, imir); the EXIF tag repeats them and is not to be applied again.
    return Plan("HEIC", image.size, image.size, int(pixels * (out + factor * planes)), pixels * out, load, lambda: 1)


def white_level(low: float, high: float, mode: str) -> float:
    """Value shown as white in a picture deeper than 8 bits: full scale of the least usual depth that holds its maximum.

    Cameras and scanners store 10, 12 or 14 bits in 16, so the type's own maximum would show them black.
    """
    if mode == "F" and high <= 1.0:
        return 1.0
    return next((float(2**bits - 1) for bits in (8, 10, 12, 14, 16, 24, 32) if high < 2**bits), float(high))


def rgb(band: Image.Image, white: float | None) -> Image.Image:
    """Rows in any mode -> RGB. What is transparent becomes white, as on the page and paper where most people saw it."""
    if band.mode == "RGB" and "transparency" not in band.info:
        return band
    if white is not None:
        values = np.nan_to_num(np.asarray(band).astype(np.float32)) * (255 / white)
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if band.mode == "LAB":
        return ImageCms.applyTransform(band, _lab_to_srgb())
    if band.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in band.info:
        band = band.convert("RGBA")
        paper = Image.new("RGB", band.size, "white")
        paper.paste(band, mask=band.getchannel("A"))
        return paper
    return band.convert("RGB")


def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


def shrink(rows: Rows, size: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Decoded rows of a picture of `size` (width, height) -> (height, width, 3) uint8 RGB of `shape`, band by band.

    Each pixel is the mean of the area it covers (a box filter), so bands meet without a seam.
    """
    width, height = size
    across, down = shape
    pixels = np.empty((down, across, 3), np.uint8)
    first_row = rows(0, 1)
    white = None
    if first_row.mode[0] in "IF":
        low, high = extrema(rows, height, width)
        white = white_level(low, high, first_row.mode)
    step = max(1, BAND * down // (width * height))
    for top in range(0, down, step):
        bottom = min(top + step, down)
        start, end = top * height / down, bottom * height / down
        first, last = int(start), min(height, int(np.ceil(end)))
        band = rgb(rows(first, last), white)
        if shape != size:
            band = band.resize((across, bottom - top), Image.Resampling.BOX, (0, start - first, width, end - first))
        pixels[top:bottom] = np.asarray(band)
    return pixels


def extrema(rows: Rows, height: int, width: int) -> tuple[float, float]:
    """Least and greatest value of a grey picture, NaN and infinities left out."""
    step = max(1, BAND // width)
    low, high = np.inf, 0.0
    for first in range(0, height, step):
        values = np.asarray(rows(first, min(height, first + step)))
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, values.min()), max(high, values.max())
    return float(low), float(high)
