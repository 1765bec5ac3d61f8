"""Boxes of an ISO base media file (ISO/IEC 14496-12), the container of HEIC and AVIF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import ImageError
from ..formats import check_parts
from .pieces import Span

Box = tuple[bytes, int, int]
"""Type of a box, start and end of its content in bytes."""

MAX_ITEMS = 4096
"""Images, tiles and blocks of metadata in a file; a picture of 200 megapixels has about 800 tiles."""
MAX_DESCRIPTION = 8 * 2**20
"""Bytes that describe the items, without color profiles."""
MAX_PROFILES = 2**16
"""Bytes of color profiles that are left in a file; usual ones have some hundreds."""
MAX_SAMPLES = 100_000
"""Images of an animation; libraries set up a table of them."""
MAX_DEPTH = 8
"""Levels of boxes in boxes."""
TRACK = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
"""Boxes on the way to the tables of an animation's images."""


@dataclass
class Contents:
    """Contents of a file.

    Attributes:
        metadata: Bytes of metadata that a library copies.
        items: Parts of each item's data in the file.
        chunks: Offsets of the first image of each track of an animation.
        profiles: Content of the boxes with color profiles.
    """

    metadata: int = 0
    items: dict[int, list[Span]] = field(default_factory=dict)
    chunks: list[int] = field(default_factory=list)
    profiles: list[Span] = field(default_factory=list)


def read_contents(data: bytes) -> Contents:
    """Read what a HEIC or AVIF consists of.

    Raises:
        ImageError: The file is cut off, has too many items, or items share their data, of which each would be a copy.
    """
    contents = Contents()
    for kind, start, end in boxes(data, 0, len(data)):
        if end > len(data):
            raise ImageError("truncated_image", "This picture is cut off: it ends before its own header says.")
        if kind == b"meta":
            _read_meta(data, start + 4, end, contents)
        elif kind == b"moov":
            _read_track(data, start, end, contents, 0)
    return contents


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Read the boxes from `start` on; the last one may end after `end`.

    Raises:
        ImageError: There are too many, or one has an impossible size.
    """
    count = 0
    while start + 8 <= end:
        count += 1
        check_parts("HEIC or AVIF", count, data)
        size, kind, body = number(data, start, 4), data[start + 4 : start + 8], start + 8
        if size == 1:
            size, body = number(data, start + 8, 8), start + 16
        if size == 0:  # the last box, open-ended
            size = end - start
        if size < body - start:
            raise ImageError("truncated_image", "This picture is damaged: a part of it has an impossible size.")
        yield kind, body, start + size
        start += size


def number(data: bytes, at: int, size: int) -> int:
    """Read an unsigned number of `size` bytes."""
    return int.from_bytes(data[at : at + size], "big")


def _read_meta(data: bytes, start: int, end: int, contents: Contents) -> None:
    """Read the box that describes the items."""
    described, references = 0, list[tuple[int, int]]()
    found = list(boxes(data, start, end))
    inside = next((first for kind, first, _ in found if kind == b"idat"), 0)
    for kind, first, last in found:
        if kind != b"idat":
            described += last - first
        if kind == b"iprp":
            contents.profiles += _profiles(data, first, last)
        if kind == b"iinf" and number(data, first + 4, 4 if data[first] else 2) > MAX_ITEMS:
            raise _too_many(MAX_ITEMS)
        if kind == b"iloc":
            contents.items = _item_spans(data, first, inside)
        if kind == b"iref":
            wide = 4 if data[first] else 2
            for reference, at, _ in boxes(data, first + 4, last):
                if reference == b"cdsc":  # metadata describes images, and is copied for each of them
                    references.append((number(data, at, wide), number(data, at + wide, 2)))
    profiles = sum(last - first for first, last in contents.profiles)
    if described - profiles > MAX_DESCRIPTION:
        raise ImageError("unsupported_image", f"This picture has more than {MAX_DESCRIPTION // 2**20} MB of descriptions.")
    lengths = {item: sum(last - first for first, last in spans) for item, spans in contents.items.items()}
    contents.metadata = sum(lengths.get(item, 0) * count for item, count in references) + profiles
    if max(sum(lengths.values()), contents.metadata) > len(data):
        raise ImageError("truncated_image", "This picture is damaged: its parts hold more than the file.")


def _profiles(data: bytes, start: int, end: int) -> Iterator[Span]:
    for kind, first, last in boxes(data, start, end):
        if kind == b"ipco":
            for entry, at, stop in boxes(data, first, last):
                if entry == b"colr" and data[at : at + 4] in (b"prof", b"rICC"):
                    yield at, min(stop, last)


def without_profiles(data: bytes, contents: Contents) -> bytes:
    """Rename the type of the boxes with color profiles, which are not applied, so that libraries do not copy them for each image.

    Where they are small, the file is returned as it is.
    """
    if sum(last - first for first, last in contents.profiles) <= MAX_PROFILES:
        return data
    view, at, parts = memoryview(data), 0, list[bytes | memoryview]()
    for first, _ in sorted(contents.profiles):
        parts += view[at : first - 4], b"free"
        at = first
    return b"".join([*parts, view[at:]])


def _item_spans(data: bytes, at: int, inside: int) -> dict[int, list[Span]]:
    """Read where the data of each item is, from the box `iloc` with its content at `at` (8.11.3)."""
    version, sizes = data[at], number(data, at + 4, 2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide, items, parts = (4 if version == 2 else 2), dict[int, list[Span]](), 0
    at += 6
    count, at = number(data, at, wide), at + wide
    for _ in range(min(count, MAX_ITEMS + 1)):
        item, at = number(data, at, wide), at + wide
        in_meta = bool(version) and number(data, at, 2) & 15 == 1
        at += (2 if version else 0) + 2
        base, at = number(data, at, base_size), at + base_size
        extents, at = number(data, at, 2), at + 2
        parts += max(1, extents)
        if parts > MAX_ITEMS:
            raise _too_many(MAX_ITEMS)
        for _ in range(extents):
            at += index_size if version else 0
            start = base + number(data, at, offset_size) + (inside if in_meta else 0)
            at += offset_size
            items.setdefault(item, []).append((start, start + number(data, at, length_size)))
            at += length_size
    return items


def _read_track(data: bytes, start: int, end: int, contents: Contents, depth: int) -> None:
    """Read the tables of an animation's images."""
    for kind, first, last in boxes(data, start, min(end, len(data))):
        if kind in TRACK and depth < MAX_DEPTH:
            _read_track(data, first, last, contents, depth + 1)
        elif kind in (b"stco", b"co64"):
            contents.chunks.append(number(data, first + 8, 4 if kind == b"stco" else 8))
        elif kind == b"stsz" and number(data, first + 8, 4) > MAX_SAMPLES:
            raise _too_many(MAX_SAMPLES)


def _too_many(limit: int) -> ImageError:
    return ImageError("unsupported_image", f"This picture has more than {limit} parts.")
