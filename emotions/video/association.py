"""Data association: assign the detections of a frame to tracks by position, size and appearance.

The parameters were chosen on synthetic videos; benchmarks/tracking.md reports on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .appearance import distance
from .tracker_state import Track

VELOCITY_DECAY = 0.5
"""Time constant in seconds with which the velocity of a lost track decays: it drifts at most by velocity times this."""
# Standard deviations of a track's next observation: at once, and the increase for each second since the last one.
POSITION_STD = 0.25, 2.0  # of the distance to the predicted centre, in sides of the box
SIZE_STD = 0.15, 0.3  # of the logarithm of the box's side
APPEARANCE_STD = 10.0  # of the appearance distance
# Appearance adds its square to the cost, limited where something may cover the person.
VISIBLE_LIMIT = 9.0  # for tracks of the last frame: a hand may be in front of the face
OCCLUDED_LIMIT = 4.0  # for lost tracks, where a face reappears beside another one
UNKNOWN_COST = 2.0  # where too few cells are visible in both
GATE, LOST_GATE, UNCLEAR_GATE = 16.0, 6.0, 9.0
"""Highest cost (sum of the three squares) of an assignment: for tracks of the last frame, for lost ones, and for lost ones where
the observation is not clear."""
LOST_PENALTY = 4.0
"""What is added to the cost of lost tracks when pairs are put in order: of equal costs, that of the last frame comes first."""
CLEAR_SCORE = 0.7
"""Score of the detector below which a face is not clear: mostly somebody covers a part of it, and its colours are then not those
of the person alone, whether or not a face was detected there."""


@dataclass(frozen=True)
class Observation:
    """A face of the new frame.

    Attributes:
        box: Centre x and y, width and height, in the unit of `Track.box`.
        appearance: Descriptor, see appearance.py.
        occluded: True if another face may cover part of the head.
        clear: False if the detector is not sure of the face, see CLEAR_SCORE: its appearance counts less.
    """

    box: tuple[int, int, int, int]
    appearance: bytes
    occluded: bool
    clear: bool = True


def associate(observations: Sequence[Observation], tracks: Sequence[Track], lost: Sequence[bool]) -> dict[int, int]:
    """Assign observations to tracks, cheapest pair first, each at most once; see LOST_PENALTY.

    Args:
        observations: The faces of the new frame.
        tracks: The tracks, with ages up to the new frame.
        lost: Which of the tracks were not observed in the last frame.

    Returns:
        Index of the observation -> index of the track.
    """
    if not observations or not tracks:
        return {}
    costs = _costs(observations, tracks, np.array(lost))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    order = costs + np.where(lost, LOST_PENALTY, 0.0)
    for position in np.argsort(order, axis=None, kind="stable"):
        observation, track = divmod(int(position), len(tracks))
        if not np.isfinite(costs[observation, track]):
            break
        if observation not in pairs and track not in taken:
            pairs[observation] = track
            taken.add(track)
    return pairs


def _costs(observations: Sequence[Observation], tracks: Sequence[Track], lost: np.ndarray) -> np.ndarray:
    """Return costs (N, M): sums of squares in standard deviations; infinite beyond the gate."""
    seconds = np.array([track.age for track in tracks]) / 1000
    boxes, last = np.array([one.box for one in observations], float), np.array([track.box for track in tracks], float)
    velocity = np.array([track.velocity for track in tracks], float)
    predicted = last[:, :2] + velocity * (VELOCITY_DECAY * (1 - np.exp(-seconds / VELOCITY_DECAY)))[:, None]
    sides, last_sides = np.sqrt(boxes[:, 2] * boxes[:, 3])[:, None], np.sqrt(last[:, 2] * last[:, 3])[None]
    shift = np.linalg.norm(boxes[:, None, :2] - predicted[None], axis=-1) / np.sqrt(sides * last_sides)
    growth = np.log(sides / last_sides)
    distances = distance([one.appearance for one in observations], [track.appearance for track in tracks])
    appearance = (distances / APPEARANCE_STD) ** 2
    occluded = np.array([one.occluded or not one.clear for one in observations])[:, None]
    gate = np.where([[one.clear] for one in observations], LOST_GATE, UNCLEAR_GATE)
    limit = np.where(lost, np.where(occluded, OCCLUDED_LIMIT, np.inf), VISIBLE_LIMIT)
    appearance = np.minimum(np.where(np.isnan(appearance), UNKNOWN_COST, appearance), limit)
    motion = ((shift, POSITION_STD), (growth, SIZE_STD))
    costs = appearance + sum((value / (now + later * seconds)) ** 2 for value, (now, later) in motion)
    return np.where(costs <= np.where(lost, gate, GATE), costs, np.inf)
