"""Tags of a TIFF: those of the first image that decide on its pixels, and a directory of them for decoders."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ...errors import ImageError

TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Types of numbers: codes of `struct`."""
TYPE_BYTES = {5: 8, 7: 1, 2: 1, 10: 8, 11: 4, 12: 8}
"""Bytes of a value of the other types."""
MAX_TAGS = 4096
"""Tags of a directory; a few dozen are usual."""
MAX_VALUES = 2**18
"""Numbers of a tag. The longest tags are the offsets of the strips or tiles: one for each row and channel at most."""
NEEDED = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347,
          *range(512, 522), 530, 532}  # fmt: skip
"""Tags that decide on the pixels."""
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 266, 273, 274
SAMPLES, STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR, COLORS, TILE_WIDTH, TILE_HEIGHT = 277, 278, 279, 284, 317, 320, 322, 323
TILE_OFFSETS, TILE_BYTES, INK_SET, EXTRA, FORMAT, SUBSAMPLING, REFERENCE = 324, 325, 332, 338, 339, 530, 532
DEFAULTS = {
    COMPRESSION: 1, FILL_ORDER: 1, ORIENTATION: 1, SAMPLES: 1, PLANAR: 1, PREDICTOR: 1, BITS: 1, FORMAT: 1, INK_SET: 1,
}  # fmt: skip


@dataclass
class Tags:
    """Tags of an image that are needed.

    Attributes:
        order: Byte order as `struct` has it.
        values: Tag -> its type and its numbers, or its bytes where its type is none of TYPES.
        stored: Bytes of all values.
    """

    order: str
    values: dict[int, tuple[int, tuple[int, ...] | bytes]] = field(default_factory=dict)
    stored: int = 0

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the numbers of a tag, () where there are none."""
        values = self.values.get(tag, (0, ()))[1]
        return values if isinstance(values, tuple) else ()

    def number(self, tag: int, default: int | None = None) -> int:
        """Return the first number of a tag. Raises ImageError where it is missing and has no default."""
        values = self.numbers(tag)
        if values:
            return values[0]
        found = DEFAULTS.get(tag, default)
        if found is None:
            raise ImageError("truncated_image", f"This TIFF is damaged: its tag {tag} is missing.")
        return found

    def directory(self, start: int) -> bytes:
        """Return these tags as a directory that is stored at `start`."""
        entries, tail = b"", b""
        after = start + 6 + 12 * len(self.values)
        for tag, (kind, values) in sorted(self.values.items()):
            kind = {16: 4, 18: 4, 13: 4}.get(kind, kind)
            if isinstance(values, bytes):
                count, body = len(values) // TYPE_BYTES[kind], values
            else:
                count, body = len(values), struct.pack(f"{self.order}{len(values)}{TYPES[kind]}", *values)
            if len(body) > 4:
                body, tail = struct.pack(self.order + "I", after + len(tail)), tail + body + bytes(len(body) % 2)
            entries += struct.pack(self.order + "HHI", tag, kind, count) + body.ljust(4, b"\0")
        return struct.pack(self.order + "H", len(self.values)) + entries + bytes(4) + tail


def read_tags(data: bytes) -> Tags:
    """Read the tags of the first image that are needed.

    Raises:
        ImageError: There are too many tags or values, or they hold more than the file.
    """
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    offset_form, count_form, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    short = struct.calcsize(offset_form)
    tags, (start,) = Tags(order), struct.unpack_from(order + offset_form, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + count_form, data, start)
    if count > MAX_TAGS:
        raise ImageError("unsupported_image", f"This TIFF has more than {MAX_TAGS} tags.")
    first = start + struct.calcsize(count_form)
    for at in range(first, min(first + count * entry, len(data) - entry + 1), entry):
        tag, kind, values = struct.unpack_from(f"{order}HH{offset_form}", data, at)
        if tag not in NEEDED or tag in tags.values or not (kind in TYPES or kind in TYPE_BYTES):
            continue
        if values > MAX_VALUES:
            raise ImageError("unsupported_image", f"This TIFF has a tag of more than {MAX_VALUES} values.")
        size = values * (struct.calcsize("=" + TYPES[kind]) if kind in TYPES else TYPE_BYTES[kind])
        place = at + entry - short
        if size > short:
            (place,) = struct.unpack_from(order + offset_form, data, place)
            tags.stored += size
        if tags.stored > len(data) or place + size > len(data):
            raise ImageError("truncated_image", "This TIFF is damaged: its tags hold more than the file.")
        body = data[place : place + size]
        tags.values[tag] = kind, struct.unpack(f"{order}{values}{TYPES[kind]}", body) if kind in TYPES else body
    return tags
