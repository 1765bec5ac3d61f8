"""AVIF: the sizes in its AV1 streams, memory of a decode, and the decode."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from ...errors import ImageError
from ..conversion import Rows
from ..formats import check_size
from .isobmff import Contents, boxes, read_contents, without_profiles
from .metadata import pil_orientation
from .plans import DecodePlan, image_rows, open_pillow

BLOCK = 128
"""Pixels to whose multiples the sides of an AV1 image are padded."""
MAX_UNITS = 1000
"""Units (OBU) of a stream that are searched for sizes; an image has a handful, or one for each of its tiles."""
SEQUENCE_HEADER, TEMPORAL_DELIMITER = 1, 2


class Bits:
    """Reader of the bits of a stream, from the highest of each byte on. Raises IndexError past the end.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        """Start at the first bit."""
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        """Read an unsigned number of `count` bits."""
        self._left -= count
        if self._left < 0:
            raise IndexError("no more bits")
        return self._value >> self._left & ((1 << count) - 1)

    def skip_variable(self) -> None:
        """Skip a number of variable length."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        self.read(zeros)


def plan_avif(data: bytes) -> DecodePlan:
    """Plan the decode of the first image of an AVIF."""
    contents = read_contents(data)
    streams = list(stream_sizes(data, contents))
    for size in streams:
        check_size(*size)
    image = open_pillow("AVIF", BytesIO(without_profiles(_without_exif(data), contents)))
    check_size(*image.size)
    peak, held = _working_bytes(data, image.size, streams, len(image.mode))

    def load() -> Rows:
        image.load()
        return image_rows(image)

    extra = len(data) + 2 * contents.metadata  # the file without EXIF, and copies of metadata
    return DecodePlan(
        "AVIF", image.size, image.size, peak + extra, held + extra, image.mode, load, lambda: pil_orientation(image)
    )


def stream_sizes(data: bytes, contents: Contents) -> Iterator[tuple[int, int]]:
    """Read the sizes that AV1 streams state themselves: a decoder allocates these, whatever the boxes around them say.

    Yields:
        (width, height) of each sequence header.
    """
    view = memoryview(data)
    for spans in contents.items.values():
        parts = [view[slice(*span)] for span in spans]
        yield from _sequence_sizes(parts[0] if len(parts) == 1 else memoryview(b"".join(parts)))
    for start in contents.chunks:
        yield from _sequence_sizes(view[start:], first_image_only=True)


def sequence_size(body: bytes) -> tuple[int, int]:
    """Read the largest frame (width, height) of a sequence header (AV1 specification, 5.5.1)."""
    bits = Bits(body)
    bits.read(3)  # profile
    bits.read(1)  # still picture
    if bits.read(1):  # reduced header
        bits.read(5)
    else:
        delay = _skip_timing(bits)
        initial_delay = bits.read(1)
        for _ in range(bits.read(5) + 1):
            bits.read(12)
            if bits.read(5) > 7:  # level
                bits.read(1)
            if delay is not None and bits.read(1):
                bits.read(2 * delay + 1)
            if initial_delay and bits.read(1):
                bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_timing(bits: Bits) -> int | None:
    """Skip timing; return the bits of a delay where there is a decoder model."""
    if not bits.read(1):
        return None
    bits.read(64)
    if bits.read(1):
        bits.skip_variable()
    if not bits.read(1):
        return None
    delay = bits.read(5) + 1
    bits.read(32 + 10)
    return delay


def _sequence_sizes(stream: memoryview, first_image_only: bool = False) -> Iterator[tuple[int, int]]:
    """Read the sizes in a stream; nothing of a block of other data, which seldom looks like one."""
    at, delimiters = 0, 0
    for _ in range(MAX_UNITS):
        if at >= len(stream):
            return
        head = stream[at]
        kind, extended, sized = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
        at += 1 + extended
        size = len(stream) - at
        if sized:
            size, shift = 0, 0
            for byte in stream[at : at + 8]:
                size |= (byte & 127) << shift
                shift, at = shift + 7, at + 1
                if byte < 128:
                    break
        if head & 0x80 or size > len(stream) - at:
            return
        delimiters += kind == TEMPORAL_DELIMITER
        if first_image_only and delimiters > 1:
            return
        if kind == SEQUENCE_HEADER:
            try:
                yield sequence_size(bytes(stream[at : at + 256]))
            except IndexError:
                return
        at += size
    raise ImageError("unsupported_image", f"This AVIF has more than {MAX_UNITS} units in an image.")


def _without_exif(data: bytes) -> bytes:
    """Rename the type of EXIF items, so that Pillow skips them.

    The orientation stands in boxes of its own, and a damaged block would make Pillow fail, or take any amount of memory.
    """
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"meta" and b"Exif" in data[start:end]:
            return data[:start] + data[start:end].replace(b"Exif", b"free") + data[end:]
    return data


def _working_bytes(data: bytes, size: tuple[int, int], streams: list[tuple[int, int]], channels: int) -> tuple[int, int]:
    """(peak, held) bytes: libavif's planes, dav1d's own (measured: 1.7 times the planes), RGB, and Pillow's copy of it."""
    found = data.find(b"av1C")
    flags = data[found + 6] if found > 0 else 0x40
    samples = 1 if flags & 0x10 else 3 if not flags & 0x08 else 2 if not flags & 0x04 else 1.5
    planes = (samples + (channels == 4)) * (2 if flags & 0x40 else 1)
    pixels = size[0] * size[1]
    padded = BLOCK**2 * max(-(-width // BLOCK) * -(-height // BLOCK) for width, height in [size, *streams])
    return int(1.75 * planes * padded + (channels + 4) * pixels), int(1.75 * planes * padded + 4 * pixels)
