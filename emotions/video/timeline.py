"""Timeline of a video: statistics for each person, gathered frame by frame, of constant size however long the video is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..face.results import Face
from ..labels import EMOTIONS, by_emotion

MAX_BINS = 240
"""Largest number of time bins; when a video grows longer, two bins become one."""

TIME_TOLERANCE = 0.01
"""Fraction of a bin by which a frame may precede it: times are rounded."""


@dataclass
class PersonTimeline:
    """Statistics of one track.

    Attributes:
        id: Number of the track.
        first: Seconds of the first frame.
        last: Seconds of the last frame.
        frames: Number of frames.
        counts: (7,) int: frames in which each emotion was the most probable.
        sums: (7,) float: sum of each emotion's probability.
        bins: Index of the time bin -> (8,): frames, and sum of each probability.
    """

    id: int
    first: float
    last: float = 0.0
    frames: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS), int))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    bins: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, time: float, face: Face, index: int) -> None:
        """Add the face of the frame at `time` seconds, which lies in the bin `index`."""
        self.last = time
        self.frames += 1
        self.counts[EMOTIONS.index(face.emotion)] += 1
        self.sums += face.probabilities
        self.bins.setdefault(index, np.zeros(1 + len(EMOTIONS)))
        self.bins[index] += (1.0, *face.probabilities)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API, see `Timeline.to_json`."""
        return {
            "id": self.id,
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "frames": self.frames,
            "shares": by_emotion(self.counts / self.frames),
            "mean": by_emotion(self.sums / self.frames),
        }


class Timeline:
    """The people of a video in order of appearance.

    Args:
        fps: Frames that are analyzed a second.

    Attributes:
        frames: Number of frames that were added.
        bin_seconds: Length of a time bin.
        people: Track id -> statistics.
    """

    def __init__(self, fps: float) -> None:
        """Start with no frames and bins of one frame each."""
        self.frames = 0
        self.bin_seconds = 1 / fps
        self.people: dict[int, PersonTimeline] = {}

    def add(self, time: float, faces: Iterable[Face]) -> None:
        """Add the tracked faces of the frame at `time` seconds; times must not decrease."""
        self.frames += 1
        while time >= MAX_BINS * self.bin_seconds:
            self.bin_seconds *= 2
            for person in self.people.values():
                person.bins = _merge_bins(person.bins)
        for face in faces:
            person = self.people.setdefault(face.id, PersonTimeline(face.id, time))
            person.add(time, face, int(time / self.bin_seconds + TIME_TOLERANCE))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the JSON array of the API: for each person seconds of the first and last frame, frames, `shares` and `mean`.

        `shares` has for each emotion the fraction of frames in which it was the most probable; `mean` its mean probability.
        """
        return [person.to_json() for person in self.people.values()]


def _merge_bins(bins: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Merge each pair of bins into one of twice the length."""
    merged: dict[int, np.ndarray] = {}
    for index, sums in bins.items():
        merged[index // 2] = merged[index // 2] + sums if index // 2 in merged else sums
    return merged
