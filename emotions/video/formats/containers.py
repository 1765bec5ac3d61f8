"""Video containers: format detection by the first bytes, and a check for truncated files, both before a decoder runs.

FFmpeg also opens playlists that name other files and addresses. Therefore only these containers are opened, each by its name.
"""

from __future__ import annotations

from typing import BinaryIO

from ...errors import VideoError
from ...runtime.media_headers import CLUSTER, EBML, MOVIE_BOXES, SEGMENT, read_vint
from ...runtime.tag_headers import ASF, FLV, asf_end, flv_tags
from ...runtime.time_budget import check_time

SNIFF_BYTES = 1024
"""Number of bytes that `sniff` needs."""
STILL_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif"}
OTHER_VIDEO: tuple[tuple[bytes, str], ...] = (
    (b"OggS", "Ogg"), (b".RMF", "RealMedia"), (b"\x06\x0e\x2b\x34", "MXF"), (b"DKIF", "IVF"),
    (b"YUV4MPEG2", "raw video"), (b"\0\0\0\1\x67", "bare H.264"),
)  # fmt: skip
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (EBML, "matroska"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"), (FLV, "flv"), (ASF, "asf"),
    (b"\0\0\1\xba", "mpeg"), (b"\0\0\1\xb3", "mpegvideo"),
)  # fmt: skip
"""First bytes, and the name of the container."""
ANIMATIONS = ("gif", "png", "webp")
"""Pictures that may be animated."""
AUDIO_SIGNATURES: tuple[bytes, ...] = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"#!AMR")
FRAGMENT_BOXES = {b"sidx", b"ssix", b"emsg", b"prft", b"mfra", b"uuid", b"udta", b"meta"}
"""Boxes beside those of `MOVIE_BOXES` that may stand before a part of a film."""
MATROSKA_ELEMENTS = {
    0x1A45DFA3, SEGMENT, CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF,
    0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0xAF, 0x5854,
}  # fmt: skip
"""Ids of the elements of a file, of a segment and of a cluster (RFC 9559)."""
FLV_TAGS = (8, 9, 18)
"""Kinds of the tags of a Flash video: sound, pictures, words."""
MAX_ELEMENTS = 1_000_000
"""Elements or lists beside each other that are followed; a live recording has one for each block."""
SUPPORTED_FORMATS = "MP4, MOV, WebM, MKV, AVI, MPEG, MPEG-TS, WMV, FLV and animated GIF, PNG and WebP are supported"
PACKETS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet of an MPEG transport stream, and where its G stands: as broadcast, of camcorders, with error correction."""
MIN_PACKETS = 4
"""Packets that the first SNIFF_BYTES bytes have, wherever the first one begins."""


def sniff(head: bytes) -> str:
    """Detect the container of a video file.

    Args:
        head: The first SNIFF_BYTES bytes of the file.

    Returns:
        FFmpeg's name of the container: "mov" (also MP4), "matroska" (also WebM), "avi", "mpeg" (program stream), "mpegvideo"
        (MPEG video alone), "mpegts", "asf" (WMV) or "flv"; for a picture, which may be animated or not, one of ANIMATIONS.

    Raises:
        VideoError: The file is empty, no video, or a video of another format.
    """
    if not head:
        raise VideoError("empty_file", "This file is empty.")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\xff\xd8\xff") or (head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS):
        raise VideoError("not_a_video", "This is an image, not a video.")
    if head[4:8] in MOVIE_BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for start, container in SIGNATURES:
        if head.startswith(start):
            return container
    if is_transport_stream(head):
        return "mpegts"
    if head.startswith(AUDIO_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        raise VideoError("no_picture_track", "This file has audio and no video track.")
    for start, kind in OTHER_VIDEO:
        if head.startswith(start):
            raise VideoError("unsupported_video", f"This looks like {kind}, which is not supported; {SUPPORTED_FORMATS}.")
    raise VideoError("not_a_video", "This is not a video: its first bytes match no known format.")


def is_transport_stream(head: bytes) -> bool:
    """Return True if a packet of an MPEG transport stream begins wherever one should, in at least two places.

    Besides the G, it has content: one of two bits in its fourth byte is set. A recording may begin within a packet: then it
    must have at least MIN_PACKETS of them.
    """
    for length, first in PACKETS:
        for begin in range(length):
            starts = range(begin, len(head) - 3, length)
            enough = 2 if begin == first else MIN_PACKETS
            if len(starts) >= enough and all(head[start] == ord("G") and head[start + 3] & 0x30 for start in starts):
                return True
    return False


def is_truncated(container: str, file: BinaryIO) -> bool:
    """Return whether the file ends before its container's sizes say.

    Args:
        container: Result of `sniff`.
        file: The file, seekable; its position changes.

    Returns:
        False where the container states no size.
    """
    end = file.seek(0, 2)
    check = CHECKS.get(container)
    return check is not None and check(file, end)


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _mov_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the boxes: four bytes of size, four of name (ISO/IEC 14496-12)."""
    start, complete = 0, False
    while start + 8 <= end:  # of boxes that media_headers has counted
        head = _read(file, start, 16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: the last box, open-ended; else padding that is no box
            return False
        name = head[4:8]
        if complete and name not in MOVIE_BOXES | FRAGMENT_BOXES:  # what cameras and others append to a film, often no box at all
            return False
        complete = complete or name == b"moov"
        start += size
    return start > end


def _avi_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the RIFF lists, of which large files have several; a recording that was never closed has size 0."""
    start = 0
    for _ in range(MAX_ELEMENTS):
        if start + 12 > end:
            break
        head = _read(file, start, 8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or size == 0:
            return False
        start += 8 + size + size % 2
    return start > end + 1  # the last padding byte is often left out


def _matroska_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the elements: id, size, content (RFC 8794). Those of unknown size, as in live recordings, are descended into."""
    start = 0
    for step in range(MAX_ELEMENTS):
        if start >= end:
            break
        if step % 1000 == 0:
            check_time()
        name, after_id = read_vint(file, start, keep_marker=True)
        size, begin = read_vint(file, after_id, keep_marker=False)
        if name not in MATROSKA_ELEMENTS:
            return False  # no element: padding, or what was appended
        if size is None:
            if begin > end or name not in (SEGMENT, CLUSTER):
                return True
            start = begin
        else:
            start = begin + size
    return start > end


def _flv_is_truncated(file: BinaryIO, end: int) -> bool:
    last = 0
    for start, length, kind in flv_tags(file, end):
        if kind not in FLV_TAGS or _read(file, start + 8, 3) != bytes(3):  # no tag: what was appended
            break
        last = start + length
    return last > end


def _asf_is_truncated(file: BinaryIO, end: int) -> bool:
    stated = asf_end(file, end)
    return stated is not None and stated > end


CHECKS = {
    "mov": _mov_is_truncated, "matroska": _matroska_is_truncated, "avi": _avi_is_truncated, "flv": _flv_is_truncated,
    "asf": _asf_is_truncated,
}  # fmt: skip
"""Container -> whether a file is cut off; MPEG streams state no size."""
