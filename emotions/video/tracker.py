"""Faces followed from frame to frame, without a state on the server: ids that stay, probabilities smoothed over time.

Each face of a new frame is matched with the persons remembered (SORT: Bewley et al., "Simple Online and Realtime Tracking",
2016): where a person should be by now, how large, and how they look (appearance.py), which decides where two cross. What a
tracker remembers is one short text, `tracks`, that comes back with the next frame (tracker_state.py).

Smoothing is exponential: a frame counts 1 - exp(-dt / TAU), dt the seconds since the person was last seen, on the
probabilities themselves (a linear opinion pool): where frames disagree, the confidence falls.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import TrackerStateError
from ..face.reliability import unsure_reason_after_smoothing
from ..face.results import Box, ImageResult
from ..image.loading import LoadedImage
from .appearance import describe, update
from .association import Observation, associate
from .tracker_state import MAX_COORD, MAX_CLOCK, MAX_AGE, MAX_TRACKS, PROB_SCALE, COORD_SCALE, Track, TrackerState, loads

__all__ = ["DEFAULT_INTERVAL", "TAU", "FaceTracker", "TrackerStateError"]

DEFAULT_INTERVAL = 1 / 15
"""Seconds from frame to frame where no time is given, or where it stands still."""
TAU = 0.3
"""Seconds in which a smoothed probability covers 63 % of the way to a new one: where nothing happens the emotion changes a quarter
as often as unsmoothed, and a new one is told some 0.2 seconds late (benchmarks/following.md)."""
TAU_VELOCITY = 0.2
"""The same of a velocity."""


class FaceTracker:
    """Follows the faces of one film or camera. `tracks`: what an earlier tracker gave; "" begins anew.

    Raises TrackerStateError for a text that no tracker gave. Not for several threads at once.
    """

    def __init__(self, tracks: str = "") -> None:
        self._known = loads(tracks)

    @property
    def tracks(self) -> str:
        """All that is remembered, as ASCII JSON of at most 8,192 bytes: `FaceTracker(tracker.state)` goes on alike."""
        return self._known.to_json()

    def update(self, picture: LoadedImage, result: ImageResult, time: float | None = None) -> ImageResult:
        """The result of `FaceAnalyzer.analyze` for the next frame, with followed ids, smoothed probabilities and `raw` ones.

        Ids count from 0 in order of appearance (in one frame the largest face first) and are never used again. A person who
        is not seen for up to MAX_AGE keeps theirs. Beyond MAX_TRACKS faces at once the smallest are not remembered: they get
        new ids in each frame.

        `time`: seconds, 0 to 1e9, from any beginning; without it DEFAULT_INTERVAL has passed. Time that stands still or runs back counts
        as DEFAULT_INTERVAL; where it runs back by more than MAX_AGE all faces are new, and ids go on. Raises ValueError for another time.
        """
        begun = clock.perf_counter()
        now, passed = self._pass(time)
        seen = _sights(picture, result)
        known = [replace(track, age=track.age + passed) for track in self._known.tracks if track.age + passed <= MAX_AGE]
        pairs = associate(seen, known, [track.age > passed for track in known])
        next_id, faces, here = self._known.next_id, [], []
        for index, (face, sight) in enumerate(zip(result.faces, seen, strict=True)):
            if index in pairs:
                track, probabilities = _continued(known[pairs[index]], sight, face.probabilities)
            else:
                track, probabilities = _begun(next_id, sight, face.probabilities), face.probabilities
                next_id += 1
            here.append(track)
            unsure = unsure_reason_after_smoothing(face.unsure, max(probabilities), result.thresholds)
            faces.append(replace(face, id=track.id, probabilities=probabilities, raw=face.probabilities, unsure=unsure))
        lost = [track for index, track in enumerate(known) if index not in pairs.values()]
        self._known = TrackerState(now, next_id, tuple(_remembered(here, lost)))
        timing = result.timing_ms | {"follow": (clock.perf_counter() - begun) * 1e3}
        return replace(result, faces=tuple(faces), timing_ms=timing)

    def _pass(self, time: float | None) -> tuple[int, int]:
        """The clock of this frame and the time since the last one, in milliseconds; longer than MAX_AGE for a fresh start."""
        before, frame = self._known.clock, round(1000 * DEFAULT_INTERVAL)
        if time is None:
            return (0, 0) if before is None else (min(before + frame, MAX_CLOCK), frame)
        if not 0 <= time <= MAX_CLOCK / 1000:  # NaN too
            raise ValueError(f"time must be seconds from 0 to {MAX_CLOCK // 1000:,}, not {time}")
        now = round(1000 * time)
        if before is None:
            return now, 0
        passed = now - before
        return now, MAX_AGE + 1 if passed < -MAX_AGE else frame if passed <= 0 else passed


def _sights(picture: LoadedImage, result: ImageResult) -> list[Observation]:
    boxes, unit = [face.box for face in result.faces], COORD_SCALE / max(result.width, result.height)
    looks, crowded = describe(picture.pixels, [box.scaled(1 / picture.scale) for box in boxes])
    return [Observation(_place(box.scaled(unit)), *rest) for box, *rest in zip(boxes, looks, crowded, strict=True)]


def _place(box: Box) -> tuple[int, int, int, int]:
    width, height = max(_bounded(box.width), 1), max(_bounded(box.height), 1)
    return _bounded(box.left + box.width / 2), _bounded(box.top + box.height / 2), width, height


def _begun(new_id: int, sight: Observation, probabilities: tuple[float, ...]) -> Track:
    return Track(new_id, sight.box, (0, 0), 0, _parts(probabilities), sight.appearance)


def _continued(track: Track, sight: Observation, probabilities: tuple[float, ...]) -> tuple[Track, tuple[float, ...]]:
    """The person's track with this frame in it, and their smoothed probabilities."""
    seconds = track.age / 1000
    before, share = np.array(track.probabilities) / sum(track.probabilities), 1 - np.exp(-seconds / TAU)
    smoothed = before + share * (np.array(probabilities) - before)
    share = 1 - np.exp(-seconds / TAU_VELOCITY)
    moved = [(new - old) / seconds for new, old in zip(sight.box[:2], track.box[:2], strict=True)]
    x, y = (_bounded(old + share * (new - old)) for new, old in zip(moved, track.velocity, strict=True))
    looks = update(track.appearance, sight.appearance, seconds)
    return Track(track.id, sight.box, (x, y), 0, _parts(smoothed), looks), tuple(map(float, smoothed))


def _remembered(here: list[Track], lost: list[Track]) -> list[Track]:
    """The largest faces of this frame, and of the lost ones those seen last, as many as there is room for."""
    return (here + sorted(lost, key=lambda track: (track.age, -track.id)))[:MAX_TRACKS]


def _parts(probabilities: Iterable[float]) -> tuple[int, ...]:
    return tuple(round(float(value) * PROB_SCALE) for value in probabilities)


def _bounded(value: float) -> int:
    return round(min(max(value, -MAX_COORD), MAX_COORD))
