"""Conversion of decoded rows, band by band: to RGB, scaled down, and upright."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image, ImageCms

from ..runtime.time_budget import check_time

Rows = Callable[[int, int], Image.Image]
"""(first, last) -> those rows of a decoded image, in its own mode."""

BAND_PIXELS = 2**19
"""Pixels that are converted at a time: a full-size RGB copy beside the decoded image would double its memory."""
BAND_BYTES = {"RGB": 4, "L": 5, "1": 5, "P": 14, "CMYK": 8, "YCbCr": 8, "LAB": 8, "F": 24, "I": 24}
"""Bytes for each of them, by mode: copies of the rows, of their transparency and of the page behind it; 16 in other modes."""


def white_level(high: float, mode: str) -> float:
    """Return the value shown as white in an image deeper than 8 bits: full scale of the smallest usual depth that holds `high`.

    Cameras and scanners store 10, 12 or 14 bits in 16; scaled by the type's maximum, they would be almost black.

    Args:
        high: Largest value of the image.
        mode: Pillow's mode, "F" for floating point.
    """
    if mode == "F" and high <= 1.0:
        return 1.0
    return next((float(2**bits - 1) for bits in (8, 10, 12, 14, 16, 24, 32) if high < 2**bits), float(high))


def to_rgb(band: Image.Image, white: float | None) -> Image.Image:
    """Convert rows of any mode to RGB. Transparency becomes white, the background that most viewers show.

    Args:
        band: Rows of an image.
        white: Value shown as white where the mode is deeper than 8 bits, else None.
    """
    if band.mode == "RGB" and "transparency" not in band.info:
        return band
    if white is not None:
        samples = np.asarray(band)
        levels = (np.nan_to_num(samples.astype(np.float32)) * (255 / white)).clip(0, 255).round().astype(np.uint8)
        if isinstance(clear := band.info.get("transparency"), int):  # of a PNG with one channel of 16 bits
            levels[samples == clear] = 255
        return Image.fromarray(levels).convert("RGB")
    if band.mode == "LAB":
        converted = ImageCms.applyTransform(band, _lab_to_srgb())
        assert converted is not None  # None is returned only for in-place transforms
        return converted
    if band.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in band.info:
        band = band.convert("RGBA")
        paper = Image.new("RGB", band.size, "white")
        paper.paste(band, mask=band.getchannel("A"))
        return paper
    return band.convert("RGB")


def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


def resize(rows: Rows, size: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Convert decoded rows to RGB and scale them, band by band.

    The filter is Pillow's Hamming, twice as wide as the area of a pixel: a box filter would take whole source pixels only and
    cause dislocations between 1:1 and 1:3. Bands overlap by the reach of the filter, so that there is no seam.

    Args:
        rows: Rows of the decoded image.
        size: (width, height) of the decoded image.
        shape: (width, height) of the result, at most `size`.

    Returns:
        (height, width, 3) uint8 RGB of `shape`.
    """
    width, height = size
    across, down = shape
    pixels = np.empty((down, across, 3), np.uint8)
    first_row = rows(0, 1)
    white = None
    if first_row.mode[0] in "IF":
        white = white_level(_finite_max(rows, height, width), first_row.mode)
    for top, bottom, first, last in _bands(size, shape):
        check_time()
        if shape == size:
            pixels[top:bottom] = np.asarray(to_rgb(rows(top, bottom), white))
        else:
            wide = _is_wide(size, shape)
            band = _narrow(rows, first, last, white, width, across) if wide else to_rgb(rows(first, last), white)
            start, end = top * height / down, bottom * height / down
            band = band.resize((across, bottom - top), Image.Resampling.HAMMING, (0, start - first, band.width, end - first))
            pixels[top:bottom] = np.asarray(band)
    return pixels


def band_bytes(mode: str, size: tuple[int, int], shape: tuple[int, int]) -> int:
    """Return the bytes that `resize` takes beside the decoded image and its result.

    Args:
        mode: Pillow's mode of the rows.
        size: (width, height) of the decoded image.
        shape: (width, height) of the result.
    """
    width = size[0]
    rows = max(last - first for _, _, first, last in _bands(size, shape))
    converted = min(rows, _strip_rows(width)) if _is_wide(size, shape) else rows
    return converted * width * BAND_BYTES.get(mode, 16) + 4 * shape[0] * rows + 32 * width  # the last for the filter's weights


def _is_wide(size: tuple[int, int], shape: tuple[int, int]) -> bool:
    """Return True if the rows that one row of the result needs are more than a band."""
    return shape != size and (3 * size[1] // shape[1] + 5) * size[0] > 2 * BAND_PIXELS


def _bands(size: tuple[int, int], shape: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Divide the result: first and last row of each band, and of the source that it needs."""
    (width, height), (across, down) = size, shape
    reach = height // down + 2
    step = BAND_PIXELS * down // (width * height)
    if _is_wide(size, shape):  # of these rows, only their narrowed copies are held
        step = (BAND_PIXELS // across - 2 * reach) * down // height
    for top in range(0, down, max(1, step)):
        bottom = min(top + max(1, step), down)
        start, end = top * height / down, bottom * height / down
        yield top, bottom, max(0, int(start) - reach), min(height, int(end) + 1 + reach)


def _strip_rows(width: int) -> int:
    return max(1, BAND_PIXELS // width)


def _narrow(rows: Rows, first: int, last: int, white: float | None, width: int, across: int) -> Image.Image:
    """Convert rows to RGB and scale them across, strip by strip.

    Pillow scales across before it scales down too, so that the result is the same.
    """
    band, step = Image.new("RGB", (across, last - first)), _strip_rows(width)
    for top in range(first, last, step):
        bottom = min(top + step, last)
        strip = to_rgb(rows(top, bottom), white)
        band.paste(strip.resize((across, bottom - top), Image.Resampling.HAMMING), (0, top - first))
    return band


def _finite_max(rows: Rows, height: int, width: int) -> float:
    step = max(1, BAND_PIXELS // width)
    high = 0.0
    for first in range(0, height, step):
        values = np.asarray(rows(first, min(height, first + step)))
        values = values[np.isfinite(values)]
        if values.size:
            high = max(high, float(values.max()))
    return high


def apply_exif_orientation(pixels: np.ndarray, orientation: int) -> tuple[np.ndarray, bool]:
    """Apply an EXIF orientation (1..8, CIPA DC-008, tag 274).

    Args:
        pixels: (H, W, 3) uint8.
        orientation: The tag's value; other values than 1..8 change nothing.

    Returns:
        The upright pixels, and True if width and height changed places.
    """
    if orientation in (5, 7):
        pixels = cv2.transpose(pixels)
    flip = {2: 1, 3: -1, 4: 0, 7: -1}.get(orientation)
    if flip is not None:
        pixels = cv2.flip(pixels, flip)
    if orientation in (6, 8):
        pixels = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE)
    return pixels, orientation in (5, 6, 7, 8)
