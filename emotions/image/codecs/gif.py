"""GIF: blocks of the file before its first image, and the decode of that image."""

from __future__ import annotations

import struct

from ...errors import ImageError
from ..conversion import Rows
from ..formats import check_size
from .pieces import Span, add_span, open_pieces
from .plans import DecodePlan, image_rows, load_complete, native_bytes, open_pillow

MAX_BLOCKS = 100_000
"""Blocks of comments and other extensions before the first image: 25 MB of full ones."""
EXTENSION, GRAPHIC_CONTROL, IMAGE = 0x21, 0xF9, 0x2C


def read_blocks(data: bytes) -> list[Span]:
    """Return what the decoder needs: header, palette, transparency, and everything from the first image on.

    Pillow walks over comments byte by byte, in quadratic time; and it allocates the canvas and the first image while it opens the
    file, hence their sizes are checked here.

    Raises:
        ImageError: The file is cut off, too large, or has too many blocks.
    """
    width, height, flags = struct.unpack("<HHB", data[6:11])
    check_size(width, height)
    start = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    spans, blocks = [(0, start)], 0
    while data[start] == EXTENSION:
        kind, first = data[start + 1], start
        start += 2
        while blocks <= MAX_BLOCKS and data[start]:  # blocks of up to 255 bytes, closed by an empty one
            start += data[start] + 1
            blocks += 1
        start += 1
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise ImageError("unsupported_image", f"This GIF has more than {MAX_BLOCKS} blocks before its image.")
        if kind == GRAPHIC_CONTROL:
            add_span(spans, first, start)
    if data[start] == IMAGE:
        left, top, across, down = struct.unpack("<4H", data[start + 1 : start + 9])
        check_size(max(width, left + across), max(height, top + down))
    return [*spans, (start, len(data))]


def plan_gif(data: bytes) -> DecodePlan:
    """Plan the decode of the first image of a GIF."""
    spans = read_blocks(data)
    image = open_pillow("GIF", open_pieces(data, spans))
    native, pixels = native_bytes(image.mode, image.size), image.width * image.height

    def load() -> Rows:
        return image_rows(load_complete(image, lambda: open_pillow("GIF", open_pieces(data, spans))))

    # Pillow allocates the area for the disposal of the image at once.
    return DecodePlan("GIF", image.size, image.size, native + pixels, native, image.mode, load, lambda: 1)
