"""A video file in, upright pictures at a steady rate out, one at a time: memory does not grow with the film's length.

PyAV (FFmpeg) decodes; it is imported on first use.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import MemoryBudgetError, VideoError
from ..image.loading import LoadedImage
from ..runtime.litert import available_cpus
from ..runtime.memory import reserve
from .containers import SUPPORTED_FORMATS, HEAD, is_truncated, sniff

# The track of moving pictures in an opened container: which it is, whether it is read here, and what decoding it takes.

MAX_PIXELS = 4096 * 2304
"""Width times height of a frame: 4K, as phones and cinemas have it, and not 8K, of which a decoder holds a gigabyte."""
CODECS = {
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "msmpeg4", "msmpeg4v2", "h263",
    "mpeg1video", "mpeg2video", "mjpeg", "prores", "dvvideo", "ffv1", "rawvideo", "theora",
}  # fmt: skip
"""Decoders that are used, of the hundreds that FFmpeg has: what cameras, phones, browsers and editors write."""


def select_stream(container: Any, reason: str | None) -> Any:
    """The first track of moving pictures; all others are passed by while reading. VideoError where there is none to be read."""
    from av.stream import Discard, Disposition

    tracks = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not tracks:
        raise VideoError("no_picture_track", "This file has no track of moving pictures.")
    chosen = tracks[0]
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = Discard.all
    context = chosen.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "unknown"
        raise VideoError("unsupported_video", f"Its pictures are coded as {name}, which is not read.")
    if context.width * context.height > MAX_PIXELS:
        size, limit = f"{context.width} x {context.height}", f"{MAX_PIXELS / 1e6:.1f} megapixels (4K)"
        raise VideoError("too_many_pixels", f"Its frames have {size} pixels; the limit is {limit}.")
    if context.width < 1 or context.height < 1 or not context.pix_fmt:
        raise unreadable(reason)
    return chosen


def unreadable(reason: str | None) -> VideoError:
    """What a film is refused with of which nothing can be read; `reason` as VideoReader's."""
    if reason == "cut_off":
        return VideoError("truncated_video", "This video is cut off, and nothing of what is left can be read.")
    return VideoError("truncated_video", f"This video is damaged, or not of the kind that it seems to be; {SUPPORTED_FORMATS}.")


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


__all__ = ["FPS", "MIN_FPS", "MAX_FPS", "VideoReader", "VideoError", "Frame"]

FPS, MIN_FPS, MAX_FPS = 5.0, 0.01, 30.0
"""Pictures a second that are taken, unless asked otherwise, and the least and the most that may be asked for."""
MAX_SIDE = 1024
"""Most pixels of a taken picture's longer side: in larger ones without large faces the detector looks a dozen times, part by
part, which is for photos (see detector.LARGE_PICTURE)."""
LATE = 0.002
"""Seconds by which a frame may come before its turn: many containers round times to milliseconds."""
LATEST = 1e6
"""Seconds: a time beyond it (eleven days) is a broken time stamp."""


@dataclass(frozen=True)
class Frame:
    """A picture of a film. `time`: seconds since its beginning. `sampled`: whether its turn has come at the rate asked for."""

    time: float
    picture: LoadedImage
    sampled: bool


class VideoReader:
    """An open video file. Raises VideoError for what is no film or cannot be read; close it, or use it in `with`.

    `fps`: pictures a second to take. `longest`: seconds after which reading ends (`reason` says so); None for no limit.
    While it is open it holds its part of the memory for decoding (memory.set_decode_budget).

    Once read: `duration`, the seconds that were really there, whatever the header says (`stated`: what it says, or None);
    `reason`, None or why this is not the whole film: `cut_off`, `damaged`, `video_too_long`.
    """

    def __init__(self, source: bytes | Path | BinaryIO, fps: float = FPS, longest: float | None = None) -> None:
        if not MIN_FPS <= fps <= MAX_FPS:
            raise ValueError(f"fps must be from {MIN_FPS:g} to {MAX_FPS:g}, not {fps}")
        self.fps, self.longest = fps, longest
        self.duration = 0.0
        self.reason: str | None = None
        self._size: tuple[int, int] | None = None
        self._stack = ExitStack()
        try:
            self._open(source)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def duration_and_count(self) -> tuple[float, int]:
        """Seconds and frames of the film as its packets tell, without decoding any. Afterwards the film is at its end: not all
        can be wound back, so open it again to read it."""
        from av.error import FFmpegError

        last, count, first = 0.0, 0, None
        try:
            for packet in self._container.demux(self._stream):
                if packet.pts is not None:
                    moment = float(packet.pts * packet.time_base)
                    first = moment if first is None else min(first, moment)
                    last, count = max(last, moment), count + 1
        except FFmpegError:
            pass  # reading will come to the same place, and say so
        return last - (first or 0.0), count

    def frames(self, every_frame: bool = False) -> Iterator[Frame]:
        """The pictures of the film in order, those at the rate asked for; with `every_frame` all, at most MAX_FPS a second.

        Raises VideoError where not a single frame can be read.
        """
        next_sample, next_shown = 0.0, 0.0
        for time, frame in self._timed():
            sampled, shown = time >= next_sample - LATE, every_frame and time >= next_shown - LATE
            if sampled:
                next_sample = _turn_after(time, self.fps)
            if shown:
                next_shown = _turn_after(time, MAX_FPS)
            if sampled or shown:
                yield Frame(time, self._picture(frame), sampled)

    def _open(self, source: bytes | Path | BinaryIO) -> None:
        import av

        file = source.open("rb") if isinstance(source, Path) else BytesIO(source) if isinstance(source, bytes) else source
        if file is not source:
            self._stack.callback(file.close)
        kind = sniff(file.read(HEAD))
        if is_truncated(kind, file):
            self.reason = "cut_off"
        file.seek(0)
        try:
            # Only the file itself may be read, whatever it names; and some decoders have to run to tell the size.
            options = {"max_pixels": str(4 * MAX_PIXELS)}
            limits = {"protocol_whitelist": "file"}
            self._container = av.open(file, "r", kind, options, limits, metadata_errors="ignore")
        except (av.error.FFmpegError, ValueError) as error:
            raise unreadable(self.reason) from error
        self._stack.callback(self._container.close)
        self._stream = select_stream(self._container, self.reason)
        context = self._stream.codec_context
        threads = context.thread_count = min(2, available_cpus())
        context.thread_type = "AUTO"
        context.options = {"max_pixels": str(MAX_PIXELS)}  # frames may grow on the way
        self.declared_duration = stated_seconds(self._container, self._stream)
        try:
            self._stack.enter_context(reserve(decoder_bytes(context, threads) + 2 * 3 * MAX_SIDE * MAX_SIDE))
        except MemoryBudgetError as error:
            what = "Other pictures and videos are being decoded; try again in a moment."
            if error.code == "too_much_memory":
                what = "Decoding frames of this size takes more memory than a video gets here. Save it smaller."
            raise VideoError(error.code, what) from None

    def _timed(self) -> Iterator[tuple[float, Any]]:
        """Frames with their seconds since the film's beginning, which never run back."""
        rate = float(self._stream.average_rate or 25)
        step, time, begin = 1 / min(max(rate, 1), 240), None, None
        for frame in self._frames():
            if frame.pts is not None:
                stamp = float(frame.pts * frame.time_base)
                if begin is None:
                    start = self._container.start_time
                    begin = stamp if start is None else min(stamp, start / 1e6)
                moment = stamp - begin
            else:
                moment = 0.0 if time is None else time + step
            if moment > LATEST:
                self.reason = self.reason or "damaged"
                return
            if self.longest is not None and moment > self.longest:
                self.reason = "video_too_long"
                return
            time = moment if time is None else max(time, moment)
            shown = float(frame.duration * frame.time_base) if frame.duration else step
            self.duration = time + (shown if shown < 10 else step)
            yield time, frame
        if time is None:
            raise unreadable(self.reason)

    def _frames(self) -> Iterator[Any]:
        """What can be decoded, as players do it: what is damaged is passed by, and noted."""
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

    def _picture(self, frame: Any) -> LoadedImage:
        """A frame upright and small enough; all in the size of the first, even where a phone was turned while it filmed."""
        begun = clock.perf_counter()
        turns = round(frame.rotation / 90) % 4
        if self._size is None:
            self._size = display_size(frame, self._stream.sample_aspect_ratio)
            if turns % 2:
                self._size = self._size[::-1]
        width, height = self._size
        shrink = min(1.0, MAX_SIDE / max(width, height))
        across, down = max(1, round(width * shrink)), max(1, round(height * shrink))
        size = (down, across) if turns % 2 else (across, down)
        method = "AREA" if size[0] < frame.width else "BILINEAR"
        pixels = frame.reformat(*size, format="rgb24", interpolation=method, threads=1).to_ndarray()
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
        return LoadedImage(pixels, width, height, (clock.perf_counter() - begun) * 1e3)


def _turn_after(time: float, rate: float) -> float:
    return (int((time + LATE) * rate) + 1) / rate
