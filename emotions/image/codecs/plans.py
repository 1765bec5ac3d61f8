"""Plans of decodes: what is known of an image before its pixels are, and the decode itself by Pillow."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile

from ...errors import ImageError
from ..conversion import Rows

DECODERS = {"JPEG": "Jpeg", "PNG": "Png", "GIF": "Gif", "BMP": "Bmp", "TIFF": "Tiff", "WEBP": "WebP", "AVIF": "Avif"}
"""Format -> prefix of Pillow's plugin. Plugins are called directly: `Image.open` would try EPS and forty others."""
NATIVE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel of Pillow's modes; the others take 4."""
ROW_BYTES = 16
"""Bytes a row beside its pixels: Pillow's pointer to it, and the padding of short rows."""
MAX_SAMPLES = 1000
"""Rows that are examined for pixels that are missing, evenly spaced."""
UNTOUCHED = 165
"""Value of pixels that are still to be decoded, where missing ones are searched for."""


@dataclass(frozen=True)
class DecodePlan:
    """An image whose header is read and whose pixels are not.

    Attributes:
        format: Name of the format.
        size: (width, height) of the full image as stored.
        decoded: (width, height) of the decoder's output, smaller for drafted JPEGs.
        peak: Bytes that decoding takes at most.
        held: Bytes that stay allocated until the rows have been used.
        mode: Pillow's mode of the rows.
        load: Decodes the image.
        orientation: Returns the EXIF orientation (1..8) that is still to be applied; call it after `load`.
    """

    format: str
    size: tuple[int, int]
    decoded: tuple[int, int]
    peak: int
    held: int
    mode: str
    load: Callable[[], Rows]
    orientation: Callable[[], int]


def open_pillow(kind: str, file: io.IOBase) -> ImageFile.ImageFile:
    """Open a file with Pillow's plugin for this format."""
    plugin = importlib.import_module(f"PIL.{DECODERS[kind]}ImagePlugin")
    decoder: Callable[[io.IOBase], ImageFile.ImageFile] = getattr(plugin, f"{DECODERS[kind]}ImageFile")
    return decoder(file)


def native_bytes(mode: str, size: tuple[int, int]) -> int:
    """Return the bytes of a Pillow image."""
    return size[0] * size[1] * NATIVE_BYTES.get(mode, 4) + size[1] * ROW_BYTES


def image_rows(image: Image.Image) -> Rows:
    """Return the rows of a decoded Pillow image."""
    return lambda first, last: image if last - first == image.height else image.crop((0, first, image.width, last))


def raw_rows(data: Any, width: int, mode: str, raw: str, stride: int) -> Rows:
    """Return the rows of packed pixels in a decoder's own memory, an array or memoryview, without a copy."""
    flat = memoryview(data).cast("B")

    def rows(first: int, last: int) -> Image.Image:
        return Image.frombytes(mode, (width, last - first), flat[first * stride : last * stride], "raw", raw, stride)

    return rows


def is_plain(image: Image.Image, row: int, low: float, high: float, left: int = 0, right: int | None = None) -> bool:
    """Return True if all channels of all pixels in a row, from column `left` to before `right`, are between two values."""
    right = image.width if right is None else right
    pixel: Any = image.getpixel(((left + right) // 2, row))
    if not all(low <= value <= high for value in (pixel if isinstance(pixel, tuple) else (pixel,))):
        return False  # nearly always, and fast
    part = image.crop((left, row, right, row + 1))
    ranges: Any = part.getextrema()
    return all(low <= least and most <= high for least, most in (ranges if isinstance(ranges[0], tuple) else (ranges,)))


def load_complete(image: Any, reopen: Callable[[], Any]) -> Image.Image:
    """Decode an image that Pillow leaves black where the data ends early.

    Where the middle and the last row are empty, the image is decoded again, over other values: a row that was empty and keeps
    them is missing.

    Args:
        image: The opened file.
        reopen: Opens the file again.

    Returns:
        The decoded image.

    Raises:
        ImageError: More than half of the rows are missing.
    """
    left, top, right, bottom = image.tile[0].extents if image.format == "GIF" else (0, 0, *image.size)
    background = image.info.get("transparency", 0) if image.format == "GIF" else 0
    if image.format == "TIFF":
        image.im = _blank(image, None)  # Pillow would allocate none above its own limit of 179 megapixels
    image.load()
    rows = bottom - top

    def holds(image: Image.Image, row: int, value: int) -> bool:
        return is_plain(image, row, value, value, left, right)

    if not all(holds(image, row, background) for row in (top + rows // 2, bottom - 1)):
        return image  # type: ignore[no-any-return]
    sample = range(top, bottom, -(-rows // MAX_SAMPLES))
    empty = [row for row in sample if holds(image, row, background)]
    image.close()  # its pixels would double the memory
    image = reopen()
    image.im = _blank(image, UNTOUCHED)
    if image.format == "GIF":
        image._frame_transparency = None  # Pillow would fill the image with it
    image.load()
    missing = sum(holds(image, row, UNTOUCHED if image.mode != "1" else 255) for row in empty)
    if missing > len(sample) / 2:
        raise ImageError("truncated_image", f"More than half of the rows of this {image.format} picture are missing.")
    return image  # type: ignore[no-any-return]


def _blank(image: Any, value: int | None) -> Any:
    """Pixels for an opened file, all of this value or, for None, zero."""
    bands, size = Image.getmodebands(image.mode), getattr(image, "_tile_size", image.size)
    return Image.new(image.mode, size, value if value is None or bands == 1 else (value,) * bands).im
