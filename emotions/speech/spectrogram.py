"""Log-mel spectrograms and their division into windows, shared by training and serving."""

from __future__ import annotations

from functools import cache

import numpy as np

SAMPLE_RATE = 16_000
"""Samples per second."""
FRAME_LENGTH, HOP, FFT_SIZE = 640, 320, 1024
"""Samples of a frame (40 ms), between the starts of frames (20 ms), and of the Fourier transform."""
BANDS, MIN_HZ, MAX_HZ = 64, 50.0, 7600.0
"""Number of mel bands and the frequencies they span."""
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
PIECE_SECONDS = 3600
"""Seconds of a recording whose frames are kept at once; longer recordings are classified in pieces."""
SECOND_BYTES = int(FRAMES_PER_SECOND * (2 * BANDS + 4))
"""Memory for a second of a recording: frames in float16, and the float32 envelope."""
FLOOR_DB = -100.0
"""Level of a band without power, in decibels of full scale."""
RANGE_DB = 60.0
"""Range of levels below the peak that `normalize_level` keeps."""


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram of a recording.

    Frames are not padded, so the frames of a block that starts at a multiple of HOP are those of the whole recording.

    Args:
        samples: (T,) float32 at SAMPLE_RATE, full scale 1.

    Returns:
        (1 + (T - FRAME_LENGTH) // HOP, 64) float32 decibels of full scale, at least FLOOR_DB; no frames for a shorter recording.
    """
    count = max(0, 1 + (len(samples) - FRAME_LENGTH) // HOP)
    if not count:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), FRAME_LENGTH)[::HOP][:count]
    power = np.abs(np.fft.rfft(frames * _hann_window(), FFT_SIZE, axis=1)) ** 2
    energy = power.astype(np.float32) @ _mel_filters().T  # (frames, 64)
    decibels: np.ndarray = (10 * np.log10(np.maximum(energy, 10 ** (FLOOR_DB / 10)))).astype(np.float32)
    return decibels


def normalize_level(frames: np.ndarray) -> np.ndarray:
    """Make log-mel frames independent of the recording's level, which depends on the speaker's distance to the microphone.

    Args:
        frames: (N, 64) decibels.

    Returns:
        (N, 64) float32 in 0..1: 1 is the peak level, 0 is RANGE_DB below it.
    """
    peak = np.percentile(frames.max(axis=1), 98)
    scaled: np.ndarray = np.clip(1 + (frames - peak) / RANGE_DB, 0, 1).astype(np.float32)
    return scaled


def hz_to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Convert frequencies to mel (O'Shaughnessy, "Speech Communication", 1987)."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


@cache
def band_edges() -> np.ndarray:
    """(66,) edges and centres of the mel bands in Hz: band b rises from entry b, peaks at b + 1 and falls to b + 2."""
    return 700 * (10 ** (np.linspace(hz_to_mel(MIN_HZ), hz_to_mel(MAX_HZ), BANDS + 2) / 2595) - 1)


@cache
def _mel_filters() -> np.ndarray:
    """(64, 513) triangular filters of the power spectrum, scaled so that a full-scale sine gives about 0 dB."""
    hertz = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE)
    low, middle, high = band_edges()[:-2, None], band_edges()[1:-1, None], band_edges()[2:, None]
    triangles = np.maximum(0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
    bank: np.ndarray = (triangles * (2 / _hann_window().sum()) ** 2).astype(np.float32)
    return bank


@cache
def _hann_window() -> np.ndarray:
    return np.hanning(FRAME_LENGTH).astype(np.float32)


# Division of a recording's frames into the windows that are classified one by one.

WINDOW_FRAMES = 160
"""Frames of a window: 3.22 s."""
MAX_WINDOW_STEP = 80
"""Maximum number of frames between the starts of windows: they overlap by half."""
SILENCE_DB = 35.0
"""Level below the peak under which a frame counts as a pause, in decibels."""
PEAK_FRAMES = 1000
"""Frames (20 s) of which the peak level is found: the loudest ones, so that long silence does not lower it."""
TRIM_MARGIN = 5
"""Frames kept before the first sound and after the last."""


def loudness(frames: np.ndarray) -> np.ndarray:
    """Level of the strongest band of each frame: (N, 64) decibels to (N,) decibels."""
    loudest: np.ndarray = frames.max(axis=1)
    return loudest


def peak_level(frames: np.ndarray) -> float:
    """98th percentile of the loudness of frames (N, 64), of the PEAK_FRAMES loudest ones, in decibels."""
    levels = loudness(frames)
    if len(levels) > PEAK_FRAMES:
        levels = np.partition(levels, -PEAK_FRAMES)[-PEAK_FRAMES:]
    return float(np.percentile(levels, 98))


def trim_silence(frames: np.ndarray) -> tuple[int, int]:
    """Find the part of a recording without the silence at both ends.

    Args:
        frames: (N, 64) decibels, N at least 1.

    Returns:
        Its first frame and its end, exclusive.
    """
    active = np.flatnonzero(loudness(frames) > peak_level(frames) - SILENCE_DB)
    return max(0, int(active[0]) - TRIM_MARGIN), min(len(frames), int(active[-1]) + TRIM_MARGIN + 1)


def window_starts(count: int) -> list[int]:
    """First frames of the windows over `count` frames: evenly spaced, at most MAX_WINDOW_STEP apart, up to the last frame."""
    if count <= WINDOW_FRAMES:
        return [0]
    steps = -(-(count - WINDOW_FRAMES) // MAX_WINDOW_STEP)
    return [round(step * (count - WINDOW_FRAMES) / steps) for step in range(steps + 1)]


def start_seconds(frame: float) -> float:
    """Time in seconds at which a frame starts."""
    return frame * HOP / SAMPLE_RATE


def end_seconds(frame: float) -> float:
    """Time in seconds at which the frame before `frame` ends."""
    return ((frame - 1) * HOP + FRAME_LENGTH) / SAMPLE_RATE
