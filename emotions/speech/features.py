"""Acoustic features of a window of log-mel frames, shared by training and serving.

They are functionals (statistics over time) of the kind collected by Schuller et al. ("The INTERSPEECH 2013 Computational
Paralinguistics Challenge"): cepstra and their changes (timbre), fine structure of the spectrum (harmonics, pitch) and modulation
spectra (how fast loudness and timbre change). None depends on the level of the recording.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .spectrogram import BANDS, RANGE_DB, SILENCE_DB, normalize_level

CEPSTRA = 24
MIN_FRAMES = 3
"""Minimum number of voiced frames for statistics over time; if there are fewer, the loudest frames are used."""
MODULATION_FFT = 256
"""Points of the Fourier transform over time: 50 frames per second give steps of 0.2 Hz."""
MODULATION_BANDS = ((1, 4), (4, 8), (8, 12), (12, 18), (18, 26), (26, 40), (40, 60), (60, 128))
"""Ranges of those points that are averaged: 0.2 to 25 Hz; syllables come at 2 to 8 Hz."""
LOW_BANDS, HARMONIC_BANDS = 28, 40
"""Bands below 660 Hz, where pitch lies, and below 1,220 Hz, where its harmonics are still resolved."""
FINE_BANDS = 48
SMOOTHING = 7
"""Bands of the moving average that separates harmonics from formants."""


def extract(frames: np.ndarray) -> np.ndarray:
    """Compute the features of a window.

    Args:
        frames: (N, 64) log-mel frames in decibels, N at least 1.

    Returns:
        (features,) float32; the number of features does not depend on N.
    """
    if len(frames) < MIN_FRAMES:
        frames = np.repeat(frames, MIN_FRAMES, axis=0)
    mel = normalize_level(frames.astype(np.float32))  # (N, 64), 0..1
    level = mel.max(axis=1)
    voiced = _voiced_frames(level)
    cepstra = mel @ _cosine_transform().T  # (N, 24)
    fine = mel - _smoothed(mel)
    parts = [
        _moments(cepstra[voiced]), *_deltas(cepstra, voiced),
        mel[voiced].mean(axis=0), mel[voiced].std(axis=0), np.percentile(mel[voiced], (10, 50, 90), axis=0),
        _loudest_frames(cepstra, level, voiced), _segment_means(cepstra, voiced), _level(level, voiced), _low_band(mel[voiced]),
        _modulation(mel.reshape(len(mel), BANDS // 4, 4).mean(axis=2), voiced), _modulation(cepstra[:, :16], voiced),
        *_fine_structure(fine, voiced), _pitch(fine, level, voiced), _autocorrelation(fine[voiced]),
    ]  # fmt: skip
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


def _voiced_frames(level: np.ndarray) -> np.ndarray:
    """(N,) bool: frames that are not a pause."""
    voiced = level > 1 - SILENCE_DB / RANGE_DB
    if voiced.sum() < MIN_FRAMES:
        voiced = np.zeros(len(level), bool)
        voiced[np.argsort(level)[-MIN_FRAMES:]] = True
    return voiced


def _moments(rows: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, and roots of skewness and kurtosis over time."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-4
    scaled = (rows - mean) / deviation
    return np.stack([mean, deviation, np.cbrt((scaled**3).mean(axis=0)), (np.clip(scaled, -4, 4) ** 4).mean(axis=0) ** 0.25])


def _deltas(cepstra: np.ndarray, voiced: np.ndarray) -> list[np.ndarray]:
    """Spread of the cepstra's first and second derivatives (deltas and delta-deltas)."""
    delta = _slope(cepstra)
    return [np.stack([change[voiced].std(axis=0), np.abs(change[voiced]).mean(axis=0)]) for change in (delta, _slope(delta))]


def _slope(rows: np.ndarray) -> np.ndarray:
    return np.gradient(rows, axis=0) if len(rows) > 1 else np.zeros_like(rows)


def _loudest_frames(cepstra: np.ndarray, level: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Cepstra of the loudest 40 % of the voiced frames, which are mostly vowels."""
    loud = level >= np.percentile(level[voiced], 60)
    return np.stack([cepstra[loud].mean(axis=0), cepstra[loud].std(axis=0)])


def _segment_means(cepstra: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Mean cepstra of the first, middle and last third of the voiced frames, relative to the overall mean."""
    mean = cepstra[voiced].mean(axis=0)
    return np.stack([(cepstra[part].mean(axis=0) - mean)[:13] for part in np.array_split(np.flatnonzero(voiced), 3)])


def _level(level: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Loudness over time: mean, spread, share of voiced frames, duration, and slope of its rises."""
    loud, change = level[voiced], np.diff(level, prepend=level[0])
    rise = np.maximum(change, 0)
    return np.array([
        loud.mean(), loud.std(), voiced.mean(), len(level) / 160, np.abs(change).mean(), rise.std(),
        *np.percentile(loud, (10, 25, 50, 75)), *np.percentile(rise, (50, 90, 98)),
    ])  # fmt: skip


def _low_band(mel: np.ndarray) -> np.ndarray:
    """Centroid and strongest band below 660 Hz, which follow pitch."""
    low = mel[:, :LOW_BANDS]
    centroid = (low * np.arange(LOW_BANDS)).sum(axis=1) / np.maximum(low.sum(axis=1), 1e-3)
    strongest = low.argmax(axis=1)
    return np.array((centroid.mean(), centroid.std(), strongest.mean(), strongest.std(), *np.percentile(strongest, (10, 90))))


def _modulation(rows: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Log modulation spectrum of each column in MODULATION_BANDS; pauses count as the mean."""
    moving = (rows - rows[voiced].mean(axis=0)) * voiced[:, None]
    spectrum = np.abs(np.fft.rfft(moving, MODULATION_FFT, axis=0)) / np.sqrt(len(rows))
    return np.log(np.stack([spectrum[low:high].mean(axis=0) for low, high in MODULATION_BANDS]) + 1e-3)


def _smoothed(mel: np.ndarray) -> np.ndarray:
    """Moving average over SMOOTHING bands."""
    padded = np.pad(mel, ((0, 0), (SMOOTHING // 2 + 1, SMOOTHING // 2)), mode="edge").cumsum(axis=1)
    smoothed: np.ndarray = (padded[:, SMOOTHING:] - padded[:, :-SMOOTHING]) / SMOOTHING
    return smoothed


def _fine_structure(fine: np.ndarray, voiced: np.ndarray) -> list[np.ndarray]:
    """Strength of the harmonics and its changes by band, and over all low bands as a measure of voicing."""
    size, change = np.abs(fine), np.abs(np.diff(fine, axis=0, prepend=fine[:1]))
    voicing = size[:, :32].mean(axis=1)
    moving = np.abs(np.diff(voicing, prepend=voicing[0]))[voiced].mean()
    overall = (voicing[voiced].mean(), voicing[voiced].std(), *np.percentile(voicing[voiced], (10, 50, 90)), moving)
    bands = np.stack([size[voiced].mean(axis=0), fine[voiced].std(axis=0), change[voiced].mean(axis=0)])[:, :FINE_BANDS]
    return [bands, np.array(overall)]


def _pitch(fine: np.ndarray, level: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Band of the strongest low harmonic in the louder frames: mean, spread, percentiles and speed."""
    louder = voiced & (level >= np.percentile(level[voiced], 40))
    band = fine[louder, 2:30].argmax(axis=1)
    speed = np.abs(np.diff(band, prepend=band[0])).mean()
    return np.array([band.mean(), band.std(), *np.percentile(band, (10, 25, 50, 75, 90)), speed])


def _autocorrelation(fine: np.ndarray) -> np.ndarray:
    """Autocorrelation of the fine structure over bands at lags 1 to 13: mean, and spread over time."""
    low = fine[:, :HARMONIC_BANDS]
    products = [low[:, : HARMONIC_BANDS - lag] * low[:, lag:] for lag in range(1, 14)]
    return 100 * np.array([[product.mean(), product.mean(axis=1).std()] for product in products])


@cache
def _cosine_transform() -> np.ndarray:
    """(24, 64): first rows of a cosine transform."""
    rows = np.cos(np.pi * np.arange(CEPSTRA)[:, None] * (np.arange(BANDS) + 0.5) / BANDS) / np.sqrt(BANDS)
    table: np.ndarray = rows.astype(np.float32)
    return table
