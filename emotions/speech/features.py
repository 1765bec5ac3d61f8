"""A window of log-mel frames -> a few hundred numbers that describe the voice in it, the same for training and for serving.

They are statistics over time, of the kind that Schuller et al. collect ("The INTERSPEECH 2013 Computational Paralinguistics
Challenge"): how the timbre is and moves (cepstra), which harmonics stand out (fine structure: pitch), how fast loudness and
timbre change (modulation spectra). None depends on the level of the recording.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .spectrogram import BANDS, QUIET_DB, RANGE_DB, normalised

CEPSTRA = 24
LEAST = 3
"""Sounding frames that a statistic over time needs at least; a window with fewer is described by its loudest."""
MODULATION = 256
"""Points of the Fourier transform over time: 50 frames a second give steps of 0.2 Hz."""
RANGES = ((1, 4), (4, 8), (8, 12), (12, 18), (18, 26), (26, 40), (40, 60), (60, 128))
"""Ranges of those points whose mean is taken: 0.2 to 25 Hz; syllables come at 2 to 8 Hz."""
LOW, HARMONICS = 28, 40
"""Bands below 660 Hz, where pitch lies, and below 1,220 Hz, where its harmonics are still apart."""
FINE = 48
SMOOTH = 7
"""Bands over which the spectrum is smoothed to tell harmonics from formants."""


def describe(frames: np.ndarray) -> np.ndarray:
    """Log-mel frames (N, 64) in decibels, N >= 1 -> (features,) float32."""
    if len(frames) < LEAST:
        frames = np.repeat(frames, LEAST, axis=0)
    picture = normalised(frames.astype(np.float32))  # (N, 64), 0..1
    level = picture.max(axis=1)
    heard = _sounding(level)
    cepstra = picture @ _cosines().T  # (N, 24)
    fine = picture - _smoothed(picture)
    parts = [
        _moments(cepstra[heard]), *_movement(cepstra, heard),
        picture[heard].mean(axis=0), picture[heard].std(axis=0), np.percentile(picture[heard], (10, 50, 90), axis=0),
        _loud(cepstra, level, heard), _thirds(cepstra, heard), _levels(level, heard), _low(picture[heard]),
        _modulation(picture.reshape(len(picture), BANDS // 4, 4).mean(axis=2), heard), _modulation(cepstra[:, :16], heard),
        *_fine_structure(fine, heard), _pitch(fine, level, heard), _harmonics(fine[heard]),
    ]  # fmt: skip
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


def _sounding(level: np.ndarray) -> np.ndarray:
    """(N,) bool: frames that are no pause."""
    heard = level > 1 - QUIET_DB / RANGE_DB
    if heard.sum() < LEAST:
        heard = np.zeros(len(level), bool)
        heard[np.argsort(level)[-LEAST:]] = True
    return heard


def _moments(rows: np.ndarray) -> np.ndarray:
    """Mean, deviation and the roots of skewness and kurtosis over time."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-4
    scaled = (rows - mean) / deviation
    return np.stack([mean, deviation, np.cbrt((scaled**3).mean(axis=0)), (np.clip(scaled, -4, 4) ** 4).mean(axis=0) ** 0.25])


def _movement(cepstra: np.ndarray, heard: np.ndarray) -> list[np.ndarray]:
    """Spread of the cepstra's speed and acceleration."""
    speed = _slope(cepstra)
    return [np.stack([change[heard].std(axis=0), np.abs(change[heard]).mean(axis=0)]) for change in (speed, _slope(speed))]


def _slope(rows: np.ndarray) -> np.ndarray:
    return np.gradient(rows, axis=0) if len(rows) > 1 else np.zeros_like(rows)


def _loud(cepstra: np.ndarray, level: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Timbre of the loudest frames, which are vowels."""
    loud = level >= np.percentile(level[heard], 60)
    return np.stack([cepstra[loud].mean(axis=0), cepstra[loud].std(axis=0)])


def _thirds(cepstra: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """How the timbre of the beginning, the middle and the end differs from that of all."""
    mean = cepstra[heard].mean(axis=0)
    return np.stack([(cepstra[part].mean(axis=0) - mean)[:13] for part in np.array_split(np.flatnonzero(heard), 3)])


def _levels(level: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Loudness over time: its mean, spread, share of sound, length and how fast it rises."""
    loud, change = level[heard], np.diff(level, prepend=level[0])
    rise = np.maximum(change, 0)
    return np.array([
        loud.mean(), loud.std(), heard.mean(), len(level) / 160, np.abs(change).mean(), rise.std(),
        *np.percentile(loud, (10, 25, 50, 75)), *np.percentile(rise, (50, 90, 98)),
    ])  # fmt: skip


def _low(picture: np.ndarray) -> np.ndarray:
    """Where the power below 660 Hz lies: it follows pitch."""
    low = picture[:, :LOW]
    centre, strongest = (low * np.arange(LOW)).sum(axis=1) / np.maximum(low.sum(axis=1), 1e-3), low.argmax(axis=1)
    places = (centre.mean(), centre.std(), strongest.mean(), strongest.std(), *np.percentile(strongest, (10, 90)))
    return np.array(places)


def _modulation(rows: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Log power of each column's changes in RANGES; pauses count as the mean."""
    moving = (rows - rows[heard].mean(axis=0)) * heard[:, None]
    spectrum = np.abs(np.fft.rfft(moving, MODULATION, axis=0)) / np.sqrt(len(rows))
    return np.log(np.stack([spectrum[low:high].mean(axis=0) for low, high in RANGES]) + 1e-3)


def _smoothed(picture: np.ndarray) -> np.ndarray:
    padded = np.pad(picture, ((0, 0), (SMOOTH // 2 + 1, SMOOTH // 2)), mode="edge").cumsum(axis=1)
    smoothed: np.ndarray = (padded[:, SMOOTH:] - padded[:, :-SMOOTH]) / SMOOTH
    return smoothed


def _fine_structure(fine: np.ndarray, heard: np.ndarray) -> list[np.ndarray]:
    """How far harmonics stand out, band by band, and how this changes; and over all low bands, as a measure of voicing."""
    size, change = np.abs(fine), np.abs(np.diff(fine, axis=0, prepend=fine[:1]))
    voicing = size[:, :32].mean(axis=1)
    moving = np.abs(np.diff(voicing, prepend=voicing[0]))[heard].mean()
    overall = (voicing[heard].mean(), voicing[heard].std(), *np.percentile(voicing[heard], (10, 50, 90)), moving)
    bands = np.stack([size[heard].mean(axis=0), fine[heard].std(axis=0), change[heard].mean(axis=0)])[:, :FINE]
    return [bands, np.array(overall)]


def _pitch(fine: np.ndarray, level: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """The band of the strongest low harmonic in the louder frames: its mean, spread, percentiles and speed."""
    voiced = heard & (level >= np.percentile(level[heard], 40))
    band = fine[voiced, 2:30].argmax(axis=1)
    speed = np.abs(np.diff(band, prepend=band[0])).mean()
    return np.array([band.mean(), band.std(), *np.percentile(band, (10, 25, 50, 75, 90)), speed])


def _harmonics(fine: np.ndarray) -> np.ndarray:
    """Likeness of the fine structure with itself moved by 1 to 13 bands: mean and spread over time."""
    low = fine[:, :HARMONICS]
    products = [low[:, : HARMONICS - lag] * low[:, lag:] for lag in range(1, 14)]
    return 100 * np.array([[product.mean(), product.mean(axis=1).std()] for product in products])


@cache
def _cosines() -> np.ndarray:
    """The first rows (24, 64) of a cosine transform."""
    rows = np.cos(np.pi * np.arange(CEPSTRA)[:, None] * (np.arange(BANDS) + 0.5) / BANDS) / np.sqrt(BANDS)
    table: np.ndarray = rows.astype(np.float32)
    return table
