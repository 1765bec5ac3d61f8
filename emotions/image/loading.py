"""Bytes in, an upright RGB picture out: the limits, the memory budget, and one error with a code."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .conversion import shrink, turn
from .decoders import Plan, plan
from .formats import MAX_PIXELS, ImageError, decoder_errors, quiet

__all__ = ["MAX_FILE", "MAX_PIXELS", "ImageError", "Picture", "encode_jpeg", "open_image", "set_decode_budget"]

MB = 2**20
MAX_FILE = 32 * MB
"""Bytes of a file: App Engine takes no larger request."""
DECODE_MB = 120
"""Default budget: 384 MB of App Engine's F1, less 130 for the process and its models, and what is uploaded and drawn."""
PATIENCE = 60.0
"""Seconds to wait for memory: on a third of a core (F1), a few of the largest pictures pass in turn in that time."""
OVERHEAD = 4 * MB
"""Bytes of a decoder's tables, its threads' stacks and a band of rows, whatever the size of the picture."""


@dataclass(frozen=True)
class Picture:
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
        return self.width / self.pixels.shape[1]


class Budget:
    """Bytes shared by all threads of the process. Whoever asks first is served first, so that large pictures get their turn."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int, patience: float = PATIENCE) -> Iterator[None]:
        """Hold `amount` bytes. ImageError `too_much_memory` at once if they never fit, `busy` after `patience` seconds."""
        if amount > self.limit:
            need, limit = f"{amount / MB:.0f} MB", f"the limit is {self.limit / MB:.0f} MB"
            raise ImageError("too_much_memory", f"Decoding this picture would take {need} of memory; {limit}. Save it smaller.")
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                if not self._changed.wait_for(lambda: self._fits(ticket, amount), patience):
                    raise ImageError("busy", "Other pictures are being decoded; try again in a moment.")
                self.used += amount
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.used -= amount
                self._changed.notify_all()

    def _fits(self, ticket: object, amount: int) -> bool:
        return self._queue[0] is ticket and self.used + amount <= self.limit


_budget = Budget(DECODE_MB * MB)


def set_decode_budget(megabytes: float) -> None:
    """Let all decoding of this process together take `megabytes` (of 2**20 bytes); for start-up, before pictures come."""
    if megabytes <= 0:
        raise ValueError(f"the decoding budget must be positive, not {megabytes}")
    _budget.limit = int(megabytes * MB)


def reserve(amount: int) -> AbstractContextManager[None]:
    """Hold `amount` bytes of the same budget, for decoders elsewhere (film.py). Raises ImageError as `open_image` does."""
    return _budget.take(amount)


def open_image(source: bytes | Path, max_side: int = 2048) -> Picture:
    """Decode a JPEG (or MPO), PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF, its first frame, turned upright by EXIF.

    A picture whose longer side exceeds `max_side` pixels comes smaller: JPEG to between 7/8 of it and all of it, the
    others to exactly it. Colour profiles are not applied. Raises ImageError; nothing else comes out of a bad file.
    """
    if max_side < 1:
        raise ValueError(f"max_side must be at least 1, not {max_side}")
    data = _read(source)
    started = time.perf_counter()
    with quiet():
        header = plan(data, max_side)
        planned = time.perf_counter()
        with _budget.take(estimate(header, max_side)), decoder_errors(header.format):
            waited = time.perf_counter() - planned
            pixels = shrink(header.load(), header.decoded, _fit(header.decoded, max_side))
            pixels, turned = turn(pixels, header.orientation())
    width, height = header.size[::-1] if turned else header.size
    return Picture(pixels, width, height, (time.perf_counter() - started - waited) * 1000)


def estimate(header: Plan, max_side: int) -> int:
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
