"""How a head is turned, from the three-dimensional points of Face Mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Points of Face Mesh's numbering on the person's right and left side, each the other's mirror image: corners of the eyes,
# cheeks, corners of the mouth, jaw.
RIGHT, LEFT = (33, 133, 234, 61, 172), (263, 362, 454, 291, 397)
FOREHEAD, CHIN = 10, 152
REST = -10.4
"""Degrees of pitch of the line from forehead to chin in an upright face: the median over FER2013's validation faces."""


@dataclass(frozen=True)
class Pose:
    """Angles of a head in degrees; all are 0 where it faces the camera upright.

    `yaw`: positive where it faces the right of the picture. `pitch`: positive where it faces up. `roll`: positive where it
    leans clockwise as seen. They are applied in the order pitch, yaw, roll, so that a picture that is turned changes the roll alone.
    """

    yaw: float
    pitch: float
    roll: float

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 1) + 0.0 for name in ("yaw", "pitch", "roll")}  # + 0.0: no minus before a zero


def estimate_pose(mesh: np.ndarray) -> Pose:
    """The pose of a face from its points (468, 3): x to the right, y down, z away from the camera, in one scale.

    The face's own axes are the mean direction from right points to their left counterparts and, square to it, the line from
    forehead to chin. Their matrix is taken apart into Tait-Bryan angles (z-y'-x'').
    """
    points = mesh.astype(np.float64)
    across = _unit((points[list(LEFT)] - points[list(RIGHT)]).mean(axis=0))
    down = points[CHIN] - points[FOREHEAD]
    down = _unit(down - across * (down @ across))
    back = np.cross(across, down)
    yaw = np.arcsin(np.clip(across[2], -1, 1))
    roll = np.arctan2(across[1], across[0])
    pitch = np.arctan2(-down[2], back[2]) - np.radians(REST)
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
