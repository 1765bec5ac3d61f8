"""Cleaning of recordings before they are classified, in training and serving alike: channels, rumble, hum, bandwidth, noise.

1. Channels are mixed to one, unless they cancel each other or but one is live: then the one with the loudest voice is used.
2. A high-pass filter removes a DC offset and rumble.
3. Stationary noise in the lowest bands, such as mains hum and its harmonics, is subtracted from the spectrogram (Boll,
   "Suppression of Acoustic Noise in Speech Using Spectral Subtraction", 1979).
4. What has lost its high frequencies, as on a telephone, is recognized. Its bands beyond a telephone's are emptied, so that all
   such recordings look like those that the model was trained on.
5. A background that is nearly as loud as the voice is recognized: the answer would be a guess.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from .spectrogram import BANDS, FLOOR_DB, SAMPLE_RATE, SILENCE_DB, band_edges, loudness, peak_level, trim_silence

HIGH_PASS_HZ = 80
"""Corner frequency of the high-pass filter (two poles): below the lowest voices."""
MIN_MEAN_SHARE = 0.3
"""Power of the mean of two channels, relative to the louder one, below which that one is used. One for equal channels, a half for
unrelated ones, a quarter where one is dead, none for opposite ones."""
MIN_SURROUND_SHARE = 0.01
"""The same of the mix of three channels or more, to which channels of some positions contribute little."""
MIN_OFFSET = 2.0
"""DC offset, in standard deviations of the beginning of a recording, from which it is removed before the filter: the step to it
would be the loudest sound."""
NOISE_BANDS, NOISE_PERCENTILE, NOISE_FACTOR = 8, 10, 1.5
"""Lowest bands (up to 350 Hz) from which noise is subtracted; its power is that percentile over time, times the factor."""
MIN_NOISE_FRAMES = 50
"""Frames (1 s) from which the noise is measured."""
MAX_REDUCTION_DB = 25.0
"""Decibels by which a band is lowered at most."""
HIGH_HZ = 4600.0, 7000.0
"""Frequencies that a telephone does not transmit."""
UPPER_HZ = 2200.0, 3200.0
"""The upper frequencies that it does transmit."""
HIGH_PERCENTILE, MIN_HIGH_DB = 95, -46.5
"""Level of these frequencies, relative to the peak, that the loudest audible frames (percentile) reach in full-band speech."""
LOW_HZ = 90.0, 260.0
"""Frequencies that an analog telephone does not transmit; on a digital one they are there."""
TELEPHONE_HZ = 310.0, 3300.0
"""Frequencies that are kept of a telephone's."""
EMPTY_DB = -200.0
"""Level of the other bands: below any that counts."""

SNR_HZ = 250.0, 2800.0
"""Frequencies in which signal and noise are compared: without hum, and within a telephone's band."""
LOUD_PERCENTILE, QUIET_PERCENTILE = 90, 5
"""Frames of speech and of its short pauses, by their power."""
MAX_PAUSE_FRAMES = 50
"""Frames (1 s) before and after an audible one that count as a pause of speech; what is further away says nothing about it."""
MIN_SNR_DB = 22.0
"""Signal-to-noise ratio below which a recording is too noisy, chosen on RAVDESS' actors 1 to 20: none of their clips is below it,
70 % of those with babble at 0 dB are, 15 % at 10 dB, and with white noise at 10 dB all. At 0 dB answers are little better than
guesses (17 % right on other actors)."""


class HighPass:
    """High-pass filter for mono float32 samples at 16 kHz that come piece by piece; the state goes on from piece to piece."""

    def __init__(self) -> None:
        """Build FFmpeg's filter."""
        import av.filter

        graph = av.filter.Graph()
        source = graph.add_abuffer(format="flt", sample_rate=SAMPLE_RATE, layout="mono", time_base=Fraction(1, SAMPLE_RATE))
        high_pass = graph.add("highpass", f"f={HIGH_PASS_HZ}:poles=2")
        self._sink = graph.add("abuffersink")
        graph.link_nodes(source, high_pass, self._sink).configure()
        self._source, self._graph, self._position = source, graph, 0
        self._offset = np.float32(0)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Filter (n,) finite float32 samples; returns as many."""
        import av

        if not len(samples):
            return samples
        if not self._position:
            mean = np.float32(samples.mean(dtype=np.float64))
            self._offset = mean if abs(mean) > MIN_OFFSET * samples.std(dtype=np.float64) else np.float32(0)
        if self._offset:
            samples = samples - self._offset
        frame: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), "flt", "mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), self._position
        self._position += len(samples)
        self._source.push(frame)
        filtered: Any = self._sink.pull()
        result: np.ndarray = filtered.to_ndarray()[0]
        return result


class ChannelMixer:
    """Mix of channels to one that does not lose a voice of which channels have opposite signs, or which only one has.

    Args:
        weights: (C,) weights of the channels in the mix; by default those of the mean of two.
    """

    def __init__(self, weights: np.ndarray | None = None) -> None:
        """Start without any sound heard."""
        self._weights = np.full(2, 0.5) if weights is None else weights
        self._power = np.zeros(len(self._weights) + 1)  # of each channel and of the mix, over all that was heard

    def __call__(self, channels: np.ndarray) -> np.ndarray:
        """Mix (C, n) float samples to (n,): the mix, or the loudest channel where the mix has lost most of its power.

        The power is that of the differences of samples, so that an offset or hum of a dead channel is not taken for a voice.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mix = self._weights @ channels
            changes = (np.diff(values) for values in (*channels, mix))
            power = np.array([np.dot(values, values) for values in changes], np.float64)
        if np.isfinite(power).all():
            self._power += power
        loudest = int(self._power[:-1].argmax())
        share = MIN_MEAN_SHARE if len(channels) == 2 else MIN_SURROUND_SHARE
        mixed: np.ndarray = mix if self._power[-1] >= share * self._power[loudest] else channels[loudest]
        return mixed


def subtract_noise(frames: np.ndarray) -> None:
    """Subtract stationary noise from the lowest bands of log-mel frames, in place.

    Args:
        frames: (N, 64) decibels, any float type; shorter ones than MIN_NOISE_FRAMES stay as they are.
    """
    if len(frames) < MIN_NOISE_FRAMES:
        return
    power = 10 ** (frames[:, :NOISE_BANDS].astype(np.float32) / 10)
    noise = NOISE_FACTOR * np.percentile(power, NOISE_PERCENTILE, axis=0).astype(np.float32)
    cleaned = 10 * np.log10(np.maximum(power - noise, power * 10 ** (-MAX_REDUCTION_DB / 10)))
    frames[:, :NOISE_BANDS] = np.maximum(cleaned, FLOOR_DB)


def signal_to_noise(frames: np.ndarray) -> float:
    """Estimate the ratio of speech to background, the background included in both, as other voices or noise fill pauses.

    Args:
        frames: (N, 64) decibels.

    Returns:
        Power of the loud frames over that of the quiet ones in decibels, without silence at both ends and long pauses; infinite
        for fewer than MIN_NOISE_FRAMES, which may have no pause.
    """
    first, last = trim_silence(frames) if len(frames) else (0, 0)
    if last - first < MIN_NOISE_FRAMES:
        return float("inf")
    middle = band_edges()[1:-1]
    audible = np.flatnonzero(loudness(frames[first:last]) > peak_level(frames) - SILENCE_DB)
    near = np.zeros(last - first + 1, np.int64)
    np.add.at(near, np.maximum(0, audible - MAX_PAUSE_FRAMES), 1)
    np.add.at(near, np.minimum(last - first, audible + MAX_PAUSE_FRAMES + 1), -1)
    speech = frames[first:last, (middle > SNR_HZ[0]) & (middle < SNR_HZ[1])][near.cumsum()[:-1] > 0].astype(np.float32)
    level = 10 * np.log10(np.sum(10 ** (speech / 10), axis=1))
    loud, quiet = np.percentile(level, (LOUD_PERCENTILE, QUIET_PERCENTILE))
    return float(loud - quiet)


def is_narrow_band(frames: np.ndarray) -> bool:
    """Return True if a recording has no high frequencies, as over a telephone or at 8 kHz.

    Args:
        frames: (N, 64) decibels, N at least 1.
    """
    return _lacks(frames, HIGH_HZ)


def is_below_telephone(frames: np.ndarray) -> bool:
    """Return True if a recording, (N, 64) decibels with N at least 1, has not even the upper frequencies of a telephone."""
    return _lacks(frames, UPPER_HZ)


def _lacks(frames: np.ndarray, hertz: tuple[float, float]) -> bool:
    """Return True if nothing audible reaches MIN_HIGH_DB between two frequencies."""
    middle = band_edges()[1:-1]
    audible = frames[loudness(frames) > peak_level(frames) - SILENCE_DB]
    high = audible[:, (middle > hertz[0]) & (middle < hertz[1])].astype(np.float32)
    level = 10 * np.log10(np.mean(10 ** (high / 10), axis=1))
    return bool(np.percentile(level, HIGH_PERCENTILE) - peak_level(frames) < MIN_HIGH_DB)


def missing_bands(frames: np.ndarray) -> np.ndarray:
    """Find the bands that a recording of a telephone's bandwidth does not have, or has only in part.

    Args:
        frames: (N, 64) decibels, N at least 1.

    Returns:
        (64,) bool, none of a full-band recording: those above TELEPHONE_HZ[1] where it `is_narrow_band`, those below
        TELEPHONE_HZ[0] too if it has no low frequencies either, as on an analog line.
    """
    if not is_narrow_band(frames):
        return np.zeros(BANDS, bool)
    return outside_telephone(_lacks(frames, LOW_HZ))


def outside_telephone(low: bool) -> np.ndarray:
    """Bands (64,) bool above a telephone's, and below it too if `low`."""
    middle = band_edges()[1:-1]
    outside: np.ndarray = (middle > TELEPHONE_HZ[1]) | (low & (middle < TELEPHONE_HZ[0]))
    return outside


def without_bands(frames: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Empty bands (64,) bool of log-mel frames (N, 64) in decibels; returns a copy where there is one to empty."""
    return np.where(bands, np.float32(EMPTY_DB), frames) if bands.any() else frames
