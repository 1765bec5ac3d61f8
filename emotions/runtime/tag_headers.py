"""Headers of Flash video and Windows Media, and ID3 tags: what FFmpeg is not to read, because its work for it has no bound.

FFmpeg keeps each word of a file in a list that it searches from the beginning. Flash video has words in tags of their own, which
are not needed; Windows Media has them in objects that state how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import EmotionDetectorError
from .time_budget import check_time

FLV, ASF = b"FLV\1", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
"""First bytes of the files; of Windows Media the identifier of its header."""
ASF_DATA = b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
SCRIPT_TAG, TAG_HEAD = 18, 11
MAX_TAGS = 4_000_000
"""Tags that are followed: sixteen hours have as many."""
MAX_SCRIPT_TAGS = 20_000
"""Tags with words that are hidden: most files have one, and one each second makes as many in five hours."""
MAX_ENTRIES = 500
"""Words in an object of Windows Media: more than any program writes."""
ASF_LISTS = {
    b"\x40\xa4\xd0\xd2\x07\xe3\xd2\x11\x97\xf0\x00\xa0\xc9\x5e\xa8\x50": 24,  # extended content description
    b"\xea\xcb\xf8\xc5\xaf\x5b\x77\x48\x84\x67\xaa\x8c\x44\xfa\x4c\xca": 24,  # metadata
    b"\x94\x1c\x23\x44\x98\x94\xd1\x49\xa1\x41\x1d\x13\x4e\x45\x70\x54": 24,  # metadata library
    b"\x01\xcd\x87\xf4\x51\xa9\xcf\x11\x8e\xe6\x00\xc0\x0c\x20\x53\x65": 40,  # markers
}
"""Identifiers of objects with lists, and where their number of entries (16 bits, little-endian) stands."""
ASF_HEADER_BYTES = 2**26
"""Bytes in which such objects are searched for: pictures of an album stand there too."""
MAX_OBJECTS = 1000
"""Objects, and lists of words, of Windows Media that are looked at: a header has about twenty."""
CHUNK = 2**18
"""Bytes that are searched at once."""


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


def flv_tags(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (offset, bytes, kind) of the tags of a Flash video; the last one may reach beyond the file.

    Args:
        file: The file, seekable; its position changes.
        size: Its bytes.

    Raises:
        TimeBudgetError: The time budget is spent.
    """
    file.seek(5)
    start = int.from_bytes(file.read(4), "big") + 4
    for number in range(MAX_TAGS):
        if start + TAG_HEAD > size:
            return
        if number % 1000 == 0:
            check_time()
        file.seek(start)
        head = file.read(4)
        length = TAG_HEAD + int.from_bytes(head[1:], "big")
        yield start, length, head[0] & 0x1F
        start += length + 4  # which repeat the length


def flv_hidden(file: BinaryIO, size: int) -> dict[int, bytes]:
    """Return what FFmpeg is to read instead of the script tags of a Flash video: offset -> bytes. It passes over unknown tags.

    Raises:
        HeaderError: There are more than MAX_SCRIPT_TAGS.
        TimeBudgetError: The time budget is spent.
    """
    found: dict[int, bytes] = {}
    for start, _, kind in flv_tags(file, size):
        if kind == SCRIPT_TAG:
            found[start] = b"\0"
            if len(found) > MAX_SCRIPT_TAGS:
                raise HeaderError(f"It has more than {MAX_SCRIPT_TAGS:,} tags with words")
    return found


def asf_hidden(file: BinaryIO, size: int) -> dict[int, bytes]:
    """Return what FFmpeg is to read instead of long lists of words in a Windows Media file: offset -> bytes.

    The objects are searched for by their identifiers, wherever they stand, since FFmpeg follows lengths that contradict each
    other in its own way.

    Raises:
        HeaderError: There are more than MAX_OBJECTS of these lists.
        TimeBudgetError: The time budget is spent.
    """
    pattern, found = re.compile(b"|".join(map(re.escape, ASF_LISTS))), dict[int, bytes]()
    overlap, lists = 64, 0
    for start in range(0, min(size, ASF_HEADER_BYTES), CHUNK):
        check_time()
        file.seek(start)
        data = file.read(CHUNK + overlap)
        for match in pattern.finditer(data, 0, CHUNK + 15):
            lists += 1
            if lists > MAX_OBJECTS:
                raise HeaderError(f"It has more than {MAX_OBJECTS:,} lists of words")
            at = match.start() + ASF_LISTS[match[0]]
            if int.from_bytes(data[at : at + 2], "little") > MAX_ENTRIES:
                found[start + match.start()] = b"JUNK"
    return found


def asf_end(file: BinaryIO, size: int) -> int | None:
    """Return the offset at which the media data of a Windows Media file end, None where it does not say so."""
    start = 0
    for _ in range(MAX_OBJECTS):
        file.seek(start)
        head = file.read(24)
        length = int.from_bytes(head[16:24], "little")
        if len(head) < 24 or length < 24:
            return None
        start += length
        if head[:16] == ASF_DATA:
            return start
        if start > size:
            return start
    return None


def skip_id3(file: BinaryIO) -> int:
    """Return the offset after the ID3v2 tags at the start of a file: they have pictures and words, and FFmpeg is slow at many.

    Raises:
        TimeBudgetError: The time budget is spent.
    """
    start = tags = 0
    while True:
        tags += 1
        if tags % 1000 == 0:
            check_time()
        file.seek(start)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            return start
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + length + (10 if head[5] & 0x10 else 0)  # with a footer
