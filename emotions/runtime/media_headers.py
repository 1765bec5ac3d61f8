"""Checks of sound and video files before FFmpeg opens them: the price of their headers, which FFmpeg expands into tables.

A header of a kilobyte may promise a hundred million samples, for each of which FFmpeg keeps 40 bytes, and FFmpeg's lists of
comments take time that grows with the square of their number. The checks follow FFmpeg's parsers where these are lenient; what
they miss is limited by `ffmpeg.MeteredFile`.

The checks run before any memory is reserved: each reads the file in pieces, keeps less than two megabytes, and checks the time
budget. Entries of every kind are counted up to a limit far above that of real files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from .movie_boxes import TableScan, boxes, spare_movies
from .tag_headers import ASF, FLV, asf_hidden, flv_hidden
from .tag_headers import HeaderError as HeaderError
from .time_budget import check_time

MOVIE_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof"}
"""Names of the first box of an MP4 or QuickTime file."""
EBML = b"\x1aE\xdf\xa3"
"""First bytes of a Matroska or WebM file."""
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # ids of Matroska (RFC 9559)
ATTACHMENTS, CUES, VOID = 0x1941A469, 0x1C53BB6B, 0xEC

MAX_COMMENTS = 5000
"""Comments of one block: FFmpeg takes a quarter of a second for these and an hour for a hundred times as many."""
MAX_MATROSKA_HEAD = 2**17
"""Bytes before the first cluster of a Matroska file, apart from attachments, cues and padding."""
MIN_EDITS, MAX_EDITS, MAX_EDITED = 4, 1000, 1_000_000
"""Entries of an edit list that are followed, at least and at most, and samples times entries between these: FFmpeg repeats the
sample table for each entry."""
SAMPLE_BYTES = 40
"""Memory that FFmpeg takes for a sample of an MP4: index entry and times."""
HEADER_FACTOR = 12
"""Memory that FFmpeg takes for a byte of an MP4's tables, of which an entry has 4 to 12."""
CUE_FACTOR = 40
"""The same for the cues of a Matroska file."""
FRAGMENT_BYTES = 4096
"""Memory that FFmpeg takes for a fragment of an MP4."""
MAX_CHUNKS = 1000
"""Chunks of a WAV or AIFF file that are examined."""
MAX_ELEMENTS = 1000
"""Elements before the first cluster of a Matroska file: programs write about ten."""
MAX_BLOCKS = 1000
"""Metadata blocks of a FLAC file: there are seven kinds, and one for each picture and application."""
MAX_STREAMS = 10_000
"""Streams of an Ogg file: a recording of radio has one for each song, and songs of three minutes make as many in three weeks."""
CHUNK = 2**18
"""Bytes of a FLAC or Ogg file that are searched at once."""


Replacements = dict[int, bytes]
"""Offset -> bytes that are read there instead."""


@dataclass
class HeaderCost:
    """What opening a file takes.

    Attributes:
        bytes: Memory for its tables.
        options: Options of the container with which FFmpeg is to open it.
        hidden: What FFmpeg is to read instead.
    """

    bytes: int = 0
    options: dict[str, str] = field(default_factory=dict)
    hidden: Replacements = field(default_factory=dict)


def header_cost(file: BinaryIO, size: int, limit: int) -> HeaderCost:
    """Price the header of a sound or video file, of whatever format.

    Args:
        file: The file, seekable; its position changes.
        size: Its bytes.
        limit: Bytes of memory beyond which the exact price does not matter.

    Raises:
        HeaderError: The header has too many entries of a kind, is damaged or is compressed.
        TimeBudgetError: The time budget is spent.
    """
    file.seek(0)
    head = file.read(12)
    if head[4:8] in MOVIE_BOXES:
        return _movie_cost(file, size, limit)
    if head[:4] == EBML:
        return _matroska_cost(file, size)
    if head[:4] == b"fLaC":
        _check_flac(file, size)
    elif head[:4] == b"OggS":
        _check_ogg(file, size)
    elif head[:4] in (b"RIFF", b"RF64", b"FORM"):
        return HeaderCost(hidden=_comment_chunks(file, size, "big" if head[:4] == b"FORM" else "little"))
    elif head.startswith((FLV, ASF[:12])):
        return HeaderCost(hidden=(flv_hidden if head.startswith(FLV) else asf_hidden)(file, size))
    return HeaderCost()


def _comment_chunks(file: BinaryIO, size: int, order: Literal["big", "little"]) -> dict[int, bytes]:
    """Hide the chunks with words and pictures of a WAV, AVI or AIFF file, which are not needed, among the first MAX_CHUNKS."""
    found, start = dict[int, bytes](), 12
    for _ in range(MAX_CHUNKS):
        file.seek(start)
        head = file.read(12)
        if len(head) < 8:
            break
        if head[:4] in (b"id3 ", b"ID3 ") or (head[:4] == b"LIST" and head[8:] == b"INFO"):
            found[start] = b"JUNK"
        length = int.from_bytes(head[4:8], order)
        start += 8 + length + length % 2
    return found


# MP4 and QuickTime (ISO/IEC 14496-12)


def _movie_cost(file: BinaryIO, size: int, limit: int) -> HeaderCost:
    """Price the sample tables by the counts that they state, wherever they stand: FFmpeg finds them in unusual places too."""
    cost, total, scan = HeaderCost(), 0, TableScan(file)
    for start, stop in _header_regions(file, size):
        total += stop - start
        if HEADER_FACTOR * total <= limit:  # beyond, boxes are only counted
            scan.scan(start, stop)
            if scan.compressed:
                raise HeaderError("Its movie header is compressed, as QuickTime wrote it before 2010")
    if HEADER_FACTOR * total > limit:
        return HeaderCost(HEADER_FACTOR * total)
    cost.hidden = dict.fromkeys(spare_movies(file, size), b"JUNK") if scan.movies > 1 else {}
    edits = scan.edits
    if edits > max(MIN_EDITS, min(MAX_EDITS, MAX_EDITED // max(1, scan.samples))):
        cost.options, edits = {"advanced_editlist": "0"}, MIN_EDITS
    cost.bytes = FRAGMENT_BYTES * scan.fragments + SAMPLE_BYTES * scan.fragment_samples
    cost.bytes += HEADER_FACTOR * total + scan.samples * SAMPLE_BYTES * (1 + edits)
    return cost


def _header_regions(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of all that is neither media data nor padding; neighbors are joined."""
    begin = 0
    for start, length, head in boxes(file, size):
        # FFmpeg reads a movie header in a box called `free`, as an interrupted rewriting leaves it.
        padding = head[4:8] in (b"free", b"skip", b"wide", b"uuid") and head[12:16] not in (b"mvhd", b"cmov")
        if head[4:8] == b"mdat" or padding:
            if begin < start:
                yield begin, start
            begin = min(start + length, size)
    if begin < size:
        yield begin, size


# Matroska and WebM (RFC 9559)


def _matroska_cost(file: BinaryIO, size: int) -> HeaderCost:
    """Check the elements before the first cluster; others, which FFmpeg would seek out, are not needed (`ignidx`)."""
    cost, start, head, count = HeaderCost(options={"fflags": "+ignidx"}), 0, 0, 0
    while start < size:
        count += 1
        if count > MAX_ELEMENTS:
            raise HeaderError(f"Its header has more than {MAX_ELEMENTS:,} elements")
        name, after_id = read_vint(file, start, keep_marker=True)
        length, begin = read_vint(file, after_id, keep_marker=False)
        if name == SEGMENT:
            start = begin
            continue
        if name == CLUSTER:
            break
        if name is None or length is None:  # FFmpeg would search for the next element that it knows
            raise HeaderError("Its header is damaged", damaged=True)
        if name == CUES:
            cost.bytes += CUE_FACTOR * length
        elif name == ATTACHMENTS:
            cost.bytes += min(length, size)
        elif name != VOID:
            head += begin - start + length
        else:
            head += begin - start
        if head > MAX_MATROSKA_HEAD:
            raise HeaderError("Its header is too long")
        start = begin + length
    return cost


def read_vint(file: BinaryIO, start: int, keep_marker: bool) -> tuple[int | None, int]:
    """Parse an EBML variable-length integer (RFC 8794); return (value, end offset), value None if unknown or invalid."""
    file.seek(start)
    head = file.read(8)
    if not head or head[0] == 0:
        return None, start + 1
    length = 9 - head[0].bit_length()
    value = int.from_bytes(head[:length], "big")
    if keep_marker:
        return value, start + length
    value &= (1 << 7 * length) - 1
    return None if value == (1 << 7 * length) - 1 else value, start + length


# FLAC and Ogg, whose comments are counted by the equals signs between names and values


def _check_flac(file: BinaryIO, size: int) -> None:
    """Count the comments in the metadata blocks (RFC 9639)."""
    start, comments, count = 4, 0, 0
    while start + 4 <= size:
        count += 1
        if count > MAX_BLOCKS:
            raise HeaderError(f"It has more than {MAX_BLOCKS:,} metadata blocks")
        file.seek(start)
        head = file.read(4)
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 4:
            for done in range(0, length, CHUNK):
                check_time()
                comments += file.read(min(CHUNK, length - done)).count(b"=")
        if comments > MAX_COMMENTS:
            raise HeaderError(f"It has more than {MAX_COMMENTS:,} comments")
        if head[0] & 0x80:
            return
        start += 4 + length


def _check_ogg(file: BinaryIO, size: int) -> None:
    """Count the comments in each packet (RFC 3533), on every page that FFmpeg may find, even in the middle of another one.

    A packet of sound has an equals sign in 256 bytes; packets so large that this matters are not written.
    """
    pattern = re.compile(rb"OggS\x00[\x00-\x07]")
    overlap = 27 + 255 + 255 * 255
    found: dict[bytes, int] = {}
    pages = 0
    for start in range(0, size, CHUNK):
        check_time()
        file.seek(start)
        data = file.read(CHUNK + overlap)
        for match in pattern.finditer(data, 0, min(len(data), CHUNK + 5)):
            pages += 1
            if pages % 1000 == 0:
                check_time()
            at = match.start()
            serial, lacing = data[at + 14 : at + 18], data[at + 27 : at + 27 + data[at + 26]] if at + 26 < len(data) else b""
            begin = at + 27 + len(lacing)
            signs = data.count(b"=", begin, begin + sum(lacing))
            total = found.get(serial, 0) + signs
            if total > MAX_COMMENTS:
                raise HeaderError(f"It has more than {MAX_COMMENTS:,} comments")
            if lacing[-1:] != b"\xff":  # the page ends with a packet
                found[serial] = 0
            else:
                found[serial] = signs if lacing.strip(b"\xff") else total
            if len(found) > MAX_STREAMS:
                raise HeaderError(f"It has more than {MAX_STREAMS:,} streams")
