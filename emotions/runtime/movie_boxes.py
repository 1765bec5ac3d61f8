"""Choice of the movie header of an MP4 or QuickTime file that has several, as some editors and recovery programs write."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

MAX_MOVIES = 100
"""Movie headers that are compared."""


def spare_movies(file: BinaryIO, size: int, count_samples: Callable[[bytes], int]) -> list[int]:
    """Find the movie headers that are not to be read: FFmpeg would take the first one, even where it is empty.

    Args:
        file: The file, seekable; its position changes.
        size: Its bytes.
        count_samples: Counts the samples in the bytes of a track.

    Returns:
        Offsets of the names of all boxes `moov` but of that with the most samples, the first of equals.
    """
    found: list[tuple[int, int]] = []
    start = 0
    while start + 8 <= size and len(found) < MAX_MOVIES:
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if length < 8:
            break
        if head[4:8] == b"moov":
            file.seek(start)
            tracks = file.read(min(length, size - start)).split(b"trak")[1:]
            found.append((sum(map(count_samples, tracks)), start + 4))
        start += length
    fullest = max(found, key=lambda movie: movie[0], default=(0, 0))
    return [place for samples, place in found if (samples, place) != fullest]
