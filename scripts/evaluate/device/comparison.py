"""Compare answers of the server and of the browser, face by face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DISTANCE = 2
"""Pixels of the full-size picture by which a box may differ at each edge."""
MAX_DIFFERENCE = 0.01
"""By which each of the seven probabilities of a face may differ."""
MIN_PROBABILITIES, MIN_EMOTIONS = 0.99, 0.995
"""Shares of faces with probabilities within MAX_DIFFERENCE, and with the same emotion, that parity asks for."""

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class FacePair:
    """A face of both answers.

    Attributes:
        distance: Largest distance of the edges of the boxes in pixels.
        difference: Largest difference of the probabilities.
        emotion: True where the predicted emotion is the same.
        unsure: True where the reason to be unsure is the same.
        drawn: Difference of the probabilities that the face is drawn.
        id: True where the ids are the same.
    """

    distance: float
    difference: float
    emotion: bool
    unsure: bool
    drawn: float
    id: bool


@dataclass(frozen=True)
class Comparison:
    """Two answers for one picture.

    Attributes:
        name: Name of the picture.
        pairs: Faces that both found.
        server_only: Faces that the browser did not find.
        device_only: Faces that the server did not find.
    """

    name: str
    pairs: tuple[FacePair, ...]
    server_only: int
    device_only: int

    @property
    def unmatched(self) -> int:
        """Faces that only one of both found."""
        return self.server_only + self.device_only


def compare(name: str, server: Answer, device: Answer) -> Comparison:
    """Compare two answers of the form of POST /api/v1/image.

    A face of the server is paired with the nearest remaining one of the browser whose edges are all nearer than half a box.
    """
    remaining = list(device["faces"])
    pairs = []
    for face in server["faces"]:
        nearest = min(remaining, key=lambda other: box_distance(face, other), default=None)
        if nearest is not None and box_distance(face, nearest) <= max(MAX_DISTANCE, face["box"]["width"] / 2):
            remaining.remove(nearest)
            pairs.append(_pair(face, nearest))
    return Comparison(name, tuple(pairs), len(server["faces"]) - len(pairs), len(remaining))


def box_distance(one: Answer, other: Answer) -> float:
    """Return the largest distance of the edges of two faces' boxes in pixels."""
    edges = [
        (box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"]) for box in (one["box"], other["box"])
    ]
    return float(max(abs(first - second) for first, second in zip(*edges, strict=True)))


def _pair(server: Answer, device: Answer) -> FacePair:
    return FacePair(
        distance=box_distance(server, device),
        difference=max(abs(value - device["probabilities"][name]) for name, value in server["probabilities"].items()),
        emotion=server["emotion"] == device["emotion"],
        unsure=server["unsure"] == device["unsure"],
        drawn=abs((server["drawn"] or 0) - (device["drawn"] or 0)),
        id=server["id"] == device["id"],
    )


@dataclass(frozen=True)
class Summary:
    """Shares over the faces of several pictures; a face that only one of both found counts as different in everything.

    Attributes:
        pictures: Number of pictures.
        faces: Faces of either answer.
        unmatched: Faces that only one of both found.
        boxes: Share of faces with boxes within MAX_DISTANCE.
        probabilities: Share of faces with probabilities within MAX_DIFFERENCE.
        emotions: Share of faces with the same emotion.
        unsure: Share of faces with the same reason to be unsure.
        ids: Share of faces with the same id.
        distance: Largest distance of the boxes of a face that both found, in pixels.
        difference: Largest difference of the probabilities of a face that both found.
    """

    pictures: int
    faces: int
    unmatched: int
    boxes: float
    probabilities: float
    emotions: float
    unsure: float
    ids: float
    distance: float
    difference: float

    @property
    def passed(self) -> bool:
        """True where every box, and the shares that parity asks for, are the same."""
        return self.boxes == 1 and self.probabilities >= MIN_PROBABILITIES and self.emotions >= MIN_EMOTIONS


def summarize(comparisons: Iterable[Comparison]) -> Summary:
    """Summarize the comparisons of several pictures; without any face all shares are 1."""
    found = list(comparisons)
    pairs = [pair for one in found for pair in one.pairs]
    unmatched = sum(one.unmatched for one in found)
    faces = len(pairs) + unmatched

    def share(same: Sequence[bool]) -> float:
        return sum(same) / faces if faces else 1.0

    return Summary(
        pictures=len(found),
        faces=faces,
        unmatched=unmatched,
        boxes=share([pair.distance <= MAX_DISTANCE for pair in pairs]),
        probabilities=share([pair.difference <= MAX_DIFFERENCE for pair in pairs]),
        emotions=share([pair.emotion for pair in pairs]),
        unsure=share([pair.unsure for pair in pairs]),
        ids=share([pair.id for pair in pairs]),
        distance=max((pair.distance for pair in pairs), default=0.0),
        difference=max((pair.difference for pair in pairs), default=0.0),
    )
