"""A recording's log-mel frames -> the windows that are read one by one, the same for training and for serving."""

from __future__ import annotations

import numpy as np

from .spectrogram import HOP, RATE, WINDOW

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
    return frames.max(axis=1)


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
