"""What a film showed, person by person: gathered frame by frame, a few numbers a person however long the film is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..face.results import Face
from ..labels import EMOTIONS

MAX_BINS = 240
"""Most parts into which the time is divided: when a film grows longer, two become one."""

TIME_TOLERANCE = 0.01
"""Share of a part of time by which a frame may come before it: times are rounded."""


@dataclass
class PersonTimeline:
    """One followed face. `first`, `last`: seconds. `answers`, `sums` (7,): how often each emotion was the answer, and the
    sum of its probabilities.

    `buckets`: number of the part of time -> [frames, sum of each probability] (8,), for the chart.
    """

    id: int
    first: float
    last: float = 0.0
    frames: int = 0
    answers: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS), int))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    buckets: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, time: float, face: Face, bucket: int) -> None:
        self.last = time
        self.frames += 1
        self.answers[EMOTIONS.index(face.emotion)] += 1
        self.sums += face.probabilities
        self.buckets.setdefault(bucket, np.zeros(1 + len(EMOTIONS)))
        self.buckets[bucket] += (1.0, *face.probabilities)

    def halve(self) -> None:
        merged: dict[int, np.ndarray] = {}
        for number, sums in self.buckets.items():
            merged[number // 2] = merged[number // 2] + sums if number // 2 in merged else sums
        self.buckets = merged

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "frames": self.frames,
            "shares": _by_emotion(self.answers / self.frames),
            "mean": _by_emotion(self.sums / self.frames),
        }


class Timeline:
    """The people of a film in order of appearance, read at `fps`. `frames`: how many; `bucket`: seconds of a part of time."""

    def __init__(self, fps: float) -> None:
        self.frames = 0
        self.bucket = 1 / fps
        self.people: dict[int, PersonTimeline] = {}

    def add(self, time: float, faces: Iterable[Face]) -> None:
        """Take the faces of the frame at `time` seconds; times do not run back."""
        self.frames += 1
        while time >= MAX_BINS * self.bucket:
            self.bucket *= 2
            for person in self.people.values():
                person.halve()
        for face in faces:
            person = self.people.setdefault(face.id, PersonTimeline(face.id, time))
            person.add(time, face, int(time / self.bucket + TIME_TOLERANCE))

    def to_json(self) -> list[dict[str, Any]]:
        """For each person: seconds of the first and last frame, frames, and for each emotion two shares of them.

        `shares`: of the frames in which it was the answer. `mean`: of its probability.
        """
        return [person.to_json() for person in self.people.values()]


def _by_emotion(values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(EMOTIONS, values, strict=True)}
