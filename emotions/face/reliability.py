"""Why an answer deserves doubt: the face is turned, small or blurred, or no emotion stands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from .alignment import alignment_matrix
from .pose import Pose, estimate_pose
from .results import Box

UNSURE_REASONS = ("turned", "small", "blurred", "low_confidence")
"""Reasons, the one that is told first where several apply."""


@dataclass(frozen=True)
class CropQuality:
    """What can be said of a face before it is read.

    `pose`: None where Face Mesh saw no face. `side`: pixels of the opened picture that a side of the crop covers; what a large
    picture loses when it is opened smaller is lost to the network too. `sharpness`: see `sharpness`.
    """

    pose: Pose | None
    side: float
    sharpness: float


def measure_quality(shape: tuple[int, ...], box: Box, mesh: np.ndarray | None, crop: np.ndarray) -> CropQuality:
    """The quality of a face in a picture of `shape`: its box, points (468, 3) or None, and crop (S, S) uint8."""
    matrix = alignment_matrix(shape, box, None if mesh is None else mesh[:, :2], len(crop))
    side = len(crop) * float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return CropQuality(None if mesh is None else estimate_pose(mesh), side, sharpness(crop))


def sharpness(crop: np.ndarray) -> float:
    """How sharp a crop (S, S) uint8 is at its own scale: the Laplacian's standard deviation over that of the grey levels.

    The variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000) grows with
    contrast, which is no sharpness: hence the division. Around 0.45 for faces of web pictures; 0 for a plain crop.
    """
    grey = crop.astype(np.float32)
    contrast = float(grey.std())
    return float(cv2.Laplacian(grey, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE).std()) / contrast if contrast > 1 else 0.0


def unsure_reason(quality: CropQuality, confidence: float, thresholds: Mapping[str, float]) -> str | None:
    """The first of UNSURE_REASONS that applies, or None.

    `thresholds` are those of a head's manifest entry: the most degrees of yaw to either side, the least pixels a side, the
    least sharpness and the least confidence (0..1), each under its doubt's name. A doubt without a threshold is never raised.
    """
    applies = {
        "turned": quality.pose is not None and abs(quality.pose.yaw) > thresholds.get("turned", np.inf),
        "small": quality.side < thresholds.get("small", -np.inf),
        "blurred": quality.sharpness < thresholds.get("blurred", -np.inf),
        "low_confidence": confidence < thresholds.get("low_confidence", -np.inf),
    }
    return next((name for name in UNSURE_REASONS if applies[name]), None)


def unsure_reason_after_smoothing(before: str | None, confidence: float, thresholds: Mapping[str, float]) -> str | None:
    """The doubt of a face whose probabilities were smoothed: what was said `before` of the face itself stays, and
    low_confidence is told of the new `confidence`."""
    if before not in (None, "low_confidence"):
        return before
    return "low_confidence" if confidence < thresholds.get("low_confidence", -np.inf) else None
