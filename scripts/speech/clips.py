"""Table of speech clips, their augmentation, and the features of their windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions.speech.cleaning import missing_bands, outside_telephone, without_bands
from emotions.speech.features import extract
from emotions.speech.spectrogram import BANDS, WINDOW_FRAMES, trim_silence, window_starts

from ..data.dataset import DatasetError

COLUMNS = ("labels", "corpora", "speakers", "folds", "names", "conditions")
"""Attributes of Clips with one value for each clip."""


@dataclass(frozen=True)
class Clips:
    """N speech clips; a recording may be there several times, as it is and under conditions.

    Attributes:
        frames: List of (T, 64) float16 log-mel frames.
        labels: (N,) class ids, -1 for none.
        corpora: (N,) names of the corpora.
        speakers: (N,) names of the speakers, which start with the corpus.
        folds: (N,) the corpus' own division for cross-validation, "" where it has none.
        names: (N,) file names.
        conditions: (N,) families of the recording conditions that were applied (`conditions.FAMILIES`), "" for none.
    """

    frames: list[np.ndarray]
    labels: np.ndarray
    corpora: np.ndarray
    speakers: np.ndarray
    folds: np.ndarray
    names: np.ndarray
    conditions: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> Clips:
        """Select clips by a mask (N,) bool or by indices."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        columns = (getattr(self, name)[indices] for name in COLUMNS)
        return Clips([self.frames[index] for index in indices], *columns)

    def save(self, path: Path) -> None:
        lengths = np.array([len(frames) for frames in self.frames])
        columns = {name: getattr(self, name) for name in COLUMNS}
        np.savez(path, frames=np.concatenate(self.frames), lengths=lengths, **columns)

    @classmethod
    def load(cls, path: Path) -> Clips:
        """Read a table. Raises DatasetError if there is none."""
        if not Path(path).is_file():
            raise DatasetError(f"{path} is not there: make it with scripts.speech.prepare")
        with np.load(path) as table:
            frames = np.split(table["frames"], np.cumsum(table["lengths"])[:-1])
            return cls(frames, *(table[name] for name in COLUMNS))

    @classmethod
    def concatenate(cls, parts: Sequence[Clips]) -> Clips:
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS)
        return cls([frames for part in parts for frames in part.frames], *columns)


@dataclass(frozen=True)
class WindowFeatures:
    """Features of N windows.

    Attributes:
        features: (N, F) float32.
        clips: (N,) indices of the clips.
        copies: (N,) 0 for a window of the clip itself, otherwise the number of the augmented copy (`window_features`).
    """

    features: np.ndarray
    clips: np.ndarray
    copies: np.ndarray


DIGITAL, ANALOG = -1, -2
"""Numbers of the augmented copies in the band of a digital telephone, which has low frequencies, and of an analog one."""


def trim(frames: np.ndarray) -> np.ndarray:
    """Frames (T, 64) as float32 without the silence at both ends, as the library trims it."""
    first, last = trim_silence(frames)
    return frames[first:last].astype(np.float32)


def augment(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Augmented copy (T', 64): random speed, band shift and spectral colour.

    Shifting the bands imitates another vocal tract (Jaitly and Hinton, "Vocal Tract Length Perturbation", 2013).
    """
    count = len(frames)
    longer = max(20, round(count * np.exp(random.uniform(-0.15, 0.15))))
    moved = _interpolate(frames, np.linspace(0, count - 1, longer))
    bands = np.arange(BANDS) * np.exp(random.uniform(-0.04, 0.04)) + random.uniform(-2, 2)
    moved = _interpolate(moved.T, np.clip(bands, 0, BANDS - 1)).T
    return moved + np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 5), random.normal(0, 2, 5)).astype(np.float32)


def _interpolate(rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate rows linearly at fractional `positions`."""
    low = positions.astype(int)
    high, share = np.minimum(low + 1, len(rows) - 1), (positions - low)[:, None].astype(np.float32)
    return rows[low] * (1 - share) + rows[high] * share


def window_features(clips: Clips, copies: dict[str, tuple[int, ...]], seed: int = 0) -> WindowFeatures:
    """Features of all windows of all clips and, of those without a condition, of their augmented copies.

    Args:
        clips: The clips.
        copies: Numbers of the augmented copies of each clip, by corpus; DIGITAL and ANALOG are in a telephone's band.
        seed: Seed of the augmentation.
    """
    features, owners, numbers = [], [], []
    for index, whole in enumerate(clips.frames):
        random = np.random.default_rng((seed, index))
        frames, missing = trim(whole), missing_bands(whole)
        augmented = copies.get(str(clips.corpora[index]), ()) if clips.conditions[index] == "" else ()
        for copy in (0, *augmented):
            version = augment(frames, random) if copy else frames
            outside = outside_telephone(copy == ANALOG) if copy in (DIGITAL, ANALOG) else missing
            version = without_bands(version, missing | outside)
            for start in window_starts(len(version)):
                features.append(extract(version[start : start + WINDOW_FRAMES]))
                owners.append(index)
                numbers.append(copy)
    return WindowFeatures(np.array(features), np.array(owners), np.array(numbers))
