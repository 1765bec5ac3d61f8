"""Sequences with detected faces: people to show, ids that the tracker assigns, and their ID switches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from emotions import FaceAnalyzer, FaceTracker, ImageResult
from emotions.face.results import Box
from emotions.image.loading import LoadedImage

from .metrics import TrackedFrame
from .synthetic_video import CAMERA, Person, Scene, actor_of, people, render, visible

PHOTOS = (".jpg", ".jpeg", ".png")
SAME_PERSON = "emotions_a", "emotions_b", "obama", "biden", "astronaut"
"""Parts of file names whose photos show one person each."""
SEVERAL = "two_people"  # photos of several people

Observed = tuple[float, LoadedImage, ImageResult, dict[int, Box]]
"""Time, frame, detected faces, and true box of each actor."""


def name_of(photo: Path, number: int) -> str:
    """Name of the person in a photo."""
    return next((word for word in SAME_PERSON if word in photo.stem), f"{photo.stem} {number}")


def cast_of(analyzer: FaceAnalyzer, folder: Path, choosing: bool) -> list[Person]:
    """People of the photos in a folder: every other one for choosing parameters, the rest for reporting."""
    photos = sorted(path for path in folder.iterdir() if path.suffix in PHOTOS and SEVERAL not in path.stem)
    return people(analyzer, photos, name_of)[0 if choosing else 1 :: 2]


def observe(analyzer: FaceAnalyzer, scene: Scene) -> list[Observed]:
    """Render a scene and detect its faces."""
    frames = render(scene.actors, scene.times, CAMERA, scene.seed)
    return [(one.time, one.image, analyzer.analyze(one.image, "blazeface"), one.truth) for one in frames]


def tracked_frames(frames: Iterable[Observed]) -> list[TrackedFrame]:
    """Track the faces of a sequence."""
    tracker = FaceTracker()
    found = []
    for time, image, result, truth in frames:
        faces = tracker.update(image, result, time).faces
        found.append(TrackedFrame(truth, {face.id: face.box for face in faces}))
    return found


def ids_by_actor(count: int, frames: Iterable[TrackedFrame]) -> list[list[int]]:
    """Track ids assigned to each of `count` actors, in the frames in which it was visible and detected."""
    ids: list[list[int]] = [[] for _ in range(count)]
    for frame in frames:
        truth = visible(frame.truth)
        for track, box in frame.tracks.items():
            actor = actor_of(truth, box)
            if actor is not None:
                ids[actor].append(track)
    return ids


def assigned_ids(count: int, frames: Iterable[Observed]) -> list[list[int]]:
    """Track the faces of a sequence; see `ids_by_actor`."""
    return ids_by_actor(count, tracked_frames(frames))


def id_switches(ids: Sequence[int]) -> int:
    """Number of ID switches in one actor's track ids."""
    return sum(one != other for one, other in zip(ids, ids[1:], strict=False))


def share_an_id(ids: Sequence[Sequence[int]]) -> bool:
    """True if two actors were assigned the same id."""
    return any(set(one) & set(other) for place, one in enumerate(ids) for other in ids[:place])
