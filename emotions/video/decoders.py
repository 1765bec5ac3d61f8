"""Choice of the video stream and its decoder, and the memory that its frames take."""

from __future__ import annotations

import struct
from math import atan2, hypot, pi
from time import perf_counter
from typing import Any, cast

import cv2
import numpy as np

from ..errors import MemoryBudgetError, VideoError
from ..image.loading import LoadedImage
from ..runtime.limits import get_limits
from ..runtime.litert import available_cpus
from ..runtime.memory import MB
from .formats.containers import SUPPORTED_FORMATS

CODECS = {
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "msmpeg4", "msmpeg4v2", "h263",
    "mpeg1video", "mpeg2video", "mjpeg", "prores", "dvvideo", "ffv1", "rawvideo", "theora", "flv", "vp6", "vp6f", "wmv1", "wmv2",
    "wmv3", "vc1",
}  # fmt: skip
"""Decoders that are used, of the hundreds that FFmpeg has: what cameras, phones, browsers and editors write."""
MAX_DIMENSION = 16_384
"""Longer side of a frame as stored, as in the highest level of H.264 and HEVC."""
GROWN = (1280, 720)
"""Size to which smaller frames may grow within a video, as in a call whose connection improves."""
OPENING_BYTES = 24 * MB
"""Memory for opening a file: FFmpeg decodes a few frames of 4K, and keeps up to 5 MB of packets."""
OPENING_FACTOR = 2.2
"""Factor by which frames may exceed the limit of pixels meanwhile; the size of larger ones is not known afterwards."""
KEPT = ((450_000, 16), (1_000_000, 9), (2_300_000, 8), (4_000_000, 6), (8_400_000, 4), (float("inf"), 3))
"""Pixels of a frame, and frames that H.264 and HEVC keep of them for reference and reordering, up to this size."""
DAV1D_FRAMES = 6
"""Frames that dav1d keeps for each further thread, besides the one that other decoders keep."""
MAX_INTERLACED = 1152
"""Rows of a frame up to which it may be interlaced: what is larger never is."""
COMB_BLOCK, COMB_FACTOR, COMB_FLOOR = 16, 1.5, 4.0
"""Side in pixels of a block in which fields are compared, and limits of the difference in gray levels."""
MOTION_BYTES = {"h264": 0.6, "hevc": 0.75}
"""Bytes a pixel for the motion vectors that a decoder keeps beside each frame."""


def max_pixels() -> int:
    """Return the limit of width times height of a frame as stored."""
    return int(get_limits().frame_megapixels * 1e6)


def padded_pixels(width: int, height: int) -> int:
    """Return the pixels of a frame as decoders allocate it: they align rows and columns."""
    return -(-width // 64) * 64 * (-(-height // 32) * 32)


def decoder_bytes(context: Any, threads: int) -> int:
    """Estimate the memory in bytes that the decoder's frames take, those to which they may grow included.

    It is that of what cameras and editors write. A file that takes more is stopped while it is read (`ffmpeg.MediaInput`).
    """
    sizes = [(context.width, context.height)]
    if context.width * context.height < GROWN[0] * GROWN[1]:
        sizes.append(GROWN)
    return max(_frames_bytes(context, *size, threads) for size in sizes)


def _frames_bytes(context: Any, width: int, height: int, threads: int) -> int:
    padded = padded_pixels(width, height)
    if context.name in ("h264", "hevc"):
        kept = next(count for limit, count in KEPT if padded <= limit)
    elif context.name in ("vp9", "libvpx-vp9", "av1", "libdav1d"):
        kept = 8 if padded <= 4_000_000 else 6
    else:
        kept = 4
    if context.name == "libdav1d":
        kept += DAV1D_FRAMES * (threads - 1)
    depth = max(1, -(-context.format.components[0].bits // 8))
    planes = 1.5 if context.pix_fmt.startswith(("yuv420", "yuvj420", "nv12")) else len(context.format.components)
    return int(padded * (kept + threads + 1) * (planes * depth + MOTION_BYTES.get(context.name, 0)))


def choose_threads(context: Any) -> int:
    """Return the number of threads of the decoder: two where there are two processors and the memory for the frames of both."""
    threads = min(2, available_cpus())
    return threads if decoder_bytes(context, threads) < get_limits().decode_mb * MB * 0.9 else 1


def select_stream(container: Any, reason: str | None) -> Any:
    """Select a video stream of an opened container and discard all others.

    Pictures that are attached, as covers, are no video. Of several streams FFmpeg's choice is taken, as by its players: the one
    that is marked as default, then the one with more frames, then the one with more bits a second.

    Args:
        container: Input container of PyAV.
        reason: As `VideoReader.reason`.

    Returns:
        The stream.

    Raises:
        VideoError: There is no video stream, or its codec or frame size is not supported.
    """
    from av.stream import Discard, Disposition

    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        if reason == "cut_off":
            raise VideoError("truncated_video", "This file is cut off, and what is left of it has no video track.")
        raise VideoError("no_picture_track", "This file has no video track.")
    best = container.streams.best("video")
    selected = next((one for one in streams if best is not None and one.index == best.index), streams[0])
    for stream in container.streams:
        if stream is not selected:
            stream.discard = Discard.all
    context = selected.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "unknown"
        raise VideoError("unsupported_video", f"The video codec {name} is not supported.")
    if context.width * context.height > max_pixels():
        size, limit = f"{context.width} x {context.height}", get_limits().frame_megapixels
        raise VideoError("too_many_pixels", f"Its frames have {size} pixels; the limit is {limit:g} megapixels.")
    if max(context.width, context.height) > MAX_DIMENSION:
        size = f"{context.width} x {context.height}"
        raise VideoError("too_many_pixels", f"Its frames have {size} pixels; the limit of a side is {MAX_DIMENSION:,}.")
    if context.width < 1 or context.height < 1 or not context.pix_fmt:
        raise unreadable(reason)
    return selected


def display_size(frame: Any, aspect: Any) -> tuple[int, int]:
    """Return width and height of a frame as displayed: the pixels of old camcorders are not square."""
    ratio = float(aspect) if aspect and 0.25 <= aspect <= 4 else 1.0
    return max(1, round(frame.width * ratio)), frame.height


def upright_pixels(frame: Any, size: tuple[int, int], turns: int, mirrored: bool = False) -> np.ndarray:
    """Convert a frame to (H, W, 3) uint8 RGB.

    Args:
        frame: Frame of PyAV.
        size: Width and height of the result.
        turns: Quarter turns counter-clockwise.
        mirrored: Whether the order of the rows is reversed before that.

    Raises:
        av.error.FFmpegError, ValueError: FFmpeg cannot convert it: damaged files state color spaces that do not exist.
    """
    width, height = size[::-1] if turns % 2 else size
    step = -1 if mirrored else 1
    method = "AREA" if width < frame.width else "BILINEAR"
    if frame.interlaced_frame and frame.height <= MAX_INTERLACED:
        rows = frame.reformat(width, frame.height, format="rgb24", interpolation=method, threads=1).to_ndarray()
        rows = rows[::2] if is_combed(rows) else rows
        down = cv2.INTER_AREA if height < len(rows) else cv2.INTER_LINEAR
        return np.ascontiguousarray(np.rot90(cv2.resize(rows, (width, height), interpolation=down)[::step], turns))
    pixels = frame.reformat(width, height, format="rgb24", interpolation=method, threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels[::step], turns))


def stated_turns(frame: Any) -> tuple[int, bool]:
    """Return the quarter turns counter-clockwise that a file states for a frame of PyAV, and whether it states a mirror image.

    The rows of a mirrored frame are upside down before it is turned. A matrix that makes the frame vanish is none.
    """
    from av.sidedata import sidedata

    # Not `frame.side_data`: the frame would keep that, which refers to the frame, and so its memory until a garbage collection.
    try:
        matrix = cast(Any, sidedata).SideDataContainer(frame).get("DISPLAYMATRIX")
    except ValueError:  # there is data of a kind that PyAV has no name for, such as EXIF in frames of Motion JPEG
        return round(frame.rotation / 90) % 4, False
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    across, down = hypot(a, c), hypot(b, d)
    if not across or not down:
        return 0, False
    return round(-atan2(b / down, a / across) / (pi / 2)) % 4, a * d - b * c < 0


def is_combed(pixels: np.ndarray) -> bool:
    """Return True if the two fields of an interlaced frame show different moments, somewhere.

    Args:
        pixels: Frame (H, W, 3) uint8 as stored.

    Returns:
        True if in some block of COMB_BLOCK pixels neighboring rows differ more than rows of the same field do.
    """
    if len(pixels) < 4:
        return False
    grey = cv2.cvtColor(pixels[: len(pixels) // 2 * 2], cv2.COLOR_RGB2GRAY)
    upper, lower = grey[::2], grey[1::2]
    size = max(1, upper.shape[1] // COMB_BLOCK), max(1, (len(upper) - 1) // COMB_BLOCK)
    between = cv2.resize(cv2.absdiff(upper, lower)[:-1].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    within = cv2.resize(cv2.absdiff(upper[:-1], upper[1:]).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return bool((between > COMB_FACTOR * within + COMB_FLOOR).any())


class FrameConverter:
    """Converts frames to images in the size of the first, even if the phone was rotated while recording.

    Args:
        max_side: Longer side of the images in pixels.
    """

    def __init__(self, max_side: int) -> None:
        self._max_side = max_side
        self._size: tuple[int, int] | None = None

    def image(self, frame: Any, aspect: Any) -> LoadedImage:
        """Convert a frame; `aspect` is the width of its pixels. Raises what `upright_pixels` does."""
        started = perf_counter()
        turns, mirrored = stated_turns(frame)
        if self._size is None:
            self._size = display_size(frame, aspect)
            if turns % 2:
                self._size = self._size[::-1]
        width, height = self._size
        scale = min(1.0, self._max_side / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = upright_pixels(frame, size, turns, mirrored)
        return LoadedImage(pixels, width, height, (perf_counter() - started) * 1e3)


def declared_seconds(container: Any, stream: Any) -> float | None:
    """Return the duration that the file states, None if it states none."""
    if container.format.name == "mpegvideo":  # FFmpeg only guesses it
        return None
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def unreadable(reason: str | None) -> VideoError:
    """Make the error for a video of which nothing can be decoded; `reason` as `VideoReader.reason`."""
    if reason == "cut_off":
        return VideoError("truncated_video", "This video is cut off, and nothing of what is left can be decoded.")
    message = f"This video is damaged, or not of the format that it appears to be; {SUPPORTED_FORMATS}."
    return VideoError("truncated_video", message)


def without_memory(error: MemoryBudgetError) -> VideoError:
    """Make the error for a video for which there is not the memory."""
    message = "Other images and videos are being decoded; try again in a moment."
    if error.code == "too_much_memory":
        message = "Decoding this video takes more memory than a video may use here. Save it with smaller frames."
    return VideoError(error.code, message)


def outside(start: float, end: float | None) -> VideoError:
    """Make the error for a video without a frame in the part that is asked for; seconds."""
    part = f"from {start:g} s on" if end is None else f"from {start:g} to {end:g} s"
    return VideoError("outside_video", f"This video has no frame {part}.")
