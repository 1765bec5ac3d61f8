"""Image formats: detection by the first bytes, limits of sizes and counts, and decoder errors as ImageError."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from ..errors import CodedError, ImageError
from ..runtime.limits import get_limits

LONGEST_SIDE = 65_535
"""Pixels of the longer side, the most that JPEG and GIF can state: a longer picture would be a strip or exceed the megapixels."""
MAX_PARTS = 10_000
"""Chunks or boxes of a file, beside one for each kilobyte: encoders write chunks of at least 8 kB."""
UNSUPPORTED: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "Photoshop"), (b"\0\0\1\0", "icon"),
    (b"\0\0\2\0", "cursor"), (b"icns", "icon"), (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"), (b"<svg", "SVG"), (b"<?xml", "SVG or XML"), (b"DDS ", "DDS"),
    (b"gimp xcf", "GIMP"), (b"qoif", "QOI"), (b"\x76\x2f\x31\x01", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"),
    (b"\x1aE\xdf\xa3", "video"), (b"FUJIFILM", "camera raw"), (b"SIMPLE  =", "FITS"), (b"\x59\xa6\x6a\x95", "Sun raster"),
    *((b"P%c%c" % (kind, space), "PNM") for kind in b"1234567" for space in b"\n\r\t #"),
)  # fmt: skip
HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}
BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


DECODER_MODULES = r"(PIL|pillow_heif|emotions\.image)\b"


def suppress_warnings() -> None:
    """Put a filter in front that ignores warnings of image decoders: where warnings are errors, they would fail good files."""
    first: Any = warnings.filters[0][3] if warnings.filters else None
    if getattr(first, "pattern", None) != DECODER_MODULES:
        warnings.filterwarnings("ignore", module=DECODER_MODULES)


@contextmanager
def decoder_errors(kind: str) -> Iterator[None]:
    """Convert every exception of a decoder into an ImageError; on malformed files decoders raise anything."""
    try:
        yield
    except CodedError:
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
    """Detect the format by the first bytes: a key of DECODERS, or "HEIC". Raises ImageError for other files."""
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
    for start, kind in UNSUPPORTED:
        if data.startswith(start):
            raise ImageError("unsupported_image", f"This looks like {kind}, which is not among the supported formats.")
    raise ImageError("not_an_image", "This is not a picture: its first bytes are those of no known format.")


def check_size(width: int, height: int) -> None:
    """Raise ImageError unless an image of this size has pixels, and no more than LONGEST_SIDE and the limits of the process."""
    if width < 1 or height < 1:
        raise ImageError("not_an_image", f"This picture has no pixels: its header says {width} x {height}.")
    megapixels = get_limits().megapixels
    if width * height > megapixels * 1e6:
        size = f"{width * height / 1e6:.0f} megapixels ({width} x {height})"
        raise ImageError("too_many_pixels", f"This picture has {size}; the limit is {megapixels:g} megapixels.")
    if max(width, height) > LONGEST_SIDE:
        raise ImageError("too_many_pixels", f"This picture has {width} x {height} pixels; the limit is {LONGEST_SIDE} a side.")


def check_parts(kind: str, count: int, data: bytes) -> None:
    """Raise ImageError if a file has more chunks or boxes than any encoder writes."""
    if count > MAX_PARTS + len(data) // 1024:
        raise ImageError("unsupported_image", f"This {kind} file has more than {count - 1} parts.")
