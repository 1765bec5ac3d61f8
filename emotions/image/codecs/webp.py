"""WebP: chunks of the file and the decode of its first image."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np

from ...errors import ImageError
from ..conversion import Rows
from ..formats import check_parts, check_size
from .metadata import MAX_TEXT, orientation
from .plans import DecodePlan, image_rows, open_pillow, raw_rows

ANIMATED, ALPHA = 0x02, 0x10
"""Flags of the chunk VP8X."""


@dataclass
class Chunks:
    """Chunks of a WebP.

    Attributes:
        size: (width, height).
        animated: True for an animation.
        alpha: True if there is a transparency channel.
        lossy: True without lossless parts.
        metadata: Bytes of all chunks that are no image.
        count: Number of chunks.
        exif: EXIF block, None without one.
        xmp: XMP packet, None without one.
    """

    size: tuple[int, int] | None = None
    animated: bool = False
    alpha: bool = False
    lossy: bool = True
    metadata: int = 0
    count: int = 0
    exif: bytes | None = None
    xmp: bytes | None = None


def read_chunks(data: bytes) -> Chunks:
    """Read the chunks of a WebP.

    Raises:
        ImageError: There are too many, or none has an image.
    """
    chunks, position = Chunks(lossy=b"VP8L" not in data), 12
    while position + 8 <= len(data):
        chunks.count += 1
        check_parts("WEBP", chunks.count, data)
        kind, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        if kind == b"VP8X":
            chunks.alpha, chunks.animated = bool(data[start] & ALPHA), bool(data[start] & ANIMATED)
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (start + 4, start + 7))
            chunks.size = width, height
        elif kind == b"VP8 ":
            words = int.from_bytes(data[start + 6 : start + 10], "little")
            chunks.size = chunks.size or (words & 0x3FFF, words >> 16 & 0x3FFF)
        elif kind == b"VP8L":
            bits = int.from_bytes(data[start + 1 : start + 5], "little")
            chunks.alpha |= bool(bits >> 28 & 1)
            chunks.size = chunks.size or ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif kind not in (b"ANMF", b"ALPH"):
            chunks.metadata += length
        if kind == b"EXIF":
            chunks.exif = data[start : start + min(length, MAX_TEXT)]
        elif kind == b"XMP ":
            chunks.xmp = data[start : start + min(length, MAX_TEXT)]
        position = start + length + (length & 1)
    if chunks.size is None:
        raise ImageError("truncated_image", "This WEBP picture is damaged: it has no image.")
    return chunks


def plan_webp(data: bytes) -> DecodePlan:
    """Plan the decode of the first image of a WebP."""
    if int.from_bytes(data[4:8], "little") + 8 > len(data):  # it might still decode to a half-gray image
        raise ImageError("truncated_image", "This WEBP file is cut off: it ends before its own header says.")
    chunks = read_chunks(data)
    size = chunks.size or (0, 0)
    check_size(*size)
    pixels, mode = size[0] * size[1], "RGBA" if chunks.alpha else "RGB"

    def upright() -> int:
        return orientation(chunks.exif, chunks.xmp)

    if chunks.animated:  # two canvases, the image's bytes and Pillow's copy; only the first image is decoded
        extra = 2 * chunks.metadata + 200 * chunks.count
        return DecodePlan(
            "WEBP", size, size, 17 * pixels + extra, 16 * pixels + extra, mode, lambda: _load_animated(data, size), upright
        )

    def load() -> Rows:
        # OpenCV lets the same libwebp write straight into its array: half of the memory that Pillow takes.
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if array is None or array.ndim != 3 or array.shape[:2] != size[::-1]:
            raise ImageError("truncated_image", "This WEBP picture is cut off or damaged.")
        mode, raw = ("RGBA", "BGRA") if array.shape[2] == 4 else ("RGB", "BGR")
        return raw_rows(array, size[0], mode, raw, array.strides[0])

    peak = int((6.5 if chunks.lossy and not chunks.alpha else 9.6) * pixels) + 2 * chunks.metadata  # OpenCV copies the file
    return DecodePlan("WEBP", size, size, peak, 4 * pixels, mode, load, upright)


def _load_animated(data: bytes, size: tuple[int, int]) -> Rows:
    image = open_pillow("WEBP", BytesIO(data))
    if image.size != size:
        raise ImageError("truncated_image", "This WEBP picture is damaged: its sizes contradict each other.")
    image.load()
    return image_rows(image)
