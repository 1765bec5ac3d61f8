"""Face Mesh: a square region of a picture -> 468 points of the face in it and how sure the model is that there is one.

A point is x and y in pixels of the picture and z, its depth in pixels of the same scale, which grows away from the camera.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019; the region's margin and the
way from points to the next region are those of Google MediaPipe's graphs (modules/face_landmark).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..runtime.manifest import ModelEntry
from .alignment import warp_crop, eye_line
from .results import Box

MARGIN = 1.5
"""Side of the region: times the box's mean side, or the longer side of the points."""
PASSES = 3  # the first region may be off where the detector gives no eyes, or the picture was taken as one face


@dataclass(frozen=True)
class Region:
    """A square of a picture: `middle` (2,) and `side` in its pixels, turned by `turn` radians, clockwise as seen."""

    middle: np.ndarray
    side: float
    turn: float

    @classmethod
    def of_box(cls, box: Box, keypoints: np.ndarray) -> Region:
        """Around a detector's box, upright by its eyes where it gives them (finite `keypoints`, person's right eye first)."""
        along = keypoints[1] - keypoints[0]
        turn = float(np.arctan2(along[1], along[0])) if np.isfinite(along).all() else 0.0
        middle = np.array([box.left + box.width / 2, box.top + box.height / 2])
        return cls(middle, MARGIN * float(np.sqrt(box.area)), turn)

    @classmethod
    def of_points(cls, points: np.ndarray) -> Region:
        """Around the 468 points of an earlier look, upright by their eyes."""
        flat = points[:, :2]
        _, turn = eye_line(flat)
        upright = flat @ _turned(turn)
        low, high = upright.min(axis=0), upright.max(axis=0)
        return cls(_turned(turn) @ ((low + high) / 2), MARGIN * float((high - low).max()), turn)

    def matrix(self, size: int) -> np.ndarray:
        """(2, 3): place in a crop of `size` pixels -> place in the picture."""
        axes = _turned(self.turn) * (self.side / size)
        return np.column_stack([axes, self.middle - axes @ [size / 2, size / 2]])

    def is_close_to(self, other: Region) -> bool:
        """Whether the network would see much the same. With twice these differences turned faces come out askew."""
        turn = abs((self.turn - other.turn + np.pi) % (2 * np.pi) - np.pi)
        shift = float(np.abs(self.middle - other.middle).max()) / self.side
        return turn < np.radians(5) and shift < 0.05 and 0.9 < other.side / self.side < 1.11


@dataclass(frozen=True)
class FaceMesh:
    """The model's manifest entry and the function that runs it."""

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]

    def predict(self, pixels: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
        """Points (468, 3) float32 of the picture (H, W, 3) uint8 RGB, and the score 0..1 that they are a face's."""
        size = self.entry.input["size"]
        matrix = region.matrix(size)
        points, logit = self.model(warp_crop(pixels, matrix, size)[None] * np.float32(1 / 255))
        points = points.reshape(-1, 3)
        flat, depth = points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2:] * (region.side / size)
        return np.hstack([flat, depth]).astype(np.float32), float(1 / (1 + np.exp(-logit.item())))

    def points(self, pixels: np.ndarray, region: Region) -> np.ndarray | None:
        """As `look`, from a better region where the first was off; None where the model sees no face."""
        for _ in range(PASSES):
            points, score = self.predict(pixels, region)
            better = Region.of_points(points)
            if region.is_close_to(better):
                break
            region = better
        return points if score >= self.entry.thresholds["score"] else None


def _turned(turn: float) -> np.ndarray:
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
