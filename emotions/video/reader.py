"""Video reader: upright frames at a steady rate, one at a time, so that memory does not grow with the video's length.

PyAV (FFmpeg) decodes; it is imported on first use.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MemoryBudgetError, VideoError
from ..image.loading import LoadedImage
from ..runtime.litert import available_cpus
from ..runtime.memory import reserve
from ..sources import Source, open_source
from .containers import SNIFF_BYTES, SUPPORTED_FORMATS, is_truncated, sniff

__all__ = ["FPS", "MAX_FPS", "MIN_FPS", "Frame", "VideoError", "VideoReader"]

FPS, MIN_FPS, MAX_FPS = 5.0, 0.01, 30.0
"""Frames a second that are sampled by default, and the limits of what may be asked for."""
MAX_SIDE = 1024
"""Longer side of a frame in pixels. In larger images without large faces the detector runs tile by tile, which is meant for
photos (see detector.LARGE_IMAGE)."""
MAX_PIXELS = 4096 * 2304
"""Width times height of a frame as stored: 4K, as phones and cinemas use it, and not 8K, for which a decoder needs a gigabyte."""
TIME_TOLERANCE = 0.002
"""Seconds by which a frame may precede its sampling time: many containers round times to milliseconds."""
MAX_TIME = 1e6
"""Seconds (eleven days): a later time stamp is broken."""
CODECS = {
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "msmpeg4", "msmpeg4v2", "h263",
    "mpeg1video", "mpeg2video", "mjpeg", "prores", "dvvideo", "ffv1", "rawvideo", "theora",
}  # fmt: skip
"""Decoders that are used, of the hundreds that FFmpeg has: what cameras, phones, browsers and editors write."""


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: Seconds since the beginning of the video.
        image: The upright frame, at most MAX_SIDE pixels large.
        sampled: True if the frame is due at the requested rate.
    """

    time: float
    image: LoadedImage
    sampled: bool


class VideoReader:
    """An open video file. Close it, or use it in `with`.

    While it is open it reserves its part of the memory for decoding (memory.set_decode_budget).

    Args:
        source: Path, bytes of a file, or binary file object.
        fps: Frames to sample a second, MIN_FPS to MAX_FPS.
        max_seconds: Seconds after which reading ends, with `reason` "video_too_long"; None for no limit.

    Attributes:
        duration: Seconds of the frames that were read so far, whatever the header says.
        declared_duration: Seconds that the header says, or None.
        reason: Why this is not the whole video: "cut_off", "damaged", "video_too_long"; None if it is.

    Raises:
        VideoError: The file is no video or cannot be decoded.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `fps` is out of range.
    """

    def __init__(self, source: Source, fps: float = FPS, max_seconds: float | None = None) -> None:
        """Open the file and its video stream."""
        if not MIN_FPS <= fps <= MAX_FPS:
            raise ValueError(f"fps must be from {MIN_FPS:g} to {MAX_FPS:g}, not {fps}")
        self.fps, self.max_seconds = fps, max_seconds
        self.duration = 0.0
        self.declared_duration: float | None = None
        self.reason: str | None = None
        self._size: tuple[int, int] | None = None
        self._stack = ExitStack()
        try:
            self._open(source)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoReader:
        """Return the reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file and release the memory."""
        self._stack.close()

    def duration_and_count(self) -> tuple[float, int]:
        """Return duration in seconds and number of frames by the packets, without decoding.

        Afterwards the reader is at the end of the file. Not all files can seek: open the file again to read its frames.
        """
        from av.error import FFmpegError

        last, count, first = 0.0, 0, None
        try:
            for packet in self._container.demux(self._stream):
                if packet.pts is not None:
                    time = float(packet.pts * packet.time_base)
                    first = time if first is None else min(first, time)
                    last, count = max(last, time), count + 1
        except FFmpegError:
            pass  # reading the frames will fail at the same place and report it
        return last - (first or 0.0), count

    def frames(self, every_frame: bool = False) -> Iterator[Frame]:
        """Yield the sampled frames in order, and with `every_frame` those between, at most MAX_FPS a second.

        Raises:
            VideoError: Not a single frame can be decoded.
        """
        next_sample, next_between = 0.0, 0.0
        for time, frame in self._timed_frames():
            sampled, between = time >= next_sample - TIME_TOLERANCE, every_frame and time >= next_between - TIME_TOLERANCE
            if sampled:
                next_sample = _next_due(time, self.fps)
            if between:
                next_between = _next_due(time, MAX_FPS)
            if sampled or between:
                yield Frame(time, self._to_image(frame), sampled)

    def _open(self, source: Source) -> None:
        import av

        file = self._stack.enter_context(open_source(source))
        container = sniff(file.read(SNIFF_BYTES))
        if is_truncated(container, file):
            self.reason = "cut_off"
        file.seek(0)
        try:
            # Only the file itself may be opened, not others that it names. The limit on pixels is wider here, since some decoders
            # have to run before the size is known.
            options = {"max_pixels": str(4 * MAX_PIXELS)}
            limits = {"protocol_whitelist": "file"}
            self._container = av.open(file, "r", container, options, limits, metadata_errors="ignore")
        except (av.error.FFmpegError, ValueError) as error:
            raise _unreadable(self.reason) from error
        self._stack.callback(self._container.close)
        self._stream = select_stream(self._container, self.reason)
        context = self._stream.codec_context
        threads = context.thread_count = min(2, available_cpus())
        context.thread_type = "AUTO"
        context.options = {"max_pixels": str(MAX_PIXELS)}  # frames may grow within a video
        self.declared_duration = _declared_duration(self._container, self._stream)
        try:
            self._stack.enter_context(reserve(decoder_bytes(context, threads) + 2 * 3 * MAX_SIDE * MAX_SIDE))
        except MemoryBudgetError as error:
            message = "Other images and videos are being decoded; try again in a moment."
            if error.code == "too_much_memory":
                message = "Decoding frames of this size takes more memory than a video may use here. Save it smaller."
            raise VideoError(error.code, message) from None

    def _timed_frames(self) -> Iterator[tuple[float, Any]]:
        """Yield decoded frames with their seconds since the beginning of the video, which never decrease."""
        rate = float(self._stream.average_rate or 25)
        step, last, origin = 1 / min(max(rate, 1), 240), None, None
        for frame in self._decoded_frames():
            if frame.pts is not None:
                stamp = float(frame.pts * frame.time_base)
                if origin is None:
                    start = self._container.start_time
                    origin = stamp if start is None else min(stamp, start / 1e6)
                time = stamp - origin
            else:
                time = 0.0 if last is None else last + step
            if time > MAX_TIME:
                self.reason = self.reason or "damaged"
                return
            if self.max_seconds is not None and time > self.max_seconds:
                self.reason = "video_too_long"
                return
            last = time if last is None else max(last, time)
            shown = float(frame.duration * frame.time_base) if frame.duration else step
            self.duration = last + (shown if shown < 10 else step)
            yield last, frame
        if last is None:
            raise _unreadable(self.reason)

    def _decoded_frames(self) -> Iterator[Any]:
        """Yield what can be decoded; like a player, skip what is damaged, and note it in `reason`."""
        from av.error import FFmpegError

        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    frames = []
                    self.reason = self.reason or "damaged"
                if packet.is_corrupt:
                    self.reason = self.reason or "damaged"
                for frame in frames:
                    if frame.is_corrupt:
                        self.reason = self.reason or "damaged"
                    else:
                        yield frame
        except FFmpegError:
            self.reason = self.reason or "cut_off"

    def _to_image(self, frame: Any) -> LoadedImage:
        """Convert a frame to an upright image in the size of the first, even if the phone was rotated while recording."""
        started = clock.perf_counter()
        turns = round(frame.rotation / 90) % 4
        if self._size is None:
            self._size = display_size(frame, self._stream.sample_aspect_ratio)
            if turns % 2:
                self._size = self._size[::-1]
        width, height = self._size
        scale = min(1.0, MAX_SIDE / max(width, height))
        scaled_width, scaled_height = max(1, round(width * scale)), max(1, round(height * scale))
        size = (scaled_height, scaled_width) if turns % 2 else (scaled_width, scaled_height)
        method = "AREA" if size[0] < frame.width else "BILINEAR"
        pixels = frame.reformat(*size, format="rgb24", interpolation=method, threads=1).to_ndarray()
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
        return LoadedImage(pixels, width, height, (clock.perf_counter() - started) * 1e3)


def select_stream(container: Any, reason: str | None) -> Any:
    """Select the first video stream of an opened container and discard all others.

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
        raise VideoError("no_picture_track", "This file has no video track.")
    selected = streams[0]
    for stream in container.streams:
        if stream is not selected:
            stream.discard = Discard.all
    context = selected.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "unknown"
        raise VideoError("unsupported_video", f"The video codec {name} is not supported.")
    if context.width * context.height > MAX_PIXELS:
        size, limit = f"{context.width} x {context.height}", f"{MAX_PIXELS / 1e6:.1f} megapixels (4K)"
        raise VideoError("too_many_pixels", f"Its frames have {size} pixels; the limit is {limit}.")
    if context.width < 1 or context.height < 1 or not context.pix_fmt:
        raise _unreadable(reason)
    return selected


def display_size(frame: Any, aspect: Any) -> tuple[int, int]:
    """Return width and height of a frame as displayed: the pixels of old camcorders are not square."""
    ratio = float(aspect) if aspect and 0.25 <= aspect <= 4 else 1.0
    return max(1, round(frame.width * ratio)), frame.height


def decoder_bytes(context: Any, threads: int) -> int:
    """Estimate the maximum memory in bytes that the decoder's frames take.

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
    planes = 1.5 if context.pix_fmt.startswith(("yuv420", "yuvj420", "nv12")) else len(context.format.components)
    return int(pixels * (kept + threads + 1) * planes * depth)


def _unreadable(reason: str | None) -> VideoError:
    if reason == "cut_off":
        return VideoError("truncated_video", "This video is cut off, and nothing of what is left can be decoded.")
    message = f"This video is damaged, or not of the format that it appears to be; {SUPPORTED_FORMATS}."
    return VideoError("truncated_video", message)


def _declared_duration(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def _next_due(time: float, rate: float) -> float:
    return (int((time + TIME_TOLERANCE) * rate) + 1) / rate
