"""Which face of a new frame is which remembered person: by place, size and looks.

The figures are chosen on films made of still photos, of other people than those benchmarks/following.md reports on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .appearance import distance
from .tracker_state import Track

VELOCITY_DECAY = 0.5
"""Seconds in which the movement of a person out of sight dies down: the prediction stops at velocity times this."""
# Standard deviations of what a person does: at once, and more for each second since they were seen.
SHIFT = 0.25, 2.0  # of the middle from the predicted one, in sides of the box
GROWTH = 0.15, 0.3  # of the logarithm of the box's side
LOOKS = 10.0  # of the appearance
# Looks count as a square too, but not without limit where something may cover the person.
VISIBLE_LIMIT = 9.0  # who was in the last frame: a hand before the face
OCCLUDED_LIMIT = 4.0  # who was lost, where a face comes out beside another one
UNKNOWN = 2.0  # where too little was seen of both
MOST, LOST_GATE = 16.0, 6.0
"""Sum of the three squares beyond which it is someone else: for who was in the last frame, and for who was lost."""


@dataclass(frozen=True)
class Observation:
    """A face of the new frame: `box` and `appearance` as a track's; `crowded`: another one may cover some of the head."""

    box: tuple[int, int, int, int]
    appearance: bytes
    crowded: bool


def associate(seen: Sequence[Observation], known: Sequence[Track], lost: Sequence[bool]) -> dict[int, int]:
    """Index of a face -> index of the track that it continues; the best pairs first, each face and track once.

    `known` with ages up to the new frame; `lost`: which of them were not in the last frame.
    """
    if not seen or not known:
        return {}
    costs = _costs(seen, known, np.array(lost))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(costs, axis=None, kind="stable"):
        face, track = divmod(int(place), len(known))
        if not np.isfinite(costs[face, track]):
            break
        if face not in pairs and track not in taken:
            pairs[face] = track
            taken.add(track)
    return pairs


def _costs(seen: Sequence[Observation], known: Sequence[Track], lost: np.ndarray) -> np.ndarray:
    """(N, M): sums of squares, in standard deviations, of N faces and M tracks; infinite where it is someone else."""
    seconds = np.array([track.age for track in known]) / 1000
    boxes, last = np.array([one.box for one in seen], float), np.array([track.box for track in known], float)
    velocity = np.array([track.velocity for track in known], float)
    expected = last[:, :2] + velocity * (VELOCITY_DECAY * (1 - np.exp(-seconds / VELOCITY_DECAY)))[:, None]
    sides, last_sides = np.sqrt(boxes[:, 2] * boxes[:, 3])[:, None], np.sqrt(last[:, 2] * last[:, 3])[None]
    shift = np.linalg.norm(boxes[:, None, :2] - expected[None], axis=-1) / np.sqrt(sides * last_sides)
    growth = np.log(sides / last_sides)
    looks = (distance([one.appearance for one in seen], [track.appearance for track in known]) / LOOKS) ** 2
    crowded = np.array([one.crowded for one in seen])[:, None]
    limit = np.where(lost, np.where(crowded, OCCLUDED_LIMIT, np.inf), VISIBLE_LIMIT)
    looks = np.minimum(np.where(np.isnan(looks), UNKNOWN, looks), limit)
    costs = looks + sum((value / (now + later * seconds)) ** 2 for value, (now, later) in ((shift, SHIFT), (growth, GROWTH)))
    return np.where(costs <= np.where(lost, LOST_GATE, MOST), costs, np.inf)
