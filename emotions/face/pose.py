"""Head pose (yaw, pitch, roll) from the three-dimensional landmarks of Face Mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Landmarks on the person's right and left side, each the mirror image of the other: corners of the eyes, cheeks, corners of the
# mouth, jaw.
RIGHT, LEFT = (33, 133, 234, 61, 172), (263, 362, 454, 291, 397)
FOREHEAD, CHIN = 10, 152
_POINTS = np.array([*LEFT, *RIGHT, FOREHEAD, CHIN])
NEUTRAL_PITCH = -10.4
"""Pitch in degrees of the line from forehead to chin in an upright face: the median over FER2013's validation faces."""


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees; all angles are 0 where the head faces the camera upright.

    The rotations are applied in the order pitch, yaw, roll, so that rotating the image changes the roll alone.

    Attributes:
        yaw: Positive where the face is turned to the right of the image.
        pitch: Positive where the face is turned up.
        roll: Positive where the head is tilted clockwise, as the viewer sees it.
    """

    yaw: float
    pitch: float
    roll: float

    def to_json(self) -> dict[str, float]:
        """Return the angles rounded to 0.1 degree, as the API gives them."""
        return {name: round(getattr(self, name), 1) + 0.0 for name in ("yaw", "pitch", "roll")}  # + 0.0: turns -0.0 into 0.0


def estimate_pose(landmarks: np.ndarray) -> Pose:
    """Estimate the head pose.

    The x axis of the face is the mean direction from the right landmarks to their left counterparts; the y axis is the part of
    the line from forehead to chin orthogonal to it. Their matrix is decomposed into Tait-Bryan angles (z-y'-x'').

    Args:
        landmarks: Landmarks (468, 3): x to the right, y down, z away from the camera, all in the same unit.

    Returns:
        The pose in degrees.
    """
    points = landmarks[_POINTS].astype(np.float64)
    x_axis = _unit((points[: len(LEFT)] - points[len(LEFT) : -2]).sum(axis=0))
    y_axis = points[-1] - points[-2]
    y_axis = _unit(y_axis - x_axis * (y_axis @ x_axis))
    (x1, x2, x3), (y1, y2, y3) = x_axis.tolist(), y_axis.tolist()
    yaw = math.asin(min(max(x3, -1.0), 1.0))
    roll = math.atan2(x2, x1)
    pitch = math.atan2(-y3, x1 * y2 - x2 * y1)  # the last component of the z axis, which is the cross product of the others
    return Pose(math.degrees(yaw), math.degrees(pitch) - NEUTRAL_PITCH, math.degrees(roll))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(math.sqrt(vector @ vector), 1e-9)
