"""Image formats: detection by the first bytes, checks of headers, and decoder errors as ImageError."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from ..errors import ImageError

MAX_PIXELS = 120_000_000
"""Width times height: above the 108 megapixels of some phones, and about two seconds of work for a slow core."""
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
    """Raise ImageError unless an image of this size has pixels, and at most MAX_PIXELS of them."""
    if width < 1 or height < 1:
        raise ImageError("not_an_image", f"This picture has no pixels: its header says {width} x {height}.")
    if width * height > MAX_PIXELS:
        size, limit = f"{width * height / 1e6:.0f} megapixels ({width} x {height})", f"{MAX_PIXELS / 1e6:.0f} megapixels"
        raise ImageError("too_many_pixels", f"This picture has {size}; the limit is {limit}.")


def is_truncated(kind: str, data: bytes) -> bool:
    """Return True if a file ends before the length that its container states; it might still decode to a half-grey image."""
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


def check_gif(data: bytes) -> None:
    """Check the sizes of a GIF's canvas and first frame before Pillow, while it opens the file, allocates them."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    start = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[start : start + 1] == b"\x21":  # extensions: blocks of up to 255 bytes, closed by an empty one
        start += 2
        while data[start]:
            start += data[start] + 1
        start += 1
    left, top, across, down = struct.unpack("<4H", data[start + 1 : start + 9])
    check_size(width, height)
    check_size(max(width, left + across), max(height, top + down))


def without_exif(kind: str, data: bytes) -> bytes | None:
    """Return the file without its EXIF chunk, or None if that does not apply."""
    if kind == "PNG" and (start := data.find(b"eXIf") - 4) > 0:
        return data[:start] + data[start + 12 + int.from_bytes(data[start : start + 4], "big") :]
    if kind == "AVIF" and b"Exif" in data:
        return data.replace(b"Exif", b"free", 1)  # the type of the item, which readers skip when they do not know it
    return None
