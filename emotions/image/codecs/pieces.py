"""Files for decoders without what they do not need: metadata, comments and empty chunks cost them time and memory."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

BUFFER = 2**16
MAX_COPIED = 2**18
"""Bytes of a file that is copied rather than read piece by piece."""
Span = tuple[int, int]
"""Start and end of a piece of a file, in bytes."""


class Pieces(io.RawIOBase):
    """Pieces of a file as a file of its own, without a copy.

    Args:
        data: Bytes of the file.
        pieces: Spans of the file, or bytes in their place.
    """

    def __init__(self, data: bytes, pieces: Sequence[Span | bytes]) -> None:
        """Start at the beginning."""
        parts = (memoryview(piece) if isinstance(piece, bytes) else memoryview(data)[slice(*piece)] for piece in pieces)
        self._parts = [part for part in parts if len(part)]
        self._starts = list(accumulate(map(len, self._parts), initial=0))
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, and return it."""
        self._position = max(0, offset + (0, self._position, self._starts[-1])[whence])
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as a piece reaches; return the number of bytes, 0 at the end."""
        index = bisect_right(self._starts, self._position) - 1
        if index == len(self._parts):
            return 0
        first = self._position - self._starts[index]
        part = self._parts[index][first : first + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)


def open_pieces(data: bytes, pieces: Sequence[Span | bytes]) -> io.BufferedIOBase:
    """Open pieces of a file for reading. A small file is copied, which is faster; where nothing is left out, there is no need."""
    spans: list[Span] = []
    for piece in pieces:
        if not isinstance(piece, bytes):
            add_span(spans, *piece)
    if spans == [(0, len(data))] and not any(isinstance(piece, bytes) for piece in pieces):
        return io.BytesIO(data)
    if len(data) <= MAX_COPIED:
        return io.BytesIO(b"".join(piece if isinstance(piece, bytes) else data[slice(*piece)] for piece in pieces))
    return io.BufferedReader(Pieces(data, pieces), BUFFER)  # decoders read their headers byte by byte


def add_span(spans: list[Span], start: int, end: int) -> None:
    """Add a piece, as a part of the one before where it follows it at once."""
    if spans and spans[-1][1] == start:
        spans[-1] = spans[-1][0], end
    else:
        spans.append((start, end))
