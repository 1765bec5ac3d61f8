"""The table of speech clips, and the rows of features that are learnt from: a row a window of a clip or of a varied copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions.speech.features import extract
from emotions.speech.spectrogram import BANDS, WINDOW_FRAMES, trim_silence, window_starts

from ..data.dataset import DatasetError


@dataclass(frozen=True)
class Clips:
    """`frames`: a list of (T, 64) float16 log-mel frames; `labels` (N,) class ids, -1 for none; the rest (N,) str.

    `speakers` bear their corpus' name; `folds`: the corpus' own division for cross-validation, "" where it has none.
    """

    frames: list[np.ndarray]
    labels: np.ndarray
    corpora: np.ndarray
    speakers: np.ndarray
    folds: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> Clips:
        """The clips of a mask (N,) bool or of indices."""
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        columns = (getattr(self, name)[places] for name in ("labels", "corpora", "speakers", "folds", "names"))
        return Clips([self.frames[place] for place in places], *columns)

    def save(self, path: Path) -> None:
        lengths = np.array([len(frames) for frames in self.frames])
        columns = {name: getattr(self, name) for name in ("labels", "corpora", "speakers", "folds", "names")}
        np.savez(path, frames=np.concatenate(self.frames), lengths=lengths, **columns)

    @classmethod
    def load(cls, path: Path) -> Clips:
        """Raises DatasetError where there is no table."""
        if not Path(path).is_file():
            raise DatasetError(f"{path} is not there: make it with scripts.speech.prepare")
        with np.load(path) as table:
            frames = np.split(table["frames"], np.cumsum(table["lengths"])[:-1])
            return cls(frames, *(table[name] for name in ("labels", "corpora", "speakers", "folds", "names")))

    @classmethod
    def joined(cls, parts: Sequence[Clips]) -> Clips:
        columns = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("labels", "corpora", "speakers", "folds", "names")
        )
        return cls([frames for part in parts for frames in part.frames], *columns)


@dataclass(frozen=True)
class Rows:
    """`features` (N, F) float32; `clips` (N,) index of the clip that a row is of; `copies` (N,) 0 for the clip as it is."""

    features: np.ndarray
    clips: np.ndarray
    copies: np.ndarray


def trimmed(frames: np.ndarray) -> np.ndarray:
    """Frames (T, 64) as float32 without the silence at both ends, as the library cuts it."""
    first, last = trim_silence(frames)
    return frames[first:last].astype(np.float32)


def varied(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A copy (T', 64) as another speaker might say it elsewhere: slower or faster, higher or lower, another colour of the room.

    Moving bands stands for another vocal tract (Jaitly and Hinton, "Vocal Tract Length Perturbation", 2013).
    """
    count = len(frames)
    longer = max(20, round(count * np.exp(random.uniform(-0.15, 0.15))))
    moved = _between(frames, np.linspace(0, count - 1, longer))
    bands = np.arange(BANDS) * np.exp(random.uniform(-0.04, 0.04)) + random.uniform(-2, 2)
    moved = _between(moved.T, np.clip(bands, 0, BANDS - 1)).T
    return moved + np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 5), random.normal(0, 2, 5)).astype(np.float32)


def _between(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows at fractional `places`, interpolated."""
    low = places.astype(int)
    high, share = np.minimum(low + 1, len(rows) - 1), (places - low)[:, None].astype(np.float32)
    return rows[low] * (1 - share) + rows[high] * share


def rows_of(clips: Clips, copies: dict[str, int], seed: int = 0) -> Rows:
    """Features of all windows of all clips, and of as many varied copies of each as `copies` says for its corpus."""
    random = np.random.default_rng(seed)
    features, owners, numbers = [], [], []
    for index, whole in enumerate(clips.frames):
        frames = trimmed(whole)
        for copy in range(1 + copies.get(str(clips.corpora[index]), 0)):
            version = varied(frames, random) if copy else frames
            for start in window_starts(len(version)):
                features.append(extract(version[start : start + WINDOW_FRAMES]))
                owners.append(index)
                numbers.append(copy)
    return Rows(np.array(features), np.array(owners), np.array(numbers))
