"""Checks of sound and video files before FFmpeg opens them: the price of their headers, which FFmpeg expands into tables.

A header of a kilobyte may promise a hundred million samples, for each of which FFmpeg keeps 40 bytes, and FFmpeg's lists of
comments take time that grows with the square of their number. The checks follow FFmpeg's parsers where these are lenient; what
they miss is limited by `ffmpeg.MeteredFile`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

import numpy as np

from ..errors import EmotionDetectorError
from .movie_boxes import spare_movies
from .tag_headers import ASF, FLV, asf_hidden, flv_hidden

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
MAX_EDITS = 4
"""Entries of an edit list that are followed: FFmpeg repeats the sample table for each."""
SAMPLE_BYTES = 40
"""Memory that FFmpeg takes for a sample of an MP4: index entry and times."""
HEADER_FACTOR = 12
"""Memory that FFmpeg takes for a byte of an MP4's tables, of which an entry has 4 to 12."""
CUE_FACTOR = 40
"""The same for the cues of a Matroska file."""
FRAGMENT_BYTES = 4096
"""Memory that FFmpeg takes for a fragment of an MP4."""
MAX_BOXES = 500_000
"""Boxes of an MP4 beside each other: fragments of a tenth of a second in ten hours make as many."""
MAX_CHUNKS = 1000
"""Chunks of a WAV or AIFF file that are examined."""
CHUNK = 2**20


class HeaderError(EmotionDetectorError):
    """A header that no program for people writes, and that would take FFmpeg too long; the message says what it has.

    Attributes:
        damaged: True if the file is damaged or no such file.
    """

    def __init__(self, message: str, damaged: bool = False) -> None:
        super().__init__(message, damaged)  # pickle calls the class with `args`
        self.damaged = damaged

    def __str__(self) -> str:
        return str(self.args[0])


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
        HeaderError: The header has too many entries of a kind, or is compressed.
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
    cost, samples, edits, total, movies = HeaderCost(), 0, 0, 0, 0
    for start, stop in _header_regions(file, size):
        total += stop - start
        if HEADER_FACTOR * total > limit:
            return HeaderCost(HEADER_FACTOR * total)
        file.seek(start)
        region = file.read(stop - start)
        if re.search(rb"cmov.{4}dcomzlib", region, re.DOTALL):
            raise HeaderError("Its movie header is compressed, as QuickTime wrote it before 2010")
        movies += region.count(b"moov")
        cost.bytes += FRAGMENT_BYTES * region.count(b"moof") + _fragment_samples(region) * SAMPLE_BYTES
        for track in region.split(b"trak"):
            samples += _track_samples(track)
            edits = max([edits, *(int.from_bytes(track[at + 8 : at + 12], "big") for at in _positions(b"elst", track))])
    cost.hidden = dict.fromkeys(spare_movies(file, size, _track_samples), b"JUNK") if movies > 1 else {}
    if edits > MAX_EDITS:
        cost.options = {"advanced_editlist": "0"}
    cost.bytes += HEADER_FACTOR * total + samples * SAMPLE_BYTES * (1 + min(edits, MAX_EDITS))
    return cost


def _header_regions(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of all that is neither media data nor padding; neighbours are joined."""
    begin = start = boxes = 0
    while start + 8 <= size:
        boxes += 1
        if boxes > MAX_BOXES:
            raise HeaderError(f"It has more than {MAX_BOXES:,} boxes")
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if length < 8:  # 0: the last box, open-ended; else padding that is no box
            break
        # FFmpeg reads a movie header in a box called `free`, as an interrupted rewriting leaves it.
        padding = head[4:8] in (b"free", b"skip", b"wide", b"uuid") and head[12:16] not in (b"mvhd", b"cmov")
        if head[4:8] == b"mdat" or padding:
            if begin < start:
                yield begin, start
            begin = min(start + length, size)
        start += length
    if begin < size:
        yield begin, size


def _positions(name: bytes, data: bytes) -> Iterator[int]:
    return (match.start() for match in re.finditer(name, data))


def _track_samples(track: bytes) -> int:
    """Count the index entries that the tables of a track make.

    FFmpeg divides uncompressed sound, whose samples last a tick each, into pieces of 1,024 samples and a chunk's rest.
    """
    counts = [int.from_bytes(track[at + 12 : at + 16], "big") for name in (b"stsz", b"stz2") for at in _positions(name, track)]
    ticks = {track[at + 8 : at + 20] for at in _positions(b"stts", track)}
    uncompressed = len(ticks) == 1 and all(one[:4] == one[8:] == b"\0\0\0\1" for one in ticks)
    if not (uncompressed and b"soun" in track and b"vide" not in track):
        return sum(counts)
    chunks = sum(int.from_bytes(track[at + 8 : at + 12], "big") for at in _positions(b"stco|co64", track))
    return sum(_chunked(track, at, chunks) for at in _positions(b"stsc", track))


def _chunked(track: bytes, at: int, chunks: int) -> int:
    """Count the pieces of 1,024 samples in the chunks of a table `stsc`, whose rows are first chunk, samples, description."""
    count = min(int.from_bytes(track[at + 8 : at + 12], "big"), (len(track) - at - 12) // 12)
    rows = np.frombuffer(track, ">u4", 3 * count, at + 12).reshape(-1, 3).astype(np.float64)
    runs = np.diff(rows[:, 0], append=chunks + 1)
    return int(min(2**40, (np.maximum(runs, 0) * np.ceil(rows[:, 1] / 1024)).sum()))


def _fragment_samples(region: bytes) -> int:
    """Count the samples of fragments; a table `trun` without columns states its count alone."""
    total = 0
    for at in _positions(b"trun", region):
        flags, count = int.from_bytes(region[at + 5 : at + 8], "big"), int.from_bytes(region[at + 8 : at + 12], "big")
        total += min(count, (len(region) - at) // 4) if flags & 0xF00 else count
    return total


# Matroska and WebM (RFC 9559)


def _matroska_cost(file: BinaryIO, size: int) -> HeaderCost:
    """Check the elements before the first cluster; others, which FFmpeg would seek out, are not needed (`ignidx`)."""
    cost, start, head = HeaderCost(options={"fflags": "+ignidx"}), 0, 0
    while start < size:
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
    start, comments = 4, 0
    while start + 4 <= size:
        file.seek(start)
        head = file.read(4)
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 4:
            comments += file.read(length).count(b"=")
        if comments > MAX_COMMENTS:
            raise HeaderError(f"It has more than {MAX_COMMENTS:,} comments")
        if head[0] & 0x80:
            return
        start += 4 + length


def _check_ogg(file: BinaryIO, size: int) -> None:
    """Count the comments in each packet (RFC 3533), on every page that FFmpeg may find, even in the middle of another one.

    A packet of sound has an equals sign in 256 bytes; packets so large that this matters are not written.
    """
    pages = re.compile(rb"OggS\x00[\x00-\x07]")
    overlap = 27 + 255 + 255 * 255
    found: dict[bytes, int] = {}
    for start in range(0, size, CHUNK):
        file.seek(start)
        data = file.read(CHUNK + overlap)
        for match in pages.finditer(data, 0, min(len(data), CHUNK + 5)):
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
