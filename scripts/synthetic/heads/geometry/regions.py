"""Regions of the mean head as smooth fields: scalp, beard, rim of a hat. Coordinates are those of the mean head, in cm."""

from __future__ import annotations

import numpy as np

from .shapes3d import smoothstep

HAIRLINE = np.array([
    [0, 10.2], [12, 10.4], [24, 10.6], [36, 10.2], [46, 8.6], [53, 6.6], [58, 4.4], [62, 2.4], [66, 1.4], [71, 1.6], [76, 4.0],
    [83, 5.3], [96, 5.3], [103, 3.6], [108, 0.8], [113, -2.2], [124, -4.4], [150, -5.6], [180, -6.0],
])  # fmt: skip
"""Heights of the hairline in cm at azimuths in degrees from the front: forehead, temple, sideburn, around the ear, nape."""
RECEDING = np.array([
    [0, 13.2], [15, 13.2], [40, 13.0], [70, 12.0], [88, 10.5], [100, 8.0], [106, 3.0], [113, -2.2], [124, -4.4], [150, -5.6],
    [180, -6.0],
])  # fmt: skip
CHEEKS = np.array([
    [0, -1.45], [9, -1.7], [15, -2.4], [22, -2.9], [32, -2.7], [45, -1.2], [55, 0.6], [62, 2.2], [75, 2.4], [80, 0.0], [180, -9],
])  # fmt: skip
"""Upper border of a full beard."""
RIMS = {
    "beanie": (9.0, 0.18), "cap": (9.0, 0.14), "cap_back": (9.0, 0.14), "fedora": (9.0, 0.14), "sunhat": (9.4, 0.12),
    "beret": (9.6, 0.2), "crown": (10.4, 0.1), "helmet": (9.2, 0.24), "turban": (9.2, 0.28), 
    "witch": (9.4, 0.14), "headband": (9.4, 0.25), "headscarf": (9.4, 0.0),
}  # fmt: skip
"""Rims of hats: height in cm at the forehead (z = 9), and its slope, the fall per cm to the back."""


def azimuth_of(points: np.ndarray) -> np.ndarray:
    """Degrees (...) from the front, 0 to 180 on both sides, about the vertical axis."""
    return np.degrees(np.arctan2(np.abs(points[..., 0]), points[..., 2]))


def scalp_field(points: np.ndarray, line: np.ndarray = HAIRLINE) -> np.ndarray:
    """About the distance (...) in cm from the hairline, positive on the scalp."""
    return (points[..., 1] - np.interp(azimuth_of(points), line[:, 0], line[:, 1])).astype(np.float32)


def rim_field(points: np.ndarray, hat: str) -> np.ndarray:
    """Distance (...) in cm above a hat's rim."""
    front, slope = RIMS[hat]
    return (points[..., 1] - front - slope * (points[..., 2] - 9)).astype(np.float32)


def lip_distance(points: np.ndarray) -> np.ndarray:
    """About the distance (...) in cm from the lips' border, negative on the lips; far behind the lips it is meaningless."""
    x, y = points[..., 0] / 2.95, (points[..., 1] + 3.4) / 1.2
    return ((np.sqrt(x * x + y * y) - 1) * 1.4).astype(np.float32)


def beard_field(points: np.ndarray, kind: str = "full") -> np.ndarray:
    """About the distance (...) in cm inside the region of a beard: full, goatee, chin or chinstrap."""
    azimuth, x, y, z = azimuth_of(points), np.abs(points[..., 0]), points[..., 1], points[..., 2]
    field = np.minimum(np.interp(azimuth, CHEEKS[:, 0], CHEEKS[:, 1]) - y, lip_distance(points) - 0.12)
    below = y + 9.2 + 0.14 * np.clip(6 - z, 0, 8)  # the throat
    field = np.minimum(field, below)
    field = np.minimum(field, (z - 0.4) * 0.8)
    if kind == "goatee":
        field = np.minimum(field, 3.7 - x + np.clip(-y - 6, 0, 2) * -0.4)
        field = np.minimum(field, y + 8.6)
    elif kind == "chin":
        field = np.minimum(np.minimum(field, 2.3 - x), -5.0 - y)
    elif kind == "chinstrap":
        edge = np.interp(azimuth, [0, 14, 24, 34, 50, 62, 75, 80], [-6.0, -5.9, -5.2, -4.2, -1.8, 1.6, 2.2, 0])
        field = np.minimum(field, edge - y)
    return field.astype(np.float32)


def face_clearance(points: np.ndarray) -> np.ndarray:
    """Least |x| (...) in cm that hair hanging beside the face keeps at heights of points (..., 3)."""
    y = points[..., 1]
    free = np.interp(y, [-16, -11, -7, -4, 2, 6, 9, 10.5], [4.2, 5.2, 5.9, 6.5, 6.9, 6.5, 4.6, 0])
    return (free * smoothstep(points[..., 2], 0.5, 3)).astype(np.float32)
