"""Times of decoded frames in seconds: when each appears, and when the next one replaces it."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator
from statistics import median
from typing import Any

MAX_TIME = 1e6
"""Seconds (eleven days): a later time stamp is broken."""
MAX_UPCOMING = 64
"""Time stamps of packets that are remembered: decoders reorder and hold back fewer frames."""
RECENT_STEPS = 31
"""Frames whose median duration stands for one that is not known."""
MAX_ASSUMED = 10.0
"""Seconds of the last frame that are believed where only a header states them."""
RESTART = 1.0
"""Seconds by which time stamps jump back where they restart, as in recordings that were joined."""
DECODING_TIMES = ("avi", "asf", "mpegvideo")
"""FFmpeg's names of the formats that state in which order frames are decoded, and not when they are shown. FFmpeg guesses the
latter, which is wrong where H.264 or MPEG-1 reorders frames."""


class Clock:
    """Seconds of decoded frames since the beginning of the video, which never decrease.

    Time stamps may be negative, repeated or missing, or restart. The next frame's is known from the packets, so that no second
    frame must be decoded for it, see `read_ahead`. Where the file has times of decoding alone (DECODING_TIMES), a frame is shown
    when the packet is decoded that makes the decoder give it, less the delay of the first frame.

    Args:
        container: Input container of PyAV.
        stream: Its video stream.
        indexed: True if the container lists the duration of every frame, as MP4 and MOV do: the last frame has the rest of the
            stream's duration however long that is.
    """

    def __init__(self, container: Any, stream: Any, indexed: bool) -> None:
        self._step = 1 / min(max(float(stream.average_rate or 25), 1), 240)
        # Matroska has a tag of four letters where a codec was stored as in AVI, with the times of AVI.
        is_copied = container.format.name.startswith("matroska") and stream.codec_context.codec_tag.strip("\0") != ""
        self._by_decoding = is_copied or container.format.name in DECODING_TIMES
        self._is_reordered = bool(stream.codec_context.has_b_frames)
        self._first: float | None = None
        self._delay: float | None = None
        self._start, self._indexed = container.start_time, indexed
        self._end: float | None = None
        if stream.duration:
            self._end = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
        elif container.duration:
            self._end = container.duration / 1e6  # of Matroska: a time stamp, whatever the first one is
        self._origin: float | None = None
        self._last: float | None = None
        self._upcoming: list[float] = []
        self._steps: deque[float] = deque(maxlen=RECENT_STEPS)
        self._is_complete = False

    def note(self, packet: Any) -> None:
        """Note the time stamp of a packet of the stream; an empty one is its end."""
        if packet.pts is None and packet.dts is None and not packet.size:
            self._is_complete = True
        stamp = packet.dts if packet.pts is None or self._by_decoding else packet.pts
        if stamp is not None and packet.size and not packet.is_discard:
            time = float(stamp * packet.time_base)
            self._first = time if self._first is None else self._first
            insort(self._upcoming, time)
            del self._upcoming[MAX_UPCOMING:]

    def show(self, frame: Any, is_intact: bool) -> tuple[float, float]:
        """Return the seconds at which the next decoded frame appears and at which it is replaced.

        Args:
            frame: Frame of PyAV.
            is_intact: False if the file is known to be cut off or damaged: it is then shorter than it states.
        """
        stated, step = (frame.dts, self._typical_step(frame)) if self._by_decoding else (frame.pts, self._step)
        if stated is None:
            time = 0.0 if self._last is None else self._last + step
        else:
            stamp = float(stated * frame.time_base)
            del self._upcoming[: bisect_right(self._upcoming, stamp)]
            if self._delay is None:
                is_late = self._by_decoding and self._is_reordered and self._first is not None
                self._delay = max(0.0, stamp - (self._first or 0.0)) if is_late else 0.0
            time = self._since_start(stamp - self._delay)
        if self._last is not None:
            time = max(self._last, time)
            if time > self._last:
                self._steps.append(time - self._last)
        self._last = time
        if stated is not None and self._upcoming:
            return time, max(time, self._upcoming[0] - (self._delay or 0.0) - (self._origin or 0.0))
        if stated is None or self._delay or not self._is_complete:  # of the frames that are delayed, more may follow
            return time, time + step
        return time, self._end_of_last(frame, is_intact)

    def _since_start(self, stamp: float) -> float:
        if self._origin is None:
            self._origin = stamp if self._start is None else min(stamp, self._start / 1e6)
        elif self._last is not None and stamp - self._origin < self._last - RESTART:
            self._origin = stamp - self._last - self._typical_step()
        return stamp - self._origin

    def _end_of_last(self, frame: Any, is_intact: bool) -> float:
        """Return the end of the last frame: that of the stream, else after the median duration of the frames before."""
        assert self._last is not None
        if is_intact and self._end is not None:
            end = self._end - (self._origin or 0.0)
            if end > self._last and (self._indexed or end - self._last <= MAX_ASSUMED):
                return end
        return self._last + self._typical_step(frame)

    def _typical_step(self, frame: Any = None) -> float:
        """Return the median duration of the frames before; where there is none, that which a frame states, or by the rate."""
        if self._steps:
            return median(self._steps)
        stated = float(frame.duration * frame.time_base) if frame and frame.duration else self._step
        return min(stated, MAX_ASSUMED)


def held_seconds(seconds: float, fps: float) -> float:
    """Return the seconds from the first to the last sampling time at which a frame is on screen.

    Args:
        seconds: Duration of the frame.
        fps: Frames that are sampled a second. At a frame rate that is constant and at least as high the result is 0.
    """
    return max(0, round(seconds * fps) - 1) / fps


def read_ahead(packets: Iterator[Any], clock: Clock) -> Iterator[Any]:
    """Yield the packets of a stream, each when the one behind it has been read and noted; an error follows what was read."""
    error: Exception | None = None
    packet = next(packets, None)
    if packet is not None:
        clock.note(packet)
    while packet is not None:
        following = None
        try:
            following = next(packets, None)
        except Exception as caught:
            error = caught
        if following is not None:
            clock.note(following)
        yield packet
        if error is not None:
            raise error
        packet = following


def check_part(start: float, end: float | None) -> None:
    """Check a part of a video, in seconds. Raises ValueError where it is none."""
    if not 0 <= start <= MAX_TIME:
        raise ValueError(f"start must be seconds from 0 to {MAX_TIME:,.0f}, not {start}")
    if end is not None and not end > start:
        raise ValueError(f"end must be after start, which is {start:g} s, not {end}")
