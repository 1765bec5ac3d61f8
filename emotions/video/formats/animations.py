"""Animated GIF, PNG (APNG) and WebP pictures: what their blocks state, without decoding.

Programs show a frame of a hundredth of a second or less for a tenth, as browsers do: older files state such durations and do not
mean them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ...errors import VideoError
from ...image.codecs.metadata import MAX_TEXT, png_metadata
from ...image.codecs.pieces import Span, add_span
from ...runtime.time_budget import check_time

SHORTEST, SHORT = 0.011, 0.1
"""Seconds below which the stated duration of a frame does not count, and what counts instead."""
MAX_BLOCKS = 4_000_000
"""Blocks or chunks of a file that are followed: those of a GIF have up to 255 bytes."""
MAX_PALETTE = 4096
"""Bytes of a palette of a PNG or its transparency; 768 are the most that make sense."""
GIF_EXTENSION, GIF_IMAGE, GIF_END, GIF_CONTROL = 0x21, 0x2C, 0x3B, 0xF9
PNG_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND"}
WEBP_NEEDED = {b"VP8X", b"ANIM", b"ANMF"}
WEBP_ANIMATED = 0x02


@dataclass
class Outline:
    """What an animated picture states.

    Attributes:
        size: (width, height) in pixels that the decoder allocates.
        seconds: Duration of each frame.
        pieces: Spans of the file that the decoder needs, or bytes in their place.
        skipped: Frames that the decoder gives before those of the animation.
        is_animated: False for a picture with one frame.
        is_complete: False if the file is cut off or damaged.
        exif: EXIF block, None without one.
        xmp: XMP packet, None without one.
    """

    size: tuple[int, int] = (0, 0)
    seconds: list[float] = field(default_factory=list)
    pieces: list[Span | bytes] = field(default_factory=list)
    skipped: int = 0
    is_animated: bool = True
    is_complete: bool = False
    exif: bytes | None = None
    xmp: bytes | None = None

    def add(self, seconds: float) -> None:
        """Add a frame."""
        self.seconds.append(SHORT if seconds < SHORTEST else seconds)

    def grow(self, right: int, bottom: int) -> None:
        """Note that a frame reaches as far as this."""
        self.size = max(self.size[0], right), max(self.size[1], bottom)


def read_outline(kind: str, data: bytes) -> Outline:
    """Read the blocks of an animated picture.

    Args:
        kind: "GIF", "PNG" or "WEBP".
        data: Bytes of the file.

    Raises:
        VideoError: It is a picture that does not move, is cut off before its first frame, or has too many blocks.
    """
    try:
        outline = READERS[kind](data)
    except (struct.error, IndexError):
        raise VideoError("truncated_video", "This animated picture is cut off or damaged.") from None
    if not outline.is_animated:
        raise VideoError("not_a_video", "This is an image, not a video.")
    return outline


def _steps() -> Iterator[int]:
    """Count blocks. Raises VideoError where there are too many."""
    for number in range(MAX_BLOCKS):
        if number % 10_000 == 0:
            check_time()
        yield number
    raise VideoError("unsupported_video", f"This animated picture has more than {MAX_BLOCKS:,} blocks.")


def _read_gif(data: bytes) -> Outline:
    """Follow the blocks (GIF89a); comments and other extensions are left out."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    start = 13 + _palette_bytes(flags)
    outline, spans, steps, delay = Outline((width, height)), [(0, start)], _steps(), 0.0
    while start < len(data):
        first, kind = start, data[start]
        if kind == GIF_END:
            outline.is_complete = True
            break
        if kind == GIF_IMAGE:
            left, top, across, down, flags = struct.unpack_from("<4HB", data, start + 1)
            start += 11 + _palette_bytes(flags)  # with the byte of the code size
        elif kind == GIF_EXTENSION:
            start += 2
        else:
            break
        while start < len(data) and data[start]:
            next(steps)
            start += data[start] + 1
        start += 1
        if start > len(data):
            break
        next(steps)
        if kind == GIF_IMAGE:
            outline.grow(left + across, top + down)
            outline.add(delay)
            delay = 0.0
            add_span(spans, first, start)
        elif data[first + 1] == GIF_CONTROL:
            delay = int.from_bytes(data[first + 4 : first + 6], "little") / 100
            add_span(spans, first, start)
    outline.pieces = [*spans, b";"]
    outline.is_animated = len(outline.seconds) > 1 or not outline.is_complete
    return outline


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_png(data: bytes) -> Outline:
    """Follow the chunks (PNG, third edition); an image that is no frame of the animation is passed over."""
    outline, spans = Outline(is_animated=False), [(0, 8)]
    start, stated, seconds, has_image, has_control = 8, 0, 0.0, False, False
    for _ in _steps():
        if start + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, start)
        body, end = start + 8, start + 12 + length
        if end > len(data) or (kind in (b"PLTE", b"tRNS") and length > MAX_PALETTE):
            break
        if kind == b"IHDR":
            outline.grow(*struct.unpack_from(">II", data, body))
        elif kind == b"acTL" and not has_image:
            (stated,) = struct.unpack_from(">I", data, body)
            outline.is_animated = stated > 0
        elif kind == b"fcTL":
            across, down, left, top, numerator, denominator = struct.unpack_from(">4IHH", data, body + 4)
            if left + across > outline.size[0] or top + down > outline.size[1]:
                break
            seconds, has_control = numerator / (denominator or 100), True
        elif kind in (b"IDAT", b"fdAT"):
            if kind == b"IDAT" and not has_image and not has_control:
                outline.skipped = 1
            if has_control:
                outline.add(seconds)
            has_image, has_control = True, False
        if kind in PNG_NEEDED:
            add_span(spans, start, end)
        else:
            exif, xmp = png_metadata(data, kind, body, end - 4)
            outline.exif, outline.xmp = exif or outline.exif, xmp or outline.xmp
        start = end
        if kind == b"IEND":
            outline.is_complete = True
            break
        if has_image and not outline.is_animated:
            break
    del outline.seconds[stated:]
    outline.pieces = [*spans]
    return outline


def _read_webp(data: bytes) -> Outline:
    """Follow the chunks (RFC 9649); all that are cut off are left out, since libwebp reads complete files only."""
    outline, spans = Outline(is_animated=False), list[Span]()
    start = 12
    for _ in _steps():
        if start + 8 > len(data):
            break
        kind, length = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        body, end = start + 8, start + 8 + length + length % 2
        if end > len(data):
            break
        if kind == b"VP8X":
            outline.is_animated = bool(data[body] & WEBP_ANIMATED)
            outline.grow(*(int.from_bytes(data[at : at + 3], "little") + 1 for at in (body + 4, body + 7)))
        elif kind == b"ANMF" and length >= 16:
            outline.add(int.from_bytes(data[body + 12 : body + 15], "little") / 1000)
        elif kind == b"EXIF":
            outline.exif = data[body : body + min(length, MAX_TEXT)]
        elif kind == b"XMP ":
            outline.xmp = data[body : body + min(length, MAX_TEXT)]
        if kind in WEBP_NEEDED:
            add_span(spans, start, end)
        start = end
    outline.is_complete = 8 + int.from_bytes(data[4:8], "little") <= len(data)
    size = 4 + sum(stop - first for first, stop in spans)
    outline.pieces = [b"RIFF" + struct.pack("<I", size) + b"WEBP", *spans]
    return outline


READERS: dict[str, Callable[[bytes], Outline]] = {"GIF": _read_gif, "PNG": _read_png, "WEBP": _read_webp}
