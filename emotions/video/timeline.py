"""Timeline of a video: statistics for each person, gathered frame by frame, of constant size however long the video is.

They are weighted by time: a frame counts for the seconds until the next one that is added, and the last one for those that it is
on screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..face.results import Face
from ..labels import EMOTIONS, by_emotion
from .clock import held_seconds

MAX_BINS = 240
"""Largest number of time bins; when a video grows longer, two bins become one."""

TIME_TOLERANCE = 0.01
"""Fraction of a bin by which a frame may precede or exceed it: times are rounded."""
MIN_SECONDS = 0.001
"""Shortest duration of a frame: of those at the same time each counts."""


@dataclass
class PersonTimeline:
    """Statistics of one track.

    Attributes:
        id: Number of the track.
        first: Seconds of the first frame.
        last: Seconds of the last sampling time at which a frame of the person was on screen.
        frames: Number of frames.
        seconds: Seconds for which these frames count.
        times: (7,) float: seconds for which each emotion was the most probable.
        sums: (7,) float: sum of each emotion's probability times seconds.
        bins: Index of the time bin -> (8,): seconds, and sum of each probability times seconds.
        ids: Numbers of all tracks of the person, in ascending order; `id` is the first.
    """

    id: int
    first: float
    last: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    times: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    bins: dict[int, np.ndarray] = field(default_factory=dict)
    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Start with the one track."""
        self.ids = self.ids or (self.id,)

    def add(self, face: Face, last: float, seconds: float, shares: Iterable[tuple[int, float]]) -> None:
        """Add `seconds` of a face, the last of them at `last`; `shares`: time bins over which they are spread."""
        self.last = max(self.last, last)
        self.seconds += seconds
        self.times[EMOTIONS.index(face.emotion)] += seconds
        self.sums += seconds * np.array(face.probabilities)
        for index, share in shares:
            self.bins.setdefault(index, np.zeros(1 + len(EMOTIONS)))
            self.bins[index] += share * np.array((1.0, *face.probabilities))

    def include(self, other: PersonTimeline) -> None:
        """Add the statistics of another track of the same person, which was never seen in the same frame."""
        self.ids = tuple(sorted({*self.ids, *other.ids}))
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.frames += other.frames
        self.seconds += other.seconds
        self.times += other.times
        self.sums += other.sums
        for index, sums in other.bins.items():
            self.bins[index] = self.bins[index] + sums if index in self.bins else sums.copy()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the API, see `Timeline.to_json`."""
        return {
            "id": self.id,
            "number": self.id + 1,
            "ids": list(self.ids),
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "shares": by_emotion(self.times / self.seconds),
            "mean": by_emotion(self.sums / self.seconds),
        }


class Timeline:
    """The people of a video in order of appearance.

    Args:
        fps: Frames that are analyzed a second.
        start: Seconds at which the part begins that is analyzed.

    Attributes:
        frames: Number of frames that were added.
        start: Seconds at which the first time bin begins.
        bin_seconds: Length of a time bin.
        people: Track id -> statistics.
    """

    def __init__(self, fps: float, start: float = 0.0) -> None:
        """Start with no frames and bins of one frame each."""
        self.frames = 0
        self.start = start
        self.bin_seconds = 1 / fps
        self.people: dict[int, PersonTimeline] = {}
        self._fps = fps
        self._faces: tuple[Face, ...] = ()
        self._time = self._counted = start

    def add(self, time: float, faces: Iterable[Face], until: float | None = None) -> None:
        """Add the tracked faces of a frame.

        Args:
            time: Seconds at which it appears; times must not decrease.
            faces: Its faces.
            until: Seconds up to which it counts, before there is another frame or `extend` is called; None for a sampling
                interval.
        """
        self.extend(time)
        self.frames += 1
        self._faces = tuple(faces)
        self._time = self._counted = time
        for face in self._faces:
            self.people.setdefault(face.id, PersonTimeline(face.id, time, time)).frames += 1
        self.extend(max(time + MIN_SECONDS, time + 1 / self._fps if until is None else until))

    def extend(self, end: float) -> None:
        """Count the last frame up to `end` seconds."""
        seconds = end - self._counted
        if seconds <= 0:
            return
        last = self._time + held_seconds(end - self._time, self._fps)
        while end - self.start > (MAX_BINS + TIME_TOLERANCE) * self.bin_seconds:
            self.bin_seconds *= 2
            for person in self.people.values():
                person.bins = _merge_bins(person.bins)
        if self._faces:
            shares = list(self._shares(self._counted, end))
            for face in self._faces:
                self.people[face.id].add(face, last, seconds, shares)
        self._counted = end

    def _shares(self, begin: float, end: float) -> Iterator[tuple[int, float]]:
        """Yield the time bins from `begin` to `end` seconds, and the seconds in each."""
        left, right = (_snapped((time - self.start) / self.bin_seconds) for time in (begin, end))
        index, whole = int(left), max(right - left, 1e-9)
        while True:
            share = min(right, index + 1) - max(left, index)
            yield index, max(share, 0.0) / whole * (end - begin) if right > left else end - begin
            index += 1
            if index >= right:
                return

    def merged(self, ids: Mapping[int, int]) -> Timeline:
        """Return the timeline of people instead of tracks.

        Args:
            ids: Id of a track -> that of the person's first track, where they differ.
        """
        if not ids:
            return self
        copied = deepcopy(self)
        for number in sorted(ids):
            copied.people[ids[number]].include(copied.people.pop(number))
        return copied

    def to_json(self) -> list[dict[str, Any]]:
        """Return the JSON array of the API: for each person when they were seen, `frames`, `seconds`, `shares` and `mean`.

        `ids` has the tracks of the person, `id` the first of them. `shares` has for each emotion the fraction of the seconds in
        which it was the most probable; `mean` its mean probability over these seconds.
        """
        return [person.to_json() for person in self.people.values()]


def _snapped(position: float) -> float:
    return round(position) if abs(position - round(position)) < TIME_TOLERANCE else position


def _merge_bins(bins: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Merge each pair of bins into one of twice the length."""
    merged: dict[int, np.ndarray] = {}
    for index, sums in bins.items():
        merged[index // 2] = merged[index // 2] + sums if index // 2 in merged else sums
    return merged
