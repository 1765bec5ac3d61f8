"""Video containers: format detection by the first bytes, and a check for truncated files, both before a decoder runs.

FFmpeg also opens playlists that name other files and addresses. Therefore only three containers are opened, each by its name.
"""

from __future__ import annotations

from typing import BinaryIO

from ..errors import VideoError

SNIFF_BYTES = 192
"""Number of bytes that `sniff` needs."""
MOVIE_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof"}
STILL_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif"}
OTHER_VIDEO: tuple[tuple[bytes, str], ...] = (
    (b"\0\0\1\xba", "MPEG program stream"), (b"\0\0\1\xb3", "MPEG-1 or MPEG-2"), (b"FLV\1", "Flash video"), (b"OggS", "Ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"), (b".RMF", "RealMedia"), (b"GIF8", "animated GIF"),
    (b"\x06\x0e\x2b\x34", "MXF"), (b"DKIF", "IVF"), (b"YUV4MPEG2", "raw video"), (b"\0\0\0\1\x67", "bare H.264"),
)  # fmt: skip
AUDIO_SIGNATURES: tuple[bytes, ...] = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"#!AMR")
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # ids of Matroska (RFC 9559)
SUPPORTED_FORMATS = "MP4, MOV, WebM, MKV and AVI are supported"


def sniff(head: bytes) -> str:
    """Detect the container of a video file.

    Args:
        head: The first SNIFF_BYTES bytes of the file.

    Returns:
        FFmpeg's name of the container: "mov" (also MP4), "matroska" (also WebM) or "avi".

    Raises:
        VideoError: The file is empty, no video, or a video of another format.
    """
    if not head:
        raise VideoError("empty_file", "This file is empty.")
    if head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS:
        raise VideoError("not_a_video", "This is an image, not a video.")
    if head[4:8] in MOVIE_BOXES:
        return "mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith(AUDIO_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        raise VideoError("no_picture_track", "This file has audio and no video track.")
    for start, kind in OTHER_VIDEO:
        if head.startswith(start):
            raise VideoError("unsupported_video", f"This looks like {kind}, which is not supported; {SUPPORTED_FORMATS}.")
    if head[:1] == head[188:189] == b"G":  # a packet every 188 bytes
        kind = "an MPEG transport stream"
        raise VideoError("unsupported_video", f"This looks like {kind}, which is not supported; {SUPPORTED_FORMATS}.")
    raise VideoError("not_a_video", "This is not a video: its first bytes match no known format.")


def is_truncated(container: str, file: BinaryIO) -> bool:
    """Return whether the file ends before its container's sizes say.

    Args:
        container: Result of `sniff`.
        file: The file, seekable; its position changes.

    Returns:
        False where the container states no size.
    """
    end = file.seek(0, 2)
    check = {"mov": _mov_is_truncated, "matroska": _matroska_is_truncated, "avi": _avi_is_truncated}[container]
    return check(file, end)


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _mov_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the boxes: four bytes of size, four of name (ISO/IEC 14496-12)."""
    start = 0
    while start + 8 <= end:
        head = _read(file, start, 16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: the last box, open-ended; else padding that is no box
            return False
        start += size
    return start > end


def _avi_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the RIFF lists, of which large files have several; a recording that was never closed has size 0."""
    start = 0
    while start + 12 <= end:
        head = _read(file, start, 8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or size == 0:
            return False
        start += 8 + size + size % 2
    return start > end + 1  # the last padding byte is often left out


def _matroska_is_truncated(file: BinaryIO, end: int) -> bool:
    """Walk the elements: id, size, content (RFC 8794). Those of unknown size, as in live recordings, are descended into."""
    start = 0
    while start < end:
        name, after_id = _read_vint(file, start, keep_marker=True)
        size, begin = _read_vint(file, after_id, keep_marker=False)
        if name is None:
            return False  # no element: padding
        if size is None:
            if begin > end or name not in (SEGMENT, CLUSTER):
                return True
            start = begin
        else:
            start = begin + size
    return start > end


def _read_vint(file: BinaryIO, start: int, keep_marker: bool) -> tuple[int | None, int]:
    """Parse an EBML variable-length integer; return (value, end offset), value None if unknown or invalid."""
    head = _read(file, start, 8)
    if not head or head[0] == 0:
        return None, start + 1
    length = 9 - head[0].bit_length()
    value = int.from_bytes(head[:length], "big")
    if keep_marker:
        return value, start + length
    value &= (1 << 7 * length) - 1
    return None if value == (1 << 7 * length) - 1 else value, start + length
