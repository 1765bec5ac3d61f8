"""Kinds of files in folders, recognized by their first bytes: names lie, and many kinds have more suffixes than any list."""

from __future__ import annotations

from ..errors import ImageError, VideoError
from ..image.formats import sniff
from ..runtime.media_headers import EBML, MOVIE_BOXES
from ..video.formats.animations import WEBP_ANIMATED
from ..video.formats.containers import is_transport_stream
from ..video.formats.containers import sniff as sniff_video

HEAD_BYTES = 4096
"""Bytes of a file that are looked at: more than an MPEG audio frame has, so that the next one is seen."""
SOUND_SIGNATURES = (
    b"fLaC", b"ID3", b"OggS", b"#!AMR", b".snd", b"dns.", b"caff", b"riff\x2e\x91\xcf\x11", b"wvpk", b"TTA1", b"TTA2", b"MAC ",
    b"DSD ", b"Creative Voice File", b".SoX", b"XoS.", b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b".RMF",
)  # fmt: skip
"""What files of sound begin with; the last two, ASF (WMA) and RealMedia, may be films too."""
ANIMATION_MARKS = {"gif": (b"NETSCAPE2.0", b"ANIMEXTS1.0"), "png": (b"acTL",)}
"""Names of the blocks that animated pictures have at the beginning."""
ASF_VIDEO = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
"""Identifier of a stream of pictures in a Windows Media file."""
FILM_SIGNATURES = (EBML, b"FLV\x01", b"\0\0\1\xba", b"\0\0\1\xb3")
RIFF_KINDS = {b"RIFF": (b"WAVE", b"AVI "), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
MPEG_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second of an MPEG audio frame by version (2 also for 2.5) and layer (ISO/IEC 11172-3, 2.4.2.3)."""
MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Samples a second by the bits of the version."""


def is_picture(head: bytes) -> bool:
    """Return True if a file with these first HEAD_BYTES is a picture of a format that is read."""
    try:
        sniff(head)
    except ImageError:
        return False
    return True


def is_film(head: bytes) -> bool:
    """Return True if a file with these first HEAD_BYTES is a video or an animated picture, not a recording without pictures."""
    try:
        container = sniff_video(head)
    except VideoError:
        return False
    if container in ANIMATION_MARKS:
        return any(mark in head for mark in ANIMATION_MARKS[container])
    if container == "webp":
        return head[12:16] == b"VP8X" and bool(head[20] & WEBP_ANIMATED)
    if container == "matroska":
        return b"V_" in head  # how the names of codecs of pictures begin
    if container == "flv":
        return bool(head[4] & 1)
    if container == "mov":
        return _is_movie(head) and head[8:11] not in (b"M4A", b"M4B")
    return container != "asf" or ASF_VIDEO in head


def is_sound(head: bytes) -> bool:
    """Return True if a file with these first HEAD_BYTES is a recording or a film, of which the sound is read."""
    return (
        head.startswith(SOUND_SIGNATURES + FILM_SIGNATURES)
        or head[8:12] in RIFF_KINDS.get(head[:4], ())
        or _is_movie(head)
        or is_transport_stream(head)
        or _has_frames(head)
    )


def _is_movie(head: bytes) -> bool:
    """A first box of an MP4 or QuickTime file, of less than 512 MB: text may have the four letters too."""
    return head[4:8] in MOVIE_BOXES and head[:1] < b"\x20" and not is_picture(head)


def _has_frames(head: bytes) -> bool:
    """Two frames of MPEG audio or of AAC (ADTS), the second where the first one ends; a sync word alone stands in any file."""
    length = _frame_bytes(head)
    return bool(length) and bool(_frame_bytes(head[length:]))


def _frame_bytes(head: bytes) -> int:
    """Bytes of the frame that starts here, 0 if none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] < 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    if layer == 4:  # AAC
        return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if head[1] & 0xF6 == 0xF0 else 0
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or not 0 < bitrate < 15 or rate == 3:
        return 0
    kilobits = MPEG_BITRATES[1 if version == 3 else 2, layer][bitrate - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot, padding = (4 if layer == 1 else 1), head[2] >> 1 & 1
    return (samples * kilobits * 125 // (MPEG_RATES[version][rate] * slot) + padding) * slot
