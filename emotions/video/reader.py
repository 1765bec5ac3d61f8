"""Video reader: upright frames at a steady rate, one at a time, so that memory does not grow with the video's length.

PyAV (FFmpeg) decodes; it is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from typing import Any

from ..errors import ImageError, MemoryBudgetError, VideoError
from ..image.loading import LoadedImage
from ..runtime.ffmpeg import charged, open_media
from ..runtime.limits import get_limits
from ..runtime.media_headers import HeaderError, header_cost
from ..runtime.memory import MB, reserve
from ..sources import Source, open_source, size_of
from .clock import MAX_TIME, Clock, check_part, read_ahead
from .decoders import (
    GROWN,
    OPENING_BYTES,
    OPENING_FACTOR,
    FrameConverter,
    choose_threads,
    declared_seconds,
    decoder_bytes,
    max_pixels,
    outside,
    padded_pixels,
    select_stream,
    unreadable,
    without_memory,
)
from .formats.animation import Animation
from .formats.containers import ANIMATIONS, SNIFF_BYTES, is_truncated, sniff

__all__ = ["FPS", "MAX_FPS", "MIN_FPS", "Frame", "VideoError", "VideoReader"]

FPS, MIN_FPS, MAX_FPS = 5.0, 0.01, 30.0
"""Frames a second that are sampled by default, and the limits of what may be asked for."""
MAX_SIDE = 1024
"""Longer side of a frame in pixels. In larger images without large faces the detector runs tile by tile, which is meant for
photos (see detector.LARGE_IMAGE)."""
HELD = 0.5
"""Seconds for which a frame must still be on screen at the beginning of a part to belong to it at any rate of sampling."""
TIME_TOLERANCE = 0.002
"""Seconds by which a frame may precede its sampling time: many containers round times to milliseconds."""


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: Seconds since the beginning of the video at which the frame appears, not before those of the part that is read.
        until: Seconds at which the next frame of the file replaces it.
        number: Number of the frame in the file, from 0.
        image: The upright frame, at most MAX_SIDE pixels large.
        sampled: True if the frame is due at the requested rate.
    """

    time: float
    until: float
    number: int
    image: LoadedImage
    sampled: bool


class VideoReader:
    """An open video file. Close it, or use it in `with`.

    While it is open it reserves its part of the memory for decoding (limits.set_limits).

    Args:
        source: Path, bytes of a file, or binary file object.
        fps: Frames to sample a second, MIN_FPS to MAX_FPS.
        max_seconds: Seconds after which reading ends, with `reason` "video_too_long"; None for no limit.
        further_bytes: Memory for what the caller makes of the frames, to be reserved too.
        start: Seconds from which frames are given; those before are decoded and dropped.
        end: Seconds at which reading ends; None for the end of the video.

    Attributes:
        duration: Seconds from the beginning of the video to the end of the last frame that was read so far, whatever the header
            says.
        declared_duration: Seconds that the header says, or None.
        reason: Why this is not the whole video: "cut_off", "damaged", "video_too_long"; None if it is.

    Raises:
        VideoError: The file is no video or cannot be decoded.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `fps` is out of range, `start` is negative, or `end` is not after it.
    """

    def __init__(
        self,
        source: Source,
        fps: float = FPS,
        max_seconds: float | None = None,
        further_bytes: int = 0,
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        """Open the file and its video stream."""
        if not MIN_FPS <= fps <= MAX_FPS:
            raise ValueError(f"fps must be from {MIN_FPS:g} to {MAX_FPS:g}, not {fps}")
        check_part(start, end)
        self.fps, self.max_seconds = fps, max_seconds
        self.start, self.end = start, end
        self.duration = 0.0
        self.declared_duration: float | None = None
        self.reason: str | None = None
        self._converter = FrameConverter(MAX_SIDE)
        self._animation: Animation | None = None
        self._media: Any = None
        self._stream: Any = None
        self._stack = ExitStack()
        try:
            self._open(source, further_bytes)
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
        self._media = self._stream = self._animation = None  # or the decoder keeps its frames for as long as this object lasts

    def duration_and_count(self, max_seconds: float = inf, max_count: float = inf) -> tuple[float, int]:
        """Return duration in seconds and number of frames by the packets, without decoding.

        Afterwards the reader is at the end of the file. Not all files can seek: open the file again to read its frames.

        Args:
            max_seconds: Duration beyond which counting ends; the results are then those up to there.
            max_count: The same for the number of frames.
        """
        from av.error import FFmpegError

        if self._animation:
            return sum(self._animation.seconds), len(self._animation.seconds)
        last, count, first = 0.0, 0, None
        try:
            for packet in self._media.packets(self._stream):
                if packet.pts is not None:
                    time = float(packet.pts * packet.time_base)
                    first = time if first is None else min(first, time)
                    last = max(last, time)
                count += packet.size > 0
                if count > max_count or last - (first or 0.0) > max_seconds:
                    break
        except FFmpegError:
            pass  # reading the frames will fail at the same place and report it
        return last - (first or 0.0), count

    def frames(self, every_frame: bool = False) -> Iterator[Frame]:
        """Yield the sampled frames in order, and with `every_frame` those between, at most MAX_FPS a second.

        Raises:
            VideoError: Not a single frame can be decoded.
        """
        next_sample = next_between = self.start
        early, found, number = -1.0, False, -1
        for time, until, frame in self._shown_frames():  # not enumerate, which would keep the frame
            number += 1
            until = self._bounded(time, until)
            if until < time:
                break
            if time < self.start and until - self.start > min(1 / self.fps, HELD):
                time = self.start  # the frame that is held when the part begins
            # A frame that is held beyond the next two sampling times is shown at them: no later one can stand for it.
            is_held = until > next_sample + 1 / self.fps + TIME_TOLERANCE and early < next_sample
            sampled, between = time >= next_sample - TIME_TOLERANCE, every_frame and time >= next_between - TIME_TOLERANCE
            if not sampled and is_held and time >= self.start:
                sampled, early = True, next_sample
            image = self._to_image(frame) if sampled or between else None
            del frame  # or its memory would be kept while the next one is decoded
            if image is None:
                continue
            if sampled:
                next_sample = self._next_due(time, self.fps)
            if between:
                next_between = self._next_due(time, MAX_FPS)
            found = True
            yield Frame(time, until, number, image, sampled)
        if not found:
            raise outside(self.start, self.end) if number >= 0 and (self.start or self.end) else unreadable(self.reason)

    def _bounded(self, time: float, until: float) -> float:
        """Return the seconds at which a frame is replaced or reading ends, -1 where that was before, and note the duration."""
        if time > MAX_TIME:
            self.reason = self.reason or "damaged"
            return -1.0
        if self.max_seconds is not None and time > self.max_seconds:
            self.reason = "video_too_long"
            return -1.0
        if self.end is not None and time >= self.end:
            return -1.0
        until = min(until, *(limit for limit in (MAX_TIME, self.max_seconds, self.end) if limit is not None))
        self.duration = max(self.duration, until)
        return until

    def _next_due(self, time: float, rate: float) -> float:
        return self.start + (int((time - self.start + TIME_TOLERANCE) * rate) + 1) / rate

    def _open(self, source: Source, further_bytes: int) -> None:
        import av

        file = self._stack.enter_context(open_source(source))
        self._container = container = sniff(file.read(SNIFF_BYTES))
        size = size_of(file)
        if container in ANIMATIONS:
            self._animation = Animation(file, container.upper(), MAX_SIDE, further_bytes, self._stack)
            self.reason, self.declared_duration = self._animation.reason, sum(self._animation.seconds)
            return
        try:
            cost = header_cost(file, size, int(get_limits().decode_mb * MB))
        except HeaderError as error:
            raise unreadable(self.reason) if error.damaged else VideoError("unsupported_video", f"{error}.") from None
        if is_truncated(container, file):
            self.reason = "cut_off"
        try:
            # Two reservations, one after the other: who holds memory must not wait for more.
            with reserve(cost.bytes + OPENING_BYTES):
                options = {"max_pixels": str(int(OPENING_FACTOR * max_pixels()))}
                self._media = self._stack.enter_context(open_media(file, container, cost, options, cost.bytes + OPENING_BYTES))
                self._stream = select_stream(self._media.container, self.reason)
            context = self._stream.codec_context
            self._threads = context.thread_count = choose_threads(context)
            context.thread_type = "AUTO"
            pixels = max(padded_pixels(context.width, context.height), min(padded_pixels(*GROWN), max_pixels()))
            context.options = {"max_pixels": str(pixels)}
            self.declared_duration = declared_seconds(self._media.container, self._stream)
            amount = cost.bytes + decoder_bytes(context, self._threads) + 2 * 3 * MAX_SIDE * MAX_SIDE + further_bytes
            self._stack.enter_context(reserve(amount))
            self._media.reserved(amount)
        except (av.error.FFmpegError, UnicodeError) as error:
            raise unreadable(self.reason) from error
        except MemoryBudgetError as error:
            raise without_memory(error) from None

    def _shown_frames(self) -> Iterator[tuple[float, float, Any]]:
        """Yield the seconds at which each frame appears and is replaced, and what can be decoded.

        Like a player, skip what is damaged, and note it in `reason`.
        """
        from av.error import FFmpegError

        if self._animation:
            yield from self._animation.frames()
            self.reason = self.reason or self._animation.reason
            return
        clock = Clock(self._media.container, self._stream, self._container == "mov")
        try:
            for packet in read_ahead(self._media.packets(self._stream, count_decoding=True), clock):
                try:
                    with charged(self._threads):
                        frames = packet.decode()
                    self._media.check_memory()
                except FFmpegError:
                    frames = []
                    self.reason = self.reason or "damaged"
                if packet.is_corrupt:
                    self.reason = self.reason or "damaged"
                frames.reverse()
                while frames:
                    if frames[-1].is_corrupt:
                        self.reason = self.reason or "damaged"
                        frames.pop()
                    else:
                        with self._media.elsewhere():
                            yield *clock.show(frames[-1], self.reason is None), frames.pop()
        except FFmpegError:
            self.reason = self.reason or "cut_off"

    def _to_image(self, frame: Any) -> LoadedImage | None:
        """Convert a frame to an upright image, None where that fails: damaged files state color spaces that do not exist."""
        from av.error import FFmpegError

        try:
            if self._animation:
                return self._animation.to_image(frame)
            return self._converter.image(frame, self._stream.sample_aspect_ratio)
        except (FFmpegError, ImageError, ValueError):
            self.reason = self.reason or "damaged"
            return None
