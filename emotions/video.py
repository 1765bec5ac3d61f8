"""Faces followed from frame to frame, without a state on the server: ids that stay, probabilities smoothed over time.

Each face of a new frame is matched with the persons remembered (SORT: Bewley et al., "Simple Online and Realtime Tracking",
2016): where a person should be by now, how large, and how they look (appearance.py), which decides where two cross. What a
follower remembers is one short text, `tracks`, that comes back with the next frame (tracks.py).

Smoothing is exponential: a frame counts 1 - exp(-dt / TAU), dt the seconds since the person was last seen, on the
probabilities themselves (a linear opinion pool): where frames disagree, the confidence falls.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from .appearance import appearance, blend
from .doubts import doubt_of_smoothed
from .images import Picture
from .matching import boxes_overlap, match
from .results import Box, Face, ImageResult
from .tracks import FARTHEST, LATEST, MEMORY, MOST_TRACKS, SURE, UNIT, Track, Tracks, TracksError, parse

__all__ = ["FRAME", "TAU", "Follower", "TracksError"]

FRAME = 1 / 15
"""Seconds from frame to frame where no time is given, or where it stands still."""
TAU = 0.3
"""Seconds in which a smoothed probability covers 63 % of the way to a new one."""
TAU_VELOCITY = 0.2
COVERED = 0.2
"""Overlap (intersection over union) of two faces from which neither teaches what its person looks like."""


class Follower:
    """Follows the faces of one film or camera. `tracks`: what an earlier follower gave; "" begins anew.

    Raises TracksError for a text that no follower gave. Not for several threads at once.
    """

    def __init__(self, tracks: str = "") -> None:
        self._known = parse(tracks)

    @property
    def tracks(self) -> str:
        """All that is remembered, as ASCII JSON of at most 8,192 bytes: `Follower(follower.tracks)` goes on alike."""
        return self._known.to_json()

    def follow(self, picture: Picture, result: ImageResult, time: float | None = None) -> ImageResult:
        """The result of `Analyser.analyse` for the next frame, with followed ids, smoothed probabilities, and `raw` ones beside.

        Ids count from 0 in order of appearance (in one frame the largest face first) and are never used again. A person who
        is not seen for up to MEMORY keeps theirs. Beyond MOST_TRACKS faces at once the smallest are not remembered: they get
        new ids in each frame.

        `time`: seconds, 0 to 1e9, from any beginning; without it FRAME has passed. Time that stands still or runs back counts
        as FRAME; where it runs back by more than MEMORY all faces are new, and ids go on. Raises ValueError for another time.
        """
        begun = clock.perf_counter()
        now, passed = self._pass(time)
        unit = UNIT / max(result.width, result.height)
        seen = [_Seen.of(picture, face, unit) for face in result.faces]
        known = [replace(track, age=track.age + passed) for track in self._known.tracks if track.age + passed <= MEMORY]
        pairs = match([one.box for one in seen], [one.appearance for one in seen], known)
        next_id, faces, here = self._known.next_id, [], []
        for index, one in enumerate(seen):
            if index in pairs:
                track, probabilities = one.continued(known[pairs[index]], _is_covered(one, seen))
            else:
                track, probabilities = one.begun(next_id), one.face.probabilities
                next_id += 1
            here.append(track)
            faces.append(_followed(one.face, track.id, probabilities, result))
        lost = [track for index, track in enumerate(known) if index not in pairs.values()]
        self._known = Tracks(now, next_id, tuple(_remembered(here, lost)))
        timing = result.timing_ms | {"follow": (clock.perf_counter() - begun) * 1e3}
        return replace(result, faces=tuple(faces), timing_ms=timing)

    def _pass(self, time: float | None) -> tuple[int, int]:
        """The clock of this frame and the time since the last one, in milliseconds; longer than MEMORY for a fresh start."""
        before, frame = self._known.clock, round(1000 * FRAME)
        if time is None:
            return (0, 0) if before is None else (min(before + frame, LATEST), frame)
        if not 0 <= time <= LATEST / 1000:  # NaN too
            raise ValueError(f"time must be seconds from 0 to {LATEST // 1000:,}, not {time}")
        now = round(1000 * time)
        if before is None:
            return now, 0
        passed = now - before
        return now, MEMORY + 1 if passed < -MEMORY else frame if passed <= 0 else passed


@dataclass(frozen=True)
class _Seen:
    """A face of the new frame; `box` as a track's."""

    face: Face
    box: tuple[int, int, int, int]
    appearance: bytes

    @classmethod
    def of(cls, picture: Picture, face: Face, unit: float) -> _Seen:
        box = face.box
        places = box.left + box.width / 2, box.top + box.height / 2, box.width, box.height
        x, y, width, height = (_bounded(place * unit) for place in places)
        return cls(face, (x, y, max(width, 1), max(height, 1)), appearance(picture.pixels, box.scaled(1 / picture.scale)))

    def begun(self, new_id: int) -> Track:
        return Track(new_id, self.box, (0, 0), 0, _parts(self.face.probabilities), self.appearance)

    def continued(self, track: Track, covered: bool) -> tuple[Track, tuple[float, ...]]:
        """The person's track with this face in it, and their smoothed probabilities."""
        seconds = track.age / 1000
        share = 1 - np.exp(-seconds / TAU)
        before = np.array(track.probabilities) / sum(track.probabilities)
        smoothed = before + share * (np.array(self.face.probabilities) - before)
        share = 1 - np.exp(-seconds / TAU_VELOCITY)
        moved = [(new - old) / seconds for new, old in zip(self.box[:2], track.box[:2], strict=True)]
        velocity = [_bounded(old + share * (new - old)) for new, old in zip(moved, track.velocity, strict=True)]
        looks = track.appearance if covered else blend(track.appearance, self.appearance, seconds)
        followed = Track(track.id, self.box, (velocity[0], velocity[1]), 0, _parts(smoothed), looks)
        return followed, tuple(map(float, smoothed))


def _followed(face: Face, new_id: int, probabilities: tuple[float, ...], result: ImageResult) -> Face:
    unsure = doubt_of_smoothed(face.unsure, max(probabilities), result.thresholds)
    return replace(face, id=new_id, probabilities=probabilities, raw=face.probabilities, unsure=unsure)


def _remembered(here: list[Track], lost: list[Track]) -> list[Track]:
    """The largest faces of this frame, and of the lost ones those seen last, as many as there is room for."""
    return (here + sorted(lost, key=lambda track: (track.age, -track.id)))[:MOST_TRACKS]


def _is_covered(one: _Seen, seen: list[_Seen]) -> bool:
    return any(boxes_overlap(one.box, other.box) > COVERED for other in seen if other is not one)


def _parts(probabilities: Iterable[float]) -> tuple[int, ...]:
    return tuple(round(float(value) * SURE) for value in probabilities)


def _bounded(value: float) -> int:
    return round(min(max(value, -FARTHEST), FARTHEST))
