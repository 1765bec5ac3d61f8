"""Bytes in, an upright RGB picture out: the limits, the memory budget, and one error with a code."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import ImageError
from ..runtime.memory import MB, reserve
from .conversion import apply_exif_orientation, resize
from .decoders import DecodePlan, plan_decode
from .formats import MAX_PIXELS, decoder_errors, suppress_warnings

__all__ = ["MAX_FILE", "MAX_PIXELS", "ImageError", "Picture", "encode_jpeg", "open_image"]

MAX_FILE = 32 * MB
"""Bytes of a file: App Engine takes no larger request."""
OVERHEAD = 4 * MB
"""Bytes of a decoder's tables, its threads' stacks and a band of rows, whatever the size of the picture."""


@dataclass(frozen=True)
class LoadedImage:
    """A decoded picture, upright.

    `pixels`: (H, W, 3) uint8 RGB, C-contiguous. `width`, `height`: of the full-size upright picture, at least W and H.
    `decode_ms`: milliseconds spent reading and decoding, without the wait for other pictures.
    """

    pixels: np.ndarray
    width: int
    height: int
    decode_ms: float

    @property
    def scale(self) -> float:
        """Pixels of the full-size picture for each pixel of `pixels`."""
        return float(self.width / self.pixels.shape[1])


def open_image(source: bytes | Path, max_side: int = 2048) -> LoadedImage:
    """Decode a JPEG (or MPO), PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF, its first frame, turned upright by EXIF.

    A picture whose longer side exceeds `max_side` pixels comes smaller: JPEG to between 7/8 of it and all of it, the
    others to exactly it. Colour profiles are not applied. Raises ImageError; nothing else comes out of a bad file.
    """
    if max_side < 1:
        raise ValueError(f"max_side must be at least 1, not {max_side}")
    data = _read(source)
    started = time.perf_counter()
    with suppress_warnings():
        header = plan_decode(data, max_side)
        planned = time.perf_counter()
        with reserve(estimate(header, max_side)), decoder_errors(header.format):
            waited = time.perf_counter() - planned
            pixels = resize(header.load(), header.decoded, _fit(header.decoded, max_side))
            pixels, turned = apply_exif_orientation(pixels, header.orientation())
    width, height = header.size[::-1] if turned else header.size
    return LoadedImage(pixels, width, height, (time.perf_counter() - started - waited) * 1000)


def estimate(header: DecodePlan, max_side: int) -> int:
    """Bytes that decoding will take: at the decoder's worst, or while the rows are copied out and turned (two results)."""
    width, height = _fit(header.decoded, max_side)
    return max(header.peak, header.held + 2 * 3 * width * height) + OVERHEAD


def _read(source: bytes | Path) -> bytes:
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size > MAX_FILE:
        raise ImageError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {MAX_FILE // MB} MB.")
    if size == 0:
        raise ImageError("empty_file", "This file is empty.")
    return source.read_bytes() if isinstance(source, Path) else bytes(source)


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    factor = min(1.0, max_side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encode_jpeg(pixels: np.ndarray, quality: int = 85) -> bytes:
    """(H, W, 3) uint8 RGB -> JPEG bytes, without metadata. ValueError for any other array."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode a picture of {pixels.shape[1]} x {pixels.shape[0]} pixels as JPEG")
    return encoded.tobytes()


def data_uri(jpeg: bytes) -> str:
    """JPEG bytes as the `data:` URI that goes inline into a page or an answer."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
