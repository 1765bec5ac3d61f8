"""Multi-face tracking without server state: ids that persist, and probabilities smoothed over time.

Each face of a new frame is assigned to a track (SORT: Bewley et al., "Simple Online and Realtime Tracking", 2016) by predicted
position, size and appearance; appearance decides where two people cross (association.py). The state between frames is a short
text that comes back with the next frame (tracker_state.py).

Smoothing is exponential: a frame has the weight 1 - exp(-dt / TAU), dt the seconds since the track's last observation, on the
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
from ..image.loading import ImageSource, LoadedImage, open_image
from .appearance import describe
from .appearance import update as update_appearance
from .association import CLEAR_SCORE, Observation, associate
from .tracker_state import COORD_SCALE, MAX_AGE, MAX_CLOCK, MAX_COORD, MAX_TRACKS, PROB_SCALE, Track, TrackerState, loads

__all__ = ["DEFAULT_INTERVAL", "TAU", "FaceTracker", "TrackerStateError"]

DEFAULT_INTERVAL = 1 / 15
"""Seconds between frames where no time is given, or where it does not advance."""
TAU = 0.3
"""Time constant in seconds of the smoothing of probabilities: where nothing happens the emotion changes a quarter as often as
unsmoothed, and a new one is reported about 0.2 seconds late (benchmarks/tracking.md)."""
VELOCITY_TAU = 0.2
"""Time constant in seconds of the smoothing of velocities."""


class FaceTracker:
    """Tracks the faces of one video or camera. Not thread-safe.

    Args:
        state: The `state` of an earlier tracker, to continue it; empty to start.

    Raises:
        TrackerStateError: The state is not one that a tracker gave.

    Example:
        >>> from emotions import FaceAnalyzer, FaceTracker, open_image
        >>> analyzer, tracker = FaceAnalyzer(), FaceTracker()
        >>> image = open_image("tests/data/astronaut.jpg")
        >>> [face.id for face in tracker.update(image, analyzer.analyze(image), time=0.0).faces]
        [0]
    """

    def __init__(self, state: str = "") -> None:
        """Start, or continue from `state`."""
        self._state = loads(state)

    @property
    def state(self) -> str:
        """The tracker's state as ASCII JSON of at most 8,192 bytes: `FaceTracker(tracker.state)` continues alike."""
        return self._state.dumps()

    @property
    def appearances(self) -> dict[int, bytes]:
        """Track id -> appearance descriptor, of the tracks that were observed in the last frame."""
        return {track.id: track.appearance for track in self._state.tracks if track.age == 0}

    def update(self, image: ImageSource, result: ImageResult, time: float | None = None, held: float = 0.0) -> ImageResult:
        """Track the faces of the next frame.

        Ids count from 0 in order of appearance (within a frame the largest face first) and are never reused. A person who is not
        observed for up to MAX_AGE milliseconds keeps the id. Of more than MAX_TRACKS faces in a frame the smallest are not
        remembered: they get new ids in each frame.

        Args:
            image: The frame, in any form that `open_image` accepts.
            result: Its faces, as `FaceAnalyzer.analyze` returned them.
            time: Seconds from any origin, 0 to 1e9; None where DEFAULT_INTERVAL has passed. A time that does not advance counts
                as DEFAULT_INTERVAL; one that runs back by more than MAX_AGE drops all tracks, and ids go on.
            held: Seconds for which the frame then stays on screen. Tracking goes on from there, and the frame is weighted as all
                the frames that would show the same in the meantime.

        Returns:
            The result with track ids, smoothed `probabilities`, and those of this frame alone as `raw`.

        Raises:
            ValueError: The time is out of range, or that for which the frame is held.
        """
        started = clock.perf_counter()
        if not 0 <= held <= MAX_CLOCK / 1000:
            raise ValueError(f"held must be seconds from 0 to {MAX_CLOCK // 1000:,}, not {held}")
        now, elapsed = self._advance(time)
        stay = min(round(1000 * held), MAX_CLOCK - now)
        observations = _observations(open_image(image), result)
        tracks = [replace(one, age=one.age + elapsed) for one in self._state.tracks if one.age + elapsed <= MAX_AGE]
        pairs = associate(observations, tracks, [track.age > elapsed for track in tracks])
        next_id, faces, observed = self._state.next_id, [], []
        for index, (face, observation) in enumerate(zip(result.faces, observations, strict=True)):
            if index in pairs:
                track, probabilities = _updated(tracks[pairs[index]], observation, face.probabilities, stay)
            else:
                track, probabilities = _new_track(next_id, observation, face.probabilities), face.probabilities
                next_id += 1
            observed.append(track)
            unsure = unsure_reason_after_smoothing(face.unsure, max(probabilities), result.thresholds)
            tracked = replace(face, id=track.id, probabilities=probabilities, raw=face.probabilities, unsure=unsure, crop=None)
            faces.append(tracked)
        unseen = [replace(track, age=track.age + stay) for index, track in enumerate(tracks) if index not in pairs.values()]
        lost = [track for track in unseen if track.age <= MAX_AGE]
        self._state = TrackerState(now + stay, next_id, tuple(_kept(observed, lost)))
        timing = result.timing_ms | {"follow": (clock.perf_counter() - started) * 1e3}
        return replace(result, faces=tuple(faces), timing_ms=timing)

    def _advance(self, time: float | None) -> tuple[int, int]:
        """Return the clock of this frame and the time since the last one, in ms; more than MAX_AGE to drop all tracks."""
        before, interval = self._state.clock, round(1000 * DEFAULT_INTERVAL)
        if time is None:
            return (0, 0) if before is None else (min(before + interval, MAX_CLOCK), interval)
        if not 0 <= time <= MAX_CLOCK / 1000:  # NaN too
            raise ValueError(f"time must be seconds from 0 to {MAX_CLOCK // 1000:,}, not {time}")
        now = round(1000 * time)
        if before is None:
            return now, 0
        elapsed = now - before
        return now, MAX_AGE + 1 if elapsed < -MAX_AGE else interval if elapsed <= 0 else elapsed


def _observations(image: LoadedImage, result: ImageResult) -> list[Observation]:
    boxes, unit = [face.box for face in result.faces], COORD_SCALE / max(result.width, result.height)
    descriptors, occluded = describe(image.pixels, [box.scaled(1 / image.scale) for box in boxes])
    return [
        Observation(_quantised(face.box.scaled(unit)), descriptor, bool(covered), face.score is None or face.score >= CLEAR_SCORE)
        for face, descriptor, covered in zip(result.faces, descriptors, occluded, strict=True)
    ]


def _quantised(box: Box) -> tuple[int, int, int, int]:
    width, height = max(_bounded(box.width), 1), max(_bounded(box.height), 1)
    return _bounded(box.left + box.width / 2), _bounded(box.top + box.height / 2), width, height


def _new_track(new_id: int, observation: Observation, probabilities: tuple[float, ...]) -> Track:
    return Track(new_id, observation.box, (0, 0), 0, _quantised_probabilities(probabilities), observation.appearance)


def _updated(
    track: Track, observation: Observation, probabilities: tuple[float, ...], stay: int
) -> tuple[Track, tuple[float, ...]]:
    """Return the track with the observation included, which lasts for `stay` ms more, and its smoothed probabilities."""
    seconds = track.age / 1000
    before, weight = np.array(track.probabilities) / sum(track.probabilities), 1 - np.exp(-(seconds + stay / 1000) / TAU)
    smoothed = before + weight * (np.array(probabilities) - before)
    weight = 1 - np.exp(-seconds / VELOCITY_TAU)
    velocity = [(new - old) / seconds for new, old in zip(observation.box[:2], track.box[:2], strict=True)]
    rest = np.exp(-stay / 1000 / VELOCITY_TAU)  # of the velocity, when the face has stood still for that long
    x, y = (_bounded(rest * (old + weight * (new - old))) for new, old in zip(velocity, track.velocity, strict=True))
    appearance = track.appearance
    if observation.clear:  # else the colours may be those of a person in front
        appearance = update_appearance(appearance, observation.appearance, seconds + stay / 1000)
    updated = Track(track.id, observation.box, (x, y), 0, _quantised_probabilities(smoothed), appearance)
    return updated, tuple(map(float, smoothed))


def _kept(observed: list[Track], lost: list[Track]) -> list[Track]:
    """Return up to MAX_TRACKS tracks: the largest faces of this frame, then the lost ones that were observed last."""
    return (observed + sorted(lost, key=lambda track: (track.age, -track.id)))[:MAX_TRACKS]


def _quantised_probabilities(probabilities: Iterable[float]) -> tuple[int, ...]:
    return tuple(round(float(value) * PROB_SCALE) for value in probabilities)


def _bounded(value: float) -> int:
    return round(min(max(value, -MAX_COORD), MAX_COORD))
