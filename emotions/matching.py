"""Which face of a new frame is which remembered person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .appearance import differences
from .tracks import Track

COASTING = 0.5
"""Seconds in which the movement of a person out of sight dies down: the prediction stops at velocity times this."""
# Standard deviations of what a person does: at once, and more for each second out of sight.
SHIFT = 0.25, 1.0  # of the middle from the predicted one, in sides of the box
GROWTH = 0.15, 0.3  # of the logarithm of the box's side
LOOKS = 10.0, 2.0  # of the appearance
MOST = 12.0
"""Sum of the three squares, each in its standard deviations, beyond which it is someone else."""


def match(boxes: Sequence[tuple[int, int, int, int]], appearances: list[bytes], known: Sequence[Track]) -> dict[int, int]:
    """Index of a face -> index of the track that it continues; the best pairs first, each face and track once.

    `boxes` as a track's; `known` with ages up to the new frame.
    """
    if not boxes or not known:
        return {}
    costs = _costs(np.array(boxes, float), appearances, known)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(costs, axis=None, kind="stable"):
        face, track = divmod(int(place), len(known))
        if costs[face, track] > MOST:
            break
        if face not in pairs and track not in taken:
            pairs[face] = track
            taken.add(track)
    return pairs


def _costs(boxes: np.ndarray, appearances: list[bytes], known: Sequence[Track]) -> np.ndarray:
    """(N, M): sums of squares, of N boxes (N, 4) and M tracks."""
    seconds = np.array([track.age for track in known]) / 1000
    last, velocity = np.array([track.box for track in known], float), np.array([track.velocity for track in known], float)
    expected = last[:, :2] + velocity * (COASTING * (1 - np.exp(-seconds / COASTING)))[:, None]
    sides, last_sides = np.sqrt(boxes[:, 2] * boxes[:, 3])[:, None], np.sqrt(last[:, 2] * last[:, 3])[None]
    shift = np.linalg.norm(boxes[:, None, :2] - expected[None], axis=-1) / np.sqrt(sides * last_sides)
    growth = np.log(sides / last_sides)
    looks = differences(appearances, [track.appearance for track in known])
    parts = ((shift, SHIFT), (growth, GROWTH), (looks, LOOKS))
    return sum((value / (now + later * seconds)) ** 2 for value, (now, later) in parts)


def boxes_overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Intersection over union of two boxes given as a track's."""
    shared = 1.0
    for axis in (0, 1):
        low = max(one[axis] - one[axis + 2] / 2, other[axis] - other[axis + 2] / 2)
        high = min(one[axis] + one[axis + 2] / 2, other[axis] + other[axis + 2] / 2)
        shared *= max(high - low, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
