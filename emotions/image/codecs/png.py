"""PNG: chunks of the file and the decode of its first image."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ...errors import ImageError
from ..conversion import Rows
from ..formats import MAX_PARTS, check_parts, check_size
from .metadata import orientation, png_metadata
from .pieces import Span, add_span, open_pieces
from .plans import DecodePlan, image_rows, load_complete, native_bytes, open_pillow

HEAD = struct.Struct(">I4s")
"""Length and kind of a chunk."""
NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
MAX_TABLE = 4096
"""Bytes of a palette or its transparency; 768 are the most that make sense."""


@dataclass
class Chunks:
    """Chunks of a PNG.

    Attributes:
        spans: What the decoder needs.
        exif: EXIF block, None without one.
        xmp: XMP packet, None without one.
    """

    spans: list[Span] = field(default_factory=lambda: [(0, 8)])
    exif: bytes | None = None
    xmp: bytes | None = None


def read_chunks(data: bytes) -> Chunks:
    """Read the chunks of a PNG, without the further frames of an animated one.

    Raises:
        ImageError: There are too many, or a table is too long.
    """
    chunks, position, count = Chunks(), 8, 0
    while position + 8 <= len(data):
        count += 1
        if count > MAX_PARTS:
            check_parts("PNG", count, data)
        length, kind = HEAD.unpack_from(data, position)
        body, end = position + 8, position + 12 + length
        if kind in NEEDED:
            if kind in (b"PLTE", b"tRNS") and length > MAX_TABLE:
                raise ImageError("truncated_image", f"This PNG is damaged: its palette has {length} bytes.")
            if length or kind != b"IDAT":
                add_span(chunks.spans, position, min(end, len(data)))
        else:
            exif, xmp = png_metadata(data, kind, body, end - 4)
            chunks.exif = exif if kind == b"eXIf" else chunks.exif or exif
            chunks.xmp = xmp or chunks.xmp
        position = end
        if kind == b"IEND":
            break
    return chunks


def plan_png(data: bytes) -> DecodePlan:
    """Plan the decode of a PNG."""
    chunks = read_chunks(data)
    image = open_pillow("PNG", open_pieces(data, chunks.spans))
    check_size(*image.size)
    native = native_bytes(image.mode, image.size)
    row = 8 * image.width  # the largest row, as it is inflated; the decoder holds two

    def load() -> Rows:
        return image_rows(load_complete(image, lambda: open_pillow("PNG", open_pieces(data, chunks.spans))))

    return DecodePlan(
        "PNG", image.size, image.size, native + 2 * row, native, image.mode, load, lambda: orientation(chunks.exif, chunks.xmp)
    )
