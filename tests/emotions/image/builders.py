"""Image files built byte by byte: chunks, segments and tags that no encoder writes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(kind: str, image: Image.Image, **options) -> bytes:
    """Encode an image; HEIC is called HEIF, as in pillow_heif."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(width: int = 64, height: int = 64, seed: int = 0) -> Image.Image:
    """Random colors without black, white and the gray of missing blocks."""
    return Image.fromarray(np.random.default_rng(seed).integers(30, 120, (height, width, 3), np.uint8))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(image: Image.Image, share: float = 1.0, before: bytes = b"", after: bytes = b"", size=None) -> bytes:
    """A PNG of an RGB, RGBA or L image with the first part of its rows, and further chunks before and after them."""
    pixels = np.atleast_3d(np.asarray(image))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    width, height = size or image.size
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[pixels.shape[2]], 0, 0, 0)
    data = png_chunk(b"IDAT", zlib.compress(rows[: int(len(rows) * share)], 1))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + data + after + png_chunk(b"IEND", b"")


def exif_bomb(entries: int = 5000, size: int = 60_000) -> bytes:
    """An EXIF block of 60 kB whose values overlap and sum up to 300 MB."""
    tags = b"".join(struct.pack("<HHII", 1000 + tag, 2, size, 0) for tag in range(entries))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, entries) + tags + bytes(4)


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"") -> bytes:
    """A TIFF with these tags (tag, type, count, value or offset)."""
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + bytes(4)
        + tail
    )


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks (kind, body)."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def bmp_runs(width: int, height: int, runs: bytes, bits: int = 8) -> bytes:
    """A BMP of run lengths with a palette whose blue is the index."""
    palette = b"".join(bytes((index, 255 - index, 7, 0)) for index in range(256 if bits == 8 else 16))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 1 if bits == 8 else 2, len(runs), 1, 1, len(palette) // 4, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + head + palette + runs
