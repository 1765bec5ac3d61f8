"""Boxes of MP4 and QuickTime files (ISO/IEC 14496-12): what their sample tables state, and which movie header counts.

Files are read in pieces, and nothing is kept for a box: the memory for a scan does not depend on the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from .tag_headers import HeaderError
from .time_budget import check_time

MAX_MOVIES = 100
"""Movie headers that are compared."""
MAX_BOXES = 500_000
"""Boxes of an MP4 beside each other: fragments of a tenth of a second in ten hours make as many."""
MAX_TRACKS = 10_000
"""Tracks of all movie headers: films have fewer than a hundred, recordings that repeat their header two for each part."""
MAX_TABLES = 100_000
"""Tables and names of kinds in all tracks: a track has four to seven, and films have fewer than a hundred tracks."""
MAX_FRAGMENT_TABLES = 1_000_000
"""Fragments and their tables: fragments of a tenth of a second with sound make a million in nine hours."""
MAX_CHUNK_TABLES = 10
"""Tables of chunks in a track, each of which may reach to the track's end: a track has one."""
PIECE = 2**18
"""Bytes that are searched at once."""
ROWS = 2**13
"""Rows of a table of chunks that are examined at once."""
FIELDS = 20
"""Bytes from the beginning of a name to the end of the fields that are looked at."""
NAMES = re.compile(rb"stsz|stz2|stts|stsc|stco|co64|elst|trun|moof|moov|trak|soun|vide|cmov")


def boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, bytes, first 16 bytes) of the boxes beside each other; the last one may reach beyond the file.

    Args:
        file: The file, seekable; its position changes.
        size: Its bytes.

    Raises:
        HeaderError: There are more than MAX_BOXES.
        TimeBudgetError: The time budget is spent.
    """
    start = count = 0
    while start + 8 <= size:
        count += 1
        if count > MAX_BOXES:
            raise HeaderError(f"It has more than {MAX_BOXES:,} boxes")
        if count % 1000 == 0:
            check_time()
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if length < 8:  # 0: the last box, open-ended; else padding that is no box
            return
        yield start, length, head
        start += length


@dataclass
class _Track:
    """What follows the name of a track, up to the next one: FFmpeg finds tables in unusual places too."""

    samples: int = 0
    chunks: int = 0
    kinds: set[bytes] = field(default_factory=set)
    ticks: bytes = b""
    uncompressed: bool = False
    chunk_tables: list[int] = field(default_factory=list)

    def add(self, at: int, name: bytes, fields: bytes) -> None:
        """Add the table, or the kind of the track, whose name stands at offset `at`; `fields` begins with the name."""
        if name in (b"stsz", b"stz2"):
            self.samples += int.from_bytes(fields[12:16], "big")
        elif name in (b"stco", b"co64"):
            self.chunks += int.from_bytes(fields[8:12], "big")
        elif name == b"stts":
            ticks = fields[8:20]
            self.uncompressed = ticks[:4] == ticks[8:] == b"\0\0\0\1" and self.ticks in (b"", ticks)
            self.ticks = ticks if self.ticks in (b"", ticks) else b"several"
        elif name == b"stsc":
            self.chunk_tables.append(at)
            if len(self.chunk_tables) > MAX_CHUNK_TABLES:
                raise HeaderError(f"A track of it has more than {MAX_CHUNK_TABLES} tables of chunks", damaged=True)
        elif name in (b"soun", b"vide"):
            self.kinds.add(name)

    def count_samples(self, file: BinaryIO, stop: int) -> int:
        """Count the index entries that the tables make, of a track that ends at offset `stop`.

        FFmpeg divides uncompressed sound, whose samples last a tick each, into pieces of 1,024 samples and a chunk's rest.
        """
        if self.uncompressed and self.kinds == {b"soun"}:
            return sum(_chunked(file, at, stop, self.chunks) for at in self.chunk_tables)
        return self.samples


def _chunked(file: BinaryIO, at: int, stop: int, chunks: int) -> int:
    """Count the pieces of 1,024 samples in the chunks of a table `stsc`, whose rows are first chunk, samples, description."""
    file.seek(at + 8)
    count, total = min(int.from_bytes(file.read(4), "big"), (stop - at - 12) // 12), 0.0
    for row in range(0, count, ROWS):
        check_time()
        file.seek(at + 12 + 12 * row)
        data = file.read(12 * min(ROWS + 1, count - row))  # with the row that ends the last one's run
        rows = np.frombuffer(data, ">u4", len(data) // 12 * 3).reshape(-1, 3).astype(np.float64)
        if row + ROWS >= count:
            rows = np.append(rows, [[chunks + 1, 0, 0]], axis=0)
        total += (np.maximum(np.diff(rows[:, 0]), 0) * np.ceil(rows[:-1, 1] / 1024)).sum()
    return int(min(2**40, total))


class TableScan:
    """Sums of what the tables in a file state, wherever they stand.

    Attributes:
        movies: Movie headers.
        compressed: Whether there is a compressed one.
        samples: Samples that the tables of the tracks promise.
        edits: Entries of the longest edit list.
        fragments: Fragments.
        fragment_samples: Samples that their tables promise; one without columns states its count alone.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Begin with nothing; the position of `file`, which must be seekable, changes with each `scan`."""
        self._file = file
        self._tracks = self._tables = self._fragment_tables = 0
        self.movies = self.samples = self.edits = self.fragments = self.fragment_samples = 0
        self.compressed = False

    def scan(self, start: int, stop: int) -> int:
        """Add what stands between two offsets.

        Returns:
            Samples of the tracks there, without those of tables before the first track.

        Raises:
            HeaderError: The file has more than MAX_TRACKS, MAX_TABLES, MAX_FRAGMENT_TABLES or MAX_CHUNK_TABLES.
            TimeBudgetError: The time budget is spent.
        """
        track, before = _Track(), -1
        for at, name, fields in self._names(start, stop):
            self._count(name)
            if name == b"trak":
                self.samples += track.count_samples(self._file, at)
                track, before = _Track(), self.samples if before < 0 else before
            elif name == b"trun":
                flags, count = int.from_bytes(fields[5:8], "big"), int.from_bytes(fields[8:12], "big")
                self.fragment_samples += min(count, (stop - at) // 4) if flags & 0xF00 else count
            elif name == b"moof":
                self.fragments += 1
            elif name == b"moov":
                self.movies += 1
            elif name == b"elst":
                self.edits = max(self.edits, int.from_bytes(fields[8:12], "big"))
            elif name == b"cmov":
                self.compressed |= fields[8:16] == b"dcomzlib"
            else:
                track.add(at, name, fields)
        self.samples += track.count_samples(self._file, stop)
        return self.samples - before if before >= 0 else 0

    def _names(self, start: int, stop: int) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (offset, name, the name and the fields after it) of all NAMES, which may overlap."""
        while start < stop:
            self._file.seek(start)
            data = self._file.read(min(PIECE + FIELDS, stop - start))
            match = NAMES.search(data)
            while match and match.start() < PIECE:
                at = match.start()
                yield start + at, match[0], data[at : at + FIELDS]
                match = NAMES.search(data, at + 1)
            start += PIECE
            if start < stop:
                check_time()

    def _count(self, name: bytes) -> None:
        """Count a name, and raise HeaderError beyond a limit."""
        if name in (b"moof", b"trun"):
            self._fragment_tables += 1
        else:
            self._tables += 1
            self._tracks += name == b"trak"
        if (self._tables + self._fragment_tables) % 1000 == 0:
            check_time()
        if self._tracks > MAX_TRACKS:
            raise HeaderError(f"It has more than {MAX_TRACKS:,} tracks")
        if self._tables > MAX_TABLES:
            raise HeaderError(f"It has more than {MAX_TABLES:,} tables of samples")
        if self._fragment_tables > MAX_FRAGMENT_TABLES:
            raise HeaderError(f"It has more than {MAX_FRAGMENT_TABLES:,} tables of fragments")


def spare_movies(file: BinaryIO, size: int) -> list[int]:
    """Find the movie headers that are not to be read: FFmpeg would take the first one, even where it is empty.

    Args:
        file: The file, seekable; its position changes.
        size: Its bytes.

    Returns:
        Offsets of the names of the first MAX_MOVIES boxes `moov` but of that with the most samples, the first of equals.

    Raises:
        HeaderError: As `boxes` and `TableScan.scan`.
        TimeBudgetError: The time budget is spent.
    """
    found: list[tuple[int, int]] = []
    scan = TableScan(file)
    for start, length, head in boxes(file, size):
        if head[4:8] == b"moov":
            found.append((scan.scan(start + 8, min(start + length, size)), start + 4))
            if len(found) == MAX_MOVIES:
                break
    fullest = max(found, key=lambda movie: movie[0], default=(0, 0))
    return [place for samples, place in found if (samples, place) != fullest]
