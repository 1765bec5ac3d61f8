"""Geometry that is fixed to a head: hair, brows, beards, glasses, hats, clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MATERIALS = ("hair", "cloth", "plastic", "metal", "skin")


@dataclass(frozen=True)
class Part:
    """A triangle mesh whose vertices follow vertices of the head.

    Attributes:
        anchors: (N,) int32, the head's vertex that each vertex follows. A rigid part follows a single one.
        offsets: (N, 3) float32, position relative to the anchor on the character's neutral head, in cm.
        triangles: (M, 3) int32, counter-clockwise as seen from outside.
        normals: (N, 3) float32, unit length.
        colors: (N, 3) float32, sRGB in 0..1.
        material: one of MATERIALS.
    """

    anchors: np.ndarray
    offsets: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    material: str

    def __post_init__(self) -> None:
        if self.material not in MATERIALS:
            raise ValueError(f"unknown material {self.material!r}")

    def posed(self, head: np.ndarray) -> np.ndarray:
        """Positions (N, 3) float32 on a posed head (V, 3)."""
        return head[self.anchors] + self.offsets
