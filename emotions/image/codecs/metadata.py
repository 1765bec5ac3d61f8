"""Orientation in the metadata of an image.

Only this one value is read. General readers copy every value of an EXIF block, and values may overlap: 60 kB can claim 300 MB.
"""

from __future__ import annotations

import re
import struct
import zlib

from PIL import Image

ORIENTATION_TAG = 0x0112
MAX_TEXT = 2**20
"""Bytes of a block of metadata that are read, and decompressed."""
EXIF_TEXT, XMP_TEXT = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"
"""Keywords of text chunks of PNG that hold metadata."""
INTEGERS = {1: "B", 3: "H", 4: "I"}
"""TIFF types of an orientation: BYTE, SHORT, LONG."""

_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """Return the orientation (1..8, CIPA DC-008) that EXIF states, else XMP; 1 where it is missing or damaged.

    Args:
        exif: An EXIF block: a TIFF file, after `Exif` and two zero bytes or without them.
        xmp: An XMP packet.
    """
    value = _exif_value(exif) if exif else None
    if value is None and xmp and (match := _XMP.search(xmp)):
        value = int(match[1])
    return value or 1


def pil_orientation(image: Image.Image) -> int:
    """Return the orientation of a PIL image of the caller, 1 where it is missing or damaged."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:
        return 1


def png_metadata(data: bytes, kind: bytes, start: int, stop: int) -> tuple[bytes | None, bytes | None]:
    """Return the EXIF block and the XMP packet of a chunk of a PNG, None where it has none.

    Args:
        data: Bytes of the file.
        kind: Name of the chunk.
        start: Offset of its content.
        stop: Offset of the end of its content.
    """
    stop = min(stop, start + MAX_TEXT)
    if kind == b"eXIf":
        return data[start:stop], None
    if kind in (b"tEXt", b"zTXt") and data.startswith(EXIF_TEXT, start):
        return png_text_exif(data[start + len(EXIF_TEXT) : stop], kind == b"zTXt"), None
    if kind == b"iTXt" and data.startswith(XMP_TEXT, start):
        return None, png_text_xmp(data[start + len(XMP_TEXT) : stop])
    return None, None


def png_text_exif(chunk: bytes, compressed: bool) -> bytes | None:
    """Return the EXIF block of a PNG text chunk as ImageMagick writes it: hexadecimal, after a name and a length."""
    text = inflate(chunk[1:]) if compressed else chunk
    try:
        return bytes.fromhex("".join(text[:MAX_TEXT].decode("latin-1").split("\n")[3:]))
    except ValueError:
        return None


def png_text_xmp(chunk: bytes) -> bytes:
    """Return the XMP packet of an iTXt chunk, given what follows its keyword: two flags, two names and the text."""
    text = chunk[2:].split(b"\0", 2)[-1]
    return inflate(text) if chunk[:1] == b"\1" else text


def inflate(data: bytes) -> bytes:
    """Decompress the first MAX_TEXT bytes of a zlib stream; nothing of a damaged one."""
    try:
        return zlib.decompressobj().decompress(data, MAX_TEXT)
    except zlib.error:
        return b""


def _exif_value(exif: bytes) -> int | None:
    while exif[:6] == b"Exif\0\0":
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return None
    (start,) = struct.unpack_from(order + "I", exif, 4)
    entries = exif[start + 2 : start + 2 + 12 * int.from_bytes(exif[start : start + 2], "little" if order == "<" else "big")]
    found = None
    for tag, kind, _, value in struct.iter_unpack(order + "HHI4s", entries[: len(entries) // 12 * 12]):
        if tag == ORIENTATION_TAG and kind in INTEGERS:
            (found,) = struct.unpack_from(order + INTEGERS[kind], value)
    return found
