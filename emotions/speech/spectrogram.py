"""Log-mel spectrograms: the ONE function from sound to what the speech network sees, for training and for serving."""

from __future__ import annotations

from functools import cache

import numpy as np

RATE = 16_000
"""Samples a second."""
WINDOW, HOP, FOURIER = 640, 320, 1024
"""Samples a frame (40 ms), from frame to frame (20 ms), and of the Fourier transform."""
BANDS, LOWEST, HIGHEST = 64, 50.0, 7600.0
"""Mel bands, and the frequencies in Hz between which they lie."""
FRAMES_A_SECOND = RATE / HOP
FLOOR_DB = -100.0
"""Decibels of full scale of a band without any power."""
RANGE_DB = 60.0
"""Decibels below its loudest frames that a window keeps."""


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Samples (T,) float32 at 16 kHz, full scale 1 -> (frames, 64) float32 decibels, not below FLOOR_DB.

    There are 1 + (T - WINDOW) // HOP frames (none of a shorter sound): no padding, so that the frames of a piece that begins
    at a multiple of HOP are those of the whole.
    """
    count = max(0, 1 + (len(samples) - WINDOW) // HOP)
    if not count:
        return np.zeros((0, BANDS), np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(pieces * _taper(), FOURIER, axis=1)) ** 2
    energy = power.astype(np.float32) @ _filters().T  # (frames, 64)
    decibels: np.ndarray = (10 * np.log10(np.maximum(energy, 10 ** (FLOOR_DB / 10)))).astype(np.float32)
    return decibels


def normalised(frames: np.ndarray) -> np.ndarray:
    """Log-mel frames (N, 64) -> float32 in 0..1: 1 is the level of the loudest frames, 0 is RANGE_DB below.

    Whoever speaks louder, or nearer to the microphone, gives the same picture.
    """
    peak = np.percentile(frames.max(axis=1), 98)
    scaled: np.ndarray = np.clip(1 + (frames - peak) / RANGE_DB, 0, 1).astype(np.float32)
    return scaled


def mel_of(hertz: np.ndarray | float) -> np.ndarray:
    """Frequency -> mel (O'Shaughnessy, "Speech Communication", 1987)."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


@cache
def centres() -> np.ndarray:
    """Edges and centres (66,) in Hz: band b rises from entry b, peaks at b + 1 and falls to b + 2."""
    return 700 * (10 ** (np.linspace(mel_of(LOWEST), mel_of(HIGHEST), BANDS + 2) / 2595) - 1)


@cache
def _filters() -> np.ndarray:
    """Triangles (64, 513) of unit height over the power spectrum, scaled so that a full-scale sine gives about 0 dB."""
    hertz = np.fft.rfftfreq(FOURIER, 1 / RATE)
    low, middle, high = centres()[:-2, None], centres()[1:-1, None], centres()[2:, None]
    triangles = np.maximum(0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
    bank: np.ndarray = (triangles * (2 / _taper().sum()) ** 2).astype(np.float32)
    return bank


@cache
def _taper() -> np.ndarray:
    return np.hanning(WINDOW).astype(np.float32)


# A recording's log-mel frames -> the windows that are read one by one, the same for training and for serving.

FRAMES = 160
"""Frames of a window: 3.22 s."""
STEP = 80
"""Most frames from one window to the next: they overlap by half."""
QUIET_DB = 35.0
"""Decibels below the loudest frames from which on a frame counts as a pause."""
MARGIN = 5
"""Frames kept before the first sound and after the last."""


def loudness(frames: np.ndarray) -> np.ndarray:
    """Log-mel frames (N, 64) -> (N,) decibels of each frame's strongest band."""
    loudest: np.ndarray = frames.max(axis=1)
    return loudest


def peak_level(frames: np.ndarray) -> float:
    """Decibels that 2 % of the frames (N, 64) exceed in their strongest band."""
    return float(np.percentile(loudness(frames), 98))


def active(frames: np.ndarray) -> tuple[int, int]:
    """First frame and the one behind the last of what is left when the silence at both ends goes."""
    heard = np.flatnonzero(loudness(frames) > peak_level(frames) - QUIET_DB)
    return max(0, int(heard[0]) - MARGIN), min(len(frames), int(heard[-1]) + MARGIN + 1)


def starts(count: int) -> list[int]:
    """Where windows begin in `count` frames: evenly spaced, at most STEP apart, the last ending with the sound."""
    if count <= FRAMES:
        return [0]
    steps = -(-(count - FRAMES) // STEP)
    return [round(step * (count - FRAMES) / steps) for step in range(steps + 1)]


def seconds_of(frames: float) -> float:
    """Time at which that frame begins."""
    return frames * HOP / RATE


def seconds_to(frames: float) -> float:
    """Time at which the frame before that one ends."""
    return ((frames - 1) * HOP + WINDOW) / RATE
