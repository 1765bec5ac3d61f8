"""Frames of animated GIF, PNG and WebP pictures, decoded by Pillow one at a time within the memory for decoding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

from PIL import Image

from ...errors import ImageError, MemoryBudgetError, VideoError
from ...image.codecs.metadata import orientation
from ...image.codecs.pieces import open_pieces
from ...image.codecs.plans import image_rows, open_pillow
from ...image.conversion import apply_exif_orientation, band_bytes, resize
from ...image.formats import decoder_errors, suppress_warnings
from ...image.loading import LoadedImage
from ...runtime.limits import get_limits
from ...runtime.memory import MB, reserve
from ...runtime.time_budget import check_time
from ...sources import size_of
from ..decoders import without_memory
from .animations import read_outline

PIXEL_BYTES = {"GIF": 24, "PNG": 32, "WEBP": 24}
"""Memory for a pixel: the frame, the one before, what is to be restored, and copies while one is put over the other."""
OVERHEAD = 4 * MB


class Animation:
    """An animated picture: its frames can be read once.

    While it is open it reserves its part of the memory for decoding.

    Args:
        file: The file, seekable.
        kind: "GIF", "PNG" or "WEBP".
        max_side: Longer side in pixels of the images.
        further_bytes: Memory for what the caller makes of the frames.
        stack: Where the reservation is to end.

    Attributes:
        seconds: Duration of each frame.
        reason: "cut_off" or "damaged" if this is not the whole animation, else None.

    Raises:
        VideoError: It is no animation, too large, or takes too much memory.
    """

    def __init__(self, file: BinaryIO, kind: str, max_side: int, further_bytes: int, stack: ExitStack) -> None:
        """Read the blocks of the file and reserve memory; nothing is decoded yet."""
        limits, size = get_limits(), size_of(file)
        if size > limits.file_bytes:
            raise VideoError("file_too_large", f"This file has {size / MB:.0f} MB; the limit is {limits.file_mb:g} MB.")
        self._kind, self._data = kind, file.read()
        outline = read_outline(kind, self._data)
        self.seconds, self._skipped, self._pieces = outline.seconds, outline.skipped, outline.pieces
        self._orientation = orientation(outline.exif, outline.xmp)
        self.reason = None if outline.is_complete else "cut_off"
        self._size = width, height = outline.size
        if width * height > limits.frame_megapixels * 1e6:
            detail = f"Its frames have {width} x {height} pixels; the limit is {limits.frame_megapixels:g} megapixels."
            raise VideoError("too_many_pixels", detail)
        if width < 1 or height < 1 or not self.seconds:
            raise VideoError("truncated_video", "This animated picture is cut off or damaged.")
        scale = min(1.0, max_side / max(width, height))
        self._shape = max(1, round(width * scale)), max(1, round(height * scale))
        bands = band_bytes("RGBA", self._size, self._shape)
        result = 2 * 3 * self._shape[0] * self._shape[1]
        try:
            stack.enter_context(reserve(size + PIXEL_BYTES[kind] * width * height + bands + result + OVERHEAD + further_bytes))
        except MemoryBudgetError as error:
            raise without_memory(error) from None

    def frames(self) -> Iterator[tuple[float, float, Image.Image]]:
        """Yield the seconds at which each frame appears and is replaced, and the frame, whose pixels the next one changes.

        They end, with a `reason`, where one cannot be decoded.
        """
        suppress_warnings()
        until = 0.0
        try:
            with decoder_errors(self._kind):
                picture = open_pillow(self._kind, open_pieces(self._data, self._pieces))
                if picture.width > self._size[0] or picture.height > self._size[1]:
                    raise ImageError("truncated_image", "Its sizes contradict each other.")
            for number, seconds in enumerate(self.seconds):
                check_time()
                with decoder_errors(self._kind):
                    picture.seek(number + self._skipped)
                    picture.load()
                start, until = until, until + seconds
                yield start, until, picture
        except ImageError:
            self.reason = self.reason or "damaged"

    def to_image(self, picture: Image.Image) -> LoadedImage:
        """Convert a frame to an upright image. Raises ImageError where that fails."""
        started = time.perf_counter()
        with decoder_errors(self._kind):
            if picture.size != self._size:
                raise ImageError("truncated_image", "Its sizes contradict each other.")
            pixels = resize(image_rows(picture), self._size, self._shape)
        pixels, is_turned = apply_exif_orientation(pixels, self._orientation)
        width, height = self._size[::-1] if is_turned else self._size
        return LoadedImage(pixels, width, height, (time.perf_counter() - started) * 1e3)
