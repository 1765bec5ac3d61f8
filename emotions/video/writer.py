"""Annotated pictures in, an MP4 out that browsers play: H.264 in yuv420p, its index at the front, no sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VideoError

TICKS = 90_000
"""Parts of a second in which times are written, as MPEG has it: the frame times of any camera fit."""
LEAST_BITS, MARGIN = 60_000, 0.9
"""Bits a second below which no film is squeezed; the share of a size limit that is aimed at."""
# Few frames are looked ahead, in one thread: x264's defaults hold forty, 60 MB at this size.
ENCODER = {"preset": "veryfast", "crf": "23", "x264-params": "rc-lookahead=10:sync-lookahead=0:bframes=2:ref=2:log-level=error"}


class VideoWriter:
    """Writes an MP4 to `path`, which exists in full only after `close`; use it in `with`: an error leaves no file behind.

    `most`: bytes that the film of `seconds` shall not exceed by much; its pictures get coarser instead.
    """

    def __init__(self, path: Path, most: int | None = None, seconds: float = 0.0) -> None:
        self.path = Path(path)
        self._options = dict(ENCODER)
        if most is not None:
            bits = max(LEAST_BITS, int(MARGIN * most * 8 / max(seconds, 1.0)))
            self._options |= {"maxrate": str(bits), "bufsize": str(2 * bits)}
        self._output: Any = None
        self._stream: Any = None
        self._last = -1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def add(self, time: float, pixels: np.ndarray) -> None:
        """A picture (H, W, 3) uint8 RGB, all of one size, shown from `time` seconds on; times must grow."""
        import av

        even = np.ascontiguousarray(pixels[: pixels.shape[0] & ~1 or None, : pixels.shape[1] & ~1 or None])
        if self._output is None:
            self._open(even.shape[1], even.shape[0])
        frame = av.VideoFrame.from_ndarray(even, "rgb24")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(self._last + 1, round(time * TICKS))
        self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file. VideoError where no picture was added."""
        if self._output is None:
            raise VideoError("truncated_video", "There is no picture to write.")
        try:
            self._output.mux(self._stream.encode())
            self._output.close()
        except BaseException:
            self._discard()
            raise

    def _open(self, width: int, height: int) -> None:
        import av

        self._output = av.open(str(self.path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._output.add_stream("libx264", rate=30, options=self._options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.codec_context.thread_count = 1

    def _discard(self) -> None:
        if self._output is not None:
            self._output.close()
        self.path.unlink(missing_ok=True)
