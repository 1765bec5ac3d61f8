"""JPEG: segments of the file, memory of a decode, and files without an end marker or without most of their pixels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from PIL import Image

from ...errors import ImageError
from ..conversion import BAND_PIXELS, Rows
from ..formats import check_size
from .metadata import orientation
from .pieces import Span, add_span, open_pieces
from .plans import MAX_SAMPLES, DecodePlan, image_rows, is_plain, native_bytes, open_pillow

MIN_DRAFT = 7 / 8
"""A JPEG is drafted to 1/2, 1/4 or 1/8 as long as its longer side keeps this share of `max_side`: a 4,032-pixel photo is
then decoded at exactly one half, without resizing, and no image loses more than an eighth of the detail asked for."""
MAX_SCANS = 100
"""Scans that a JPEG may have: encoders write about ten, and each costs a pass over the image ("JPEG scan bomb")."""
MAX_SEGMENTS = 4096
"""Segments before the first scan, beside one for each kilobyte; cameras write up to some hundreds, of 64 kB each."""
MAX_TABLES = 2**18
"""Bytes of tables before the first scan; an encoder needs less than two thousand."""
GRAY = 127, 128
"""Values of all channels where there is no data."""
END = b"\xff\xd9"
NO_END = bytes(8)
"""Follows a file without end marker: the decoder looks that far ahead, and fills in what is missing only at a marker."""
FILLER = bytes(range(1, 201))
"""Compressed data that is not gray."""
RESTARTS = b"".join(FILLER + bytes((0xFF, 0xD0 + number)) for number in range(8))
"""The same with all restart markers, which a decoder waits for in a scan that has them; after a scan it skips them."""
ROW_FILLERS = 1 / 2
"""Times that it is repeated for each pixel of the width: 100 bytes, more than a row of blocks takes."""

START_OF_SCAN = 0xDA
STANDALONE = {0x01, *range(0xD0, 0xDA)}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
COLOR = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Application segments that decide on the colors, and how they begin."""
METADATA = {*range(0xE0, 0xF0), 0xFE}

_MARKER = re.compile(rb"\xff([^\x00\xff])")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass
class Header:
    """Segments of a JPEG before its first scan.

    Attributes:
        spans: What the decoder needs of them.
        scan: Offset of the first scan's marker.
        components: Numbers of the components.
        progressive: True if the coefficients of a component come in several scans.
        buffered: True if the coefficients of the whole image are buffered before the first row: progressive files, and those
            with a scan per component.
        exif: EXIF block, None without one.
        xmp: XMP packet, None without one.
    """

    spans: list[Span] = field(default_factory=lambda: [(0, 2)])
    scan: int = 0
    components: bytes = b""
    progressive: bool = False
    buffered: bool = False
    exif: bytes | None = None
    xmp: bytes | None = None


def read_header(data: bytes) -> Header:
    """Read the segments before the first scan.

    Raises:
        ImageError: The file is cut off, or has too many segments.
    """
    header, position, tables, colors = Header(), 2, 0, set[int]()
    for _ in range(MAX_SEGMENTS + len(data) // 1024):
        match = _MARKER.search(data, position)
        if match is None:
            raise ImageError("truncated_image", "This JPEG ends before its first scan.")
        start, code = match.start(), match[1][0]
        if code in STANDALONE:
            position = start + 2
            continue
        if code == START_OF_SCAN:
            header.scan = start
            header.buffered |= data[start + 4] < len(header.components)
            return header
        position = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if code == 0xE1 and data.startswith(b"Exif\0\0", start + 4):
            header.exif = header.exif or data[start + 4 : position]
        elif code == 0xE1 and data.startswith(b"http://ns.adobe.com/xap/1.0/\0", start + 4):
            header.xmp = data[start + 33 : position]
        elif code not in METADATA or _is_color(data, start, code) and code not in colors:
            colors.add(code)
            add_span(header.spans, start, position)
            tables += position - start
        if code in FRAMES:
            header.components = data[start + 10 : start + 10 + 3 * data[start + 9] : 3]
            header.progressive |= code in PROGRESSIVE
            header.buffered |= header.progressive
        if tables > MAX_TABLES:
            break
    raise _too_many(f"{MAX_SEGMENTS + len(data) // 1024} segments or {MAX_TABLES} bytes of tables")


def has_all_scans(data: bytes, header: Header) -> bool:
    """Return True if a buffered JPEG has all scans that its pixels need, the last one complete or not.

    The scans of a progressive JPEG give ranges of the 64 coefficients of a block, each at last down to its lowest bit (ISO/IEC
    10918-1, G.1); otherwise a component has one scan.

    Raises:
        ImageError: There are too many segments between them.
    """
    needed = {(component, number) for component in header.components for number in range(64 if header.progressive else 1)}
    position = header.scan
    for _ in range(MAX_SEGMENTS):
        match = _END_OF_SCAN.search(data, position)
        if match is None or not needed:
            return not needed
        start = match.start()
        position = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if data[start + 1] == START_OF_SCAN and position <= len(data):
            end = start + 5 + 2 * data[start + 4]
            first, last, bits = data[end : end + 3] if header.progressive else (0, 0, 0)
            if not bits & 15:
                needed -= {(one, number) for one in data[start + 5 : end : 2] for number in range(first, last + 1)}
    raise _too_many(f"{MAX_SEGMENTS} segments")


def _is_color(data: bytes, start: int, code: int) -> bool:
    return code in COLOR and data.startswith(COLOR[code], start + 4)


def _too_many(limit: str) -> ImageError:
    return ImageError("unsupported_image", f"This JPEG has more than {limit}.")


def plan_jpeg(data: bytes, max_side: int) -> DecodePlan:
    """Plan the decode of a JPEG, drafted towards `max_side`."""
    header = read_header(data)
    if header.buffered and data.count(b"\xff\xda") > MAX_SCANS:
        raise _too_many(f"{MAX_SCANS} scans")
    end, tail = len(data), b""
    if data.rfind(END, header.scan) < 0:
        if header.buffered and not has_all_scans(data, header):
            raise ImageError("truncated_image", "This JPEG is cut off before the last of its scans.")
        end, tail = _end_of_data(data), NO_END + END if header.buffered else NO_END
    image, size = _open(data, [*header.spans, (header.scan, end), tail], max_side)
    layers = [(across, down) for _, across, down, _ in image.layer]
    native = native_bytes(image.mode, image.size)

    def load() -> Rows:
        image.load()
        check = _load_without_end if tail and header.buffered else _load_complete
        return image_rows(check(image, reopen))

    def reopen() -> Any:
        """Open the file with other data where those of the first scan end, or those of the last one where its end is missing."""
        filler, at, last = FILLER * (1 + int(ROW_FILLERS * size[0])), end, RESTARTS + END
        if not (tail and header.buffered):
            scan = _END_OF_SCAN.search(data, header.scan + 2)
            at, last = scan.start() if scan else end, tail
        return _open(data, [*header.spans, (header.scan, at), filler, (at, end), last], max_side)[0]

    return DecodePlan(
        "JPEG", size, image.size, native + _working_bytes(size, layers, header.buffered), native, image.mode, load,
        lambda: orientation(header.exif, header.xmp),
    )  # fmt: skip


def _end_of_data(data: bytes) -> int:
    """Return where a file without end marker ends, without the first byte of one."""
    tail = data[-16:]
    return len(data) - len(tail) + len(tail.rstrip(b"\xff"))


def _open(data: bytes, pieces: Sequence[Span | bytes], max_side: int) -> tuple[Any, tuple[int, int]]:
    """Open and draft a JPEG; return it and its full size."""
    image: Any = open_pillow("JPEG", open_pieces(data, [piece for piece in pieces if piece]))
    size = image.size
    check_size(*size)
    scale = max((s for s in (1, 2, 4, 8) if max(size) / s >= MIN_DRAFT * max_side), default=1)
    if scale > 1:
        image.draft(None, (max(1, size[0] // scale), max(1, size[1] // scale)))
    return image, size


def _working_bytes(size: tuple[int, int], layers: list[tuple[int, int]], buffered: bool) -> int:
    """Bytes of libjpeg's rows of blocks and, where it buffers them, of all coefficients at full size."""
    width, height = size
    widest, tallest = max(across for across, _ in layers), max(down for _, down in layers)
    rows = width * (10 * sum(down for _, down in layers) + 4 * tallest + 8 + int(ROW_FILLERS * len(FILLER)))
    blocks = -(-width // (8 * widest)) * -(-height // (8 * tallest)) * sum(across * down for across, down in layers)
    return rows + blocks * 64 * 2 * buffered


def _load_without_end(image: Any, reopen: Callable[[], Any]) -> Image.Image:
    """Check that the last scan of a decoded image is complete; the decoder fills in what it lacks.

    Whether it lacks anything is seen by other data in this place: where the scan is complete, they change nothing.
    """
    checksum = _checksum(image)
    image.close()  # its pixels would double the memory
    image = reopen()
    image.load()
    if _checksum(image) != checksum:
        raise ImageError("truncated_image", "The last scan of this JPEG is cut off.")
    return image  # type: ignore[no-any-return]


def _checksum(image: Image.Image) -> int:
    """Checksum of the pixels, by parts: a copy of all would double the memory."""
    total, step = 0, max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        total = crc32(image.crop((0, top, image.width, min(top + step, image.height))).tobytes(), total)
    return total


def _load_complete(image: Any, reopen: Callable[[], Any]) -> Image.Image:
    """Reject a decoded image that is gray from the middle to the end because its data ends there.

    Whether it does is seen by other data in this place: where the pixels are complete, it changes nothing.
    """
    height = image.height
    if not all(is_plain(image, row, *GRAY) for row in (height // 2, height - 1)):
        return image  # type: ignore[no-any-return]
    step = -(-height // MAX_SAMPLES)
    first = next((row + 1 for row in range(height - 1, -1, -step) if not is_plain(image, row, *GRAY)), 0)
    if first > height // 2:
        return image  # type: ignore[no-any-return]
    image.close()  # its pixels would double the memory
    image = reopen()
    image.load()
    if not all(is_plain(image, row, *GRAY) for row in range(height - 1, first - 1, -step)):
        raise ImageError("truncated_image", "More than half of the rows of this JPEG are missing.")
    return image  # type: ignore[no-any-return]
