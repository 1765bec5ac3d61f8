"""Conversion of decoded sound of any format to mono float32 at 16 kHz, without DC offset and rumble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import AudioError
from .cleaning import ChannelMixer, HighPass
from .spectrogram import SAMPLE_RATE

MAX_AMPLITUDE = 1e6
"""Samples beyond it (full scale is 1) are clipped: the square of 1e30 is infinite in float32. Some programs write 16-bit values
as they are into files of floating-point numbers."""
SLICE = 2**14
"""Samples that are resampled at once, and that this gives at most."""


class Resampler:
    """Conversion of frames of one format to mono at 16 kHz.

    Args:
        frame: A frame of the format.
    """

    def __init__(self, frame: Any) -> None:
        import av

        self._fifo: Any = None
        self._resampler: Any = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        # PyAV crashes on the arrays of frames with 8 or more planes
        many = frame.format.is_planar and frame.layout.nb_channels > 2
        self._packed: Any = av.AudioResampler("flt", frame.layout, frame.sample_rate) if many else None
        self._mix = ChannelMixer(_mix_weights(frame)) if frame.layout.nb_channels > 1 else None
        self._high_pass = HighPass()

    def resample(self, frame: Any) -> Iterator[np.ndarray]:
        """Yield (n,) float32 arrays, of a frame in small pieces. Raises AudioError where FFmpeg cannot convert it."""
        frame.pts = None  # timestamps of a damaged file jump, and the resampler would fill the gaps
        size = min(SLICE, SLICE * frame.sample_rate // SAMPLE_RATE)
        for piece in (frame,) if frame.samples <= size else self._slices(frame, size):
            for part in self._converted(self._packed, piece) if self._packed else (piece,):
                yield from self._convert(_mixed(part, self._mix) if self._mix else part)

    def flush(self) -> list[np.ndarray]:
        """Return what is left."""
        return self._convert(None)

    def _convert(self, frame: Any) -> list[np.ndarray]:
        return [self._high_pass(_finite(one.to_ndarray()[0])) for one in self._converted(self._resampler, frame)]

    @staticmethod
    def _converted(resampler: Any, frame: Any) -> list[Any]:
        from av.error import FFmpegError

        try:
            return list(resampler.resample(frame))
        except (FFmpegError, ValueError):
            raise AudioError("unsupported_sound", "The samples of this recording cannot be converted.") from None

    def _slices(self, frame: Any, size: int) -> Iterator[Any]:
        import av

        fifo = self._fifo = self._fifo or av.AudioFifo()
        fifo.write(frame)
        while fifo.samples:
            piece: Any = fifo.read(size, partial=True)
            piece.pts = None
            yield piece


def _mix_weights(frame: Any) -> np.ndarray:
    """Return the weights (C,) with which FFmpeg mixes a frame's channels to mono; equal ones where it does not know how.

    It does not for 9 or 32 channels that have no names, say. Channels are tried one by one, with the others silent.
    """
    import av

    count = frame.layout.nb_channels
    equal = np.full(count, 1 / count)
    if count == 2:
        return equal
    weights = []
    for channel in range(count):
        values = np.zeros((16, count), np.float32)
        values[:, channel] = 0.5
        try:
            single = av.AudioFrame.from_ndarray(values.reshape(1, -1), "flt", frame.layout.name)
            single.sample_rate = SAMPLE_RATE
            mono = av.AudioResampler("flt", "mono", SAMPLE_RATE).resample(single)
            weights.append(2 * float(mono[0].to_ndarray()[0, 8]))
        except (av.error.FFmpegError, ValueError):
            return equal
    return np.array(weights) if any(weights) else equal


def _finite(samples: np.ndarray) -> np.ndarray:
    """Replace what is no number, and clip the rest: float WAV files may contain anything."""
    finite: np.ndarray = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    return finite.clip(-MAX_AMPLITUDE, MAX_AMPLITUDE)


def _mixed(frame: Any, mix: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Mix a frame to mono by a function of its channels, (C, n) floats of full scale 1, to (n,)."""
    import av

    samples = frame.to_ndarray()
    channels = frame.layout.nb_channels
    values = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / 128 - 1
    elif values.dtype.kind == "i":
        values = values / np.float64(-np.iinfo(values.dtype).min)
    with np.errstate(over="ignore", invalid="ignore"):
        mono = mix(values)[None].astype(np.float32)
    mixed = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono), "flt", "mono")
    mixed.sample_rate = frame.sample_rate
    return mixed
