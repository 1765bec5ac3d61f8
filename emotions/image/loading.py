"""Image loading: a file, array or PIL image becomes an upright RGB array, within limits of size and memory."""

from __future__ import annotations

import base64
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image

from ..errors import ImageError, MemoryBudgetError
from ..runtime.limits import get_limits
from ..runtime.memory import MB, reserve
from ..sources import Source, open_source, size_of
from .codecs.metadata import pil_orientation
from .codecs.plans import DecodePlan
from .conversion import apply_exif_orientation, band_bytes, resize
from .decoders import plan_decode
from .formats import check_size, decoder_errors, suppress_warnings

__all__ = ["ImageError", "ImageSource", "LoadedImage", "data_uri", "encode_jpeg", "open_image"]

MAX_SIDE = 2048
"""Default for the longer side of a loaded image, in pixels."""
OVERHEAD = 6 * MB
"""Bytes of a decoder's tables and its threads' stacks, whatever the size of the image."""
ACCEPTED = (
    "a path (str or os.PathLike), the bytes of a file, a binary file object, a NumPy array (uint8: (H, W, 3) RGB or (H, W) grey) "
    "or a PIL image"
)


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A decoded image, upright.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, C-contiguous.
        width: Width in pixels of the full-size upright image, at least W.
        height: Its height in pixels, at least H.
        decode_ms: Milliseconds spent reading and decoding, without the wait for memory.
    """

    pixels: np.ndarray
    width: int
    height: int
    decode_ms: float

    @property
    def scale(self) -> float:
        """Pixels of the full-size image for each pixel of `pixels`."""
        return float(self.width / self.pixels.shape[1])

    def __eq__(self, other: object) -> bool:
        """Return True for an image of the same pixels and the same size before scaling."""
        if not isinstance(other, LoadedImage):
            return NotImplemented
        return (self.width, self.height) == (other.width, other.height) and np.array_equal(self.pixels, other.pixels)


ImageSource: TypeAlias = "Source | np.ndarray | Image.Image | LoadedImage"
"""Types that `open_image` accepts."""


def open_image(source: ImageSource, max_side: int = MAX_SIDE) -> LoadedImage:
    """Load an image: the first frame of a file, or pixels in memory.

    Files may be JPEG (or MPO), PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF; the content decides. EXIF orientation is
    applied, transparency becomes white, and colour profiles are not applied.

    Args:
        source: Path, bytes of a file, binary file object, NumPy array (uint8: (H, W, 3) RGB or (H, W) grey), PIL image, or an
            image loaded before, which is returned as it is.
        max_side: Longer side in pixels beyond which the image is scaled down: JPEG files to between 7/8 of it and all of it,
            everything else to exactly it.

    Returns:
        The image, with the size that it had before scaling.

    Raises:
        ImageError: The image cannot be used; a malformed file raises nothing else.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type, or an array is not uint8.
        ValueError: The array has another shape, or `max_side` is below 1.

    Example:
        >>> from emotions import open_image
        >>> image = open_image("tests/data/astronaut.jpg", max_side=200)
        >>> image.width, image.height, image.pixels.shape
        (400, 400, (200, 200, 3))
    """
    if max_side < 1:
        raise ValueError(f"max_side must be at least 1, not {max_side}")
    if isinstance(source, LoadedImage):
        return source
    suppress_warnings()
    if isinstance(source, np.ndarray):
        return _from_array(source, max_side)
    if isinstance(source, Image.Image):
        return _from_pil(source, max_side)
    return _from_file(source, max_side)


def estimate(plan: DecodePlan, max_side: int) -> int:
    """Estimate the bytes of a decode: at the decoder's peak, or while rows are converted, or while the result is turned."""
    shape = _fit(plan.decoded, max_side)
    result = 3 * shape[0] * shape[1]
    bands = band_bytes(plan.mode, plan.decoded, shape)
    return max(plan.peak, plan.held + result + max(bands, result)) + OVERHEAD


def _from_file(source: Source, max_side: int) -> LoadedImage:
    data = _read(source)
    started = time.perf_counter()
    plan = plan_decode(data, max_side)
    planned = time.perf_counter()
    with ExitStack() as stack:
        try:
            stack.enter_context(reserve(estimate(plan, max_side)))
        except MemoryBudgetError as error:
            raise _without_memory(error) from None
        waited = time.perf_counter() - planned
        with decoder_errors(plan.format):
            pixels = resize(plan.load(), plan.decoded, _fit(plan.decoded, max_side))
            pixels, swapped = apply_exif_orientation(pixels, plan.orientation())
    width, height = plan.size[::-1] if swapped else plan.size
    return LoadedImage(pixels, width, height, (time.perf_counter() - started - waited) * 1000)


def _from_array(array: np.ndarray, max_side: int) -> LoadedImage:
    if array.dtype != np.uint8:
        raise TypeError(f"expected an array of uint8 (0 to 255), not {array.dtype}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"expected an array of shape (H, W, 3), RGB, or (H, W), grey, not {array.shape}")
    started = time.perf_counter()
    height, width = array.shape[:2]
    check_size(width, height)
    pixels = resize(lambda first, last: Image.fromarray(array[first:last]), (width, height), _fit((width, height), max_side))
    return LoadedImage(pixels, width, height, (time.perf_counter() - started) * 1000)


def _from_pil(image: Image.Image, max_side: int) -> LoadedImage:
    started = time.perf_counter()
    check_size(*image.size)

    def rows(first: int, last: int) -> Image.Image:
        return image.crop((0, first, image.width, last))

    with decoder_errors(image.format or image.mode):
        image.load()
        pixels = resize(rows, image.size, _fit(image.size, max_side))
        pixels, swapped = apply_exif_orientation(pixels, pil_orientation(image))
    width, height = image.size[::-1] if swapped else image.size
    return LoadedImage(pixels, width, height, (time.perf_counter() - started) * 1000)


def _read(source: Source) -> bytes:
    limits = get_limits()
    with open_source(source, ACCEPTED) as file:
        size = size_of(file)
        if size > limits.file_bytes:
            raise ImageError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {limits.file_mb:g} MB.")
        if size == 0:
            raise ImageError("empty_file", "This file is empty.")
        return file.read()


def _without_memory(error: MemoryBudgetError) -> ImageError:
    if error.code == "busy":
        return ImageError("busy", "Other pictures are being decoded; try again in a moment.")
    return ImageError(error.code, f"{error} Save the picture smaller.")


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    factor = min(1.0, max_side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encode_jpeg(pixels: np.ndarray, quality: int = 85) -> bytes:
    """Encode pixels as JPEG, without metadata.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        quality: JPEG quality, 1 to 100.

    Returns:
        The bytes of the file.

    Raises:
        ValueError: The array has another shape or type, or an image of this size cannot be encoded.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode an image of {pixels.shape[1]} x {pixels.shape[0]} pixels as JPEG")
    return encoded.tobytes()


def data_uri(jpeg: bytes) -> str:
    """Encode a JPEG file as a `data:` URI, to be embedded in a page or a JSON response."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
