"""Writer of MP4 files that browsers play: H.264 in yuv420p, the index at the front, no audio."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VideoError
from ..runtime.memory import MB

TIME_BASE = 90_000
"""Ticks a second of the time stamps, as in MPEG: the frame times of any camera fit."""
MIN_BITRATE = 60_000
"""Bits a second below which no video is compressed."""
SIZE_MARGIN = 0.9
"""Fraction of a size limit that the bit rate aims at."""
# Short lookahead in one thread: with its defaults x264 holds forty frames, 60 MB at this size.
ENCODER = {"preset": "veryfast", "crf": "23", "x264-params": "rc-lookahead=4:sync-lookahead=0:bframes=1:ref=1:log-level=error"}
ENCODER_BYTES = 28 * MB
"""Memory that the encoder takes for frames of 1,024 x 576 pixels."""


class VideoWriter:
    """Writer of an MP4. Use it in `with`: an error then leaves no file behind.

    Args:
        path: File to write; it is complete only after `close`.
        max_bytes: Size that the file shall hardly exceed; the image quality is reduced instead. None for no limit.
        seconds: Expected duration, needed with `max_bytes`.
    """

    def __init__(self, path: Path, max_bytes: int | None = None, seconds: float = 0.0) -> None:
        """Choose the bit rate; the file is opened with the first frame."""
        self.path = Path(path)
        self._options = dict(ENCODER)
        if max_bytes is not None:
            bits = max(MIN_BITRATE, int(SIZE_MARGIN * max_bytes * 8 / max(seconds, 1.0)))
            self._options |= {"maxrate": str(bits), "bufsize": str(2 * bits)}
        self._output: Any = None
        self._stream: Any = None
        self._last_pts = -1
        self._end: int | None = None

    def __enter__(self) -> VideoWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the file, or remove it after an error."""
        if kind is None:
            self.close()
        else:
            self._discard()

    def add(self, time: float, pixels: np.ndarray, until: float | None = None) -> None:
        """Append a frame.

        Args:
            time: Seconds from which it is shown; times must increase.
            pixels: (H, W, 3) uint8 RGB, of the same size for all frames.
            until: Seconds up to which it is shown if it is the last one; None for a thirtieth of a second.
        """
        import av

        even = _even(pixels)
        if self._output is None:
            self._open(even.shape[1], even.shape[0])
        frame = av.VideoFrame.from_ndarray(even, "rgb24")
        frame.time_base = Fraction(1, TIME_BASE)
        frame.pts = self._last_pts = max(self._last_pts + 1, round(time * TIME_BASE))
        self._end = None if until is None else round(until * TIME_BASE)
        self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file. Raises VideoError if no frame was added."""
        if self._output is None:
            raise VideoError("truncated_video", "There is no frame to write.")
        try:
            for packet in self._lasting(self._stream.encode()):
                self._output.mux(packet)
            self._output.close()
        except BaseException:
            self._discard()
            raise

    def _lasting(self, packets: list[Any]) -> list[Any]:
        """Let the last frame, which is among the last packets, be shown until its end.

        The file ends with the packet that is shown last, its track with the one that is decoded last.
        """
        end = self._end
        if end is not None and end > self._last_pts and packets:
            for packet in packets:
                if packet.pts == self._last_pts:
                    packet.duration = end - self._last_pts
            packets[-1].duration = max(packets[-1].duration, end - packets[-1].pts)
        return packets

    def _open(self, width: int, height: int) -> None:
        import av

        self._output = av.open(str(self.path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._output.add_stream("libx264", rate=30, options=self._options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TIME_BASE)
        self._stream.codec_context.thread_count = 1

    def _discard(self) -> None:
        if self._output is not None:
            self._output.close()
        self.path.unlink(missing_ok=True)


def _even(pixels: np.ndarray) -> np.ndarray:
    """Cut off an odd row and column, which yuv420p does not have; a single one is repeated."""
    for axis in (0, 1):
        if pixels.shape[axis] == 1:
            pixels = pixels.repeat(2, axis)
    return np.ascontiguousarray(pixels[: pixels.shape[0] & ~1, : pixels.shape[1] & ~1])
