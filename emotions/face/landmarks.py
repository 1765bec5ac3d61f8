"""Face Mesh: 468 landmarks of the face in a square region of an image, and the confidence that there is a face.

A landmark is x and y in pixels of the image and z, its depth in pixels of the same scale, which grows away from the camera.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019; the region's margin and the
computation of the next region from landmarks are those of Google MediaPipe's graphs (modules/face_landmark).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..runtime.manifest import ModelEntry
from .alignment import eye_line, stable_matrix, warp_crop
from .results import Box

MARGIN = 1.5
"""Side of the region over the mean side of the box, or over the longer side of the landmarks' bounding box."""
PLAUSIBLE, CERTAIN = 10.0, 18.0
"""Logits from which landmarks are taken to be right way up, and from which no other orientation of the image is tried. Upside
down or sideways, faces give less, or the landmarks turn with the face (scripts/evaluate/orientation.py)."""
MAX_TILT = 60
"""Degrees of roll up to which a face counts as upright; faces that are tilted further are found less often."""
MAX_PASSES = 3  # the first region may be off where the detector gives no eyes, or where the whole image was taken as one face


@dataclass(frozen=True)
class Region:
    """A rotated square of an image.

    Attributes:
        center: Centre (2,) in pixels.
        side: Side in pixels.
        angle: Rotation in radians, clockwise as the viewer sees it.
    """

    center: np.ndarray
    side: float
    angle: float

    @classmethod
    def of_box(cls, box: Box, keypoints: np.ndarray, turns: int = 0) -> Region:
        """Return the region around a detector's box, rotated until the eyes are level.

        Args:
            box: Face box in pixels.
            keypoints: (6, 2) as in blazeface.KEYPOINTS; with NaN the region is rotated by `turns` alone.
            turns: Quarter turns clockwise of the face.
        """
        direction = keypoints[1] - keypoints[0]
        angle = float(np.arctan2(direction[1], direction[0])) if np.isfinite(direction).all() else turns * np.pi / 2
        center = np.array([box.left + box.width / 2, box.top + box.height / 2])
        return cls(center, MARGIN * float(np.sqrt(box.area)), angle)

    @classmethod
    def of_landmarks(cls, landmarks: np.ndarray) -> Region:
        """Return the region around landmarks (468, 2) or (468, 3), rotated until the eyes are level."""
        flat = landmarks[:, :2]
        _, angle = eye_line(flat)
        upright = flat @ _rotation(angle)
        low, high = upright.min(axis=0), upright.max(axis=0)
        return cls(_rotation(angle) @ ((low + high) / 2), MARGIN * float((high - low).max()), angle)

    def turned(self, turns: int) -> Region:
        """Return the region rotated further by quarter turns clockwise."""
        return replace(self, angle=self.angle + turns * np.pi / 2)

    def matrix(self, size: int) -> np.ndarray:
        """Return the matrix (2, 3) from a crop of `size` pixels to the image; see `alignment.stable_matrix` and `warp_crop`."""
        axes = _rotation(self.angle) * (self.side / size)
        return stable_matrix(np.column_stack([axes, self.center - axes @ [size / 2, size / 2]]))

    def is_close_to(self, other: Region) -> bool:
        """Return whether another pass over `other` would hardly change the landmarks.

        With twice these tolerances the landmarks of rotated faces come out skewed.
        """
        angle = abs((self.angle - other.angle + np.pi) % (2 * np.pi) - np.pi)
        shift = float(np.abs(self.center - other.center).max()) / self.side
        return angle < np.radians(5) and shift < 0.05 and 0.9 < other.side / self.side < 1.11


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of a face.

    Attributes:
        points: (468, 3) float32: x, y and depth in pixels of the image.
        logit: Logit of `score`, which tells apart what is a face of either way up: its score is next to 1.
    """

    points: np.ndarray
    logit: float

    @property
    def score(self) -> float:
        """Score 0..1 that they are those of a face."""
        return float(1 / (1 + np.exp(-self.logit)))

    def is_upright(self, turns: int = 0, logit: float = PLAUSIBLE) -> bool:
        """Return whether the face has at least this logit and is within MAX_TILT of so many quarter turns clockwise."""
        angle = eye_line(self.points[:, :2])[1] - turns * np.pi / 2
        return self.logit >= logit and bool(np.cos(angle) >= np.cos(np.radians(MAX_TILT)))


@dataclass(frozen=True)
class FaceMesh:
    """The Face Mesh model.

    Attributes:
        entry: Manifest entry: input size and threshold.
        model: Function that runs the model.
    """

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]

    def predict(self, pixels: np.ndarray, region: Region) -> Landmarks:
        """Predict the landmarks in a region in one pass.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            region: Region of the image.
        """
        size = self.entry.input["size"]
        matrix = region.matrix(size)
        points, logit = self.model(warp_crop(pixels, matrix, size)[None] * np.float32(1 / 255))
        points = points.reshape(-1, 3)
        flat, depth = points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2:] * (region.side / size)
        return Landmarks(np.hstack([flat, depth]).astype(np.float32), float(logit.item()))

    def predict_refined(self, pixels: np.ndarray, region: Region) -> Landmarks:
        """Predict the landmarks in up to MAX_PASSES passes, each over the region of the landmarks before.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            region: First region of the image.
        """
        for _ in range(MAX_PASSES):
            landmarks = self.predict(pixels, region)
            refined = Region.of_landmarks(landmarks.points)
            if region.is_close_to(refined):
                break
            region = refined
        return landmarks

    def predict_turned(self, pixels: np.ndarray, region: Region, known: Landmarks) -> Landmarks:
        """Try the other quarter turns of a region, one pass each, and refine the best one if its logit is higher than before.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            region: First region of the image.
            known: Landmarks that `predict_refined` gave for it, returned where no other turn gives better ones.
        """
        others = [(self.predict(pixels, region.turned(turns)), turns) for turns in (1, 2, 3)]
        best, turns = max(others, key=lambda pair: pair[0].logit)
        better = best.logit >= max(PLAUSIBLE, known.logit)
        return self.predict_refined(pixels, region.turned(turns)) if better else known


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
