"""The track of moving pictures in an opened container: which it is, whether it is read here, and what decoding it takes."""

from __future__ import annotations

from typing import Any

from .containers import FRIENDS, FilmError

MAX_PIXELS = 4096 * 2304
"""Width times height of a frame: 4K, as phones and cinemas have it, and not 8K, of which a decoder holds a gigabyte."""
CODECS = {
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "msmpeg4", "msmpeg4v2", "h263",
    "mpeg1video", "mpeg2video", "mjpeg", "prores", "dvvideo", "ffv1", "rawvideo", "theora",
}  # fmt: skip
"""Decoders that are used, of the hundreds that FFmpeg has: what cameras, phones, browsers and editors write."""


def picture_track(container: Any, reason: str | None) -> Any:
    """The first track of moving pictures; all others are passed by while reading. FilmError where there is none to be read."""
    from av.stream import Discard, Disposition

    tracks = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not tracks:
        raise FilmError("no_picture_track", "This file has no track of moving pictures.")
    chosen = tracks[0]
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = Discard.all
    context = chosen.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "unknown"
        raise FilmError("unsupported_video", f"Its pictures are coded as {name}, which is not read.")
    if context.width * context.height > MAX_PIXELS:
        size, limit = f"{context.width} x {context.height}", f"{MAX_PIXELS / 1e6:.1f} megapixels (4K)"
        raise FilmError("too_many_pixels", f"Its frames have {size} pixels; the limit is {limit}.")
    if context.width < 1 or context.height < 1 or not context.pix_fmt:
        raise unreadable(reason)
    return chosen


def unreadable(reason: str | None) -> FilmError:
    """What a film is refused with of which nothing can be read; `reason` as Film's."""
    if reason == "cut_off":
        return FilmError("truncated_video", "This video is cut off, and nothing of what is left can be read.")
    return FilmError("truncated_video", f"This video is damaged, or not of the kind that it seems to be; {FRIENDS}.")


def stated_seconds(container: Any, stream: Any) -> float | None:
    """How long the file says that it is."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def display_size(frame: Any, aspect: Any) -> tuple[int, int]:
    """Width and height as shown: old camcorders' pixels are no squares."""
    ratio = float(aspect) if aspect and 0.25 <= aspect <= 4 else 1.0
    return max(1, round(frame.width * ratio)), frame.height


def decoder_bytes(context: Any, threads: int) -> int:
    """Most bytes that the decoder's frames take.

    H.264 (table A-1) and HEVC (A.4.2) keep the more frames the smaller these are, here at level 5.1; VP9 and AV1 keep 8.
    """
    pixels = context.width * context.height
    if context.name == "h264":
        kept = min(16, 184_320 * 256 // pixels)
    elif context.name == "hevc":
        kept = next(count for share, count in ((0.25, 16), (0.5, 12), (0.75, 8), (9, 6)) if pixels <= share * 8_912_896)
    else:
        kept = 8 if context.name in ("vp9", "libvpx-vp9", "av1", "libdav1d") else 4
    depth = max(1, -(-context.format.components[0].bits // 8))
    layers = 1.5 if context.pix_fmt.startswith(("yuv420", "yuvj420", "nv12")) else len(context.format.components)
    return int(pixels * (kept + threads + 1) * layers * depth)
