"""Flag unreliable predictions: extreme yaw or pitch, small or blurred crop, covered face, low confidence.

This is classification with a reject option (Chow, "On optimum recognition error and reject tradeoff", 1970): the thresholds are
chosen on validation faces (scripts/evaluate/rejection.py) and lie in the head's manifest entry; covered faces are
detected by a head of its own (scripts/train/covered_face_head.py). Roll has no limit: crops are
aligned, and at any roll the answers are those of the upright face (benchmarks/orientation.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from .alignment import alignment_matrix, crop_scale
from .pose import Pose, estimate_pose
from .results import Box

UNSURE_REASONS = ("turned", "small", "blurred", "covered", "low_confidence")
"""Reasons in order of precedence: the first that applies is reported."""
LIMITED_REASONS = tuple(name for name in UNSURE_REASONS if name != "covered")
"""Reasons that have a limit in the entry of an expression head."""
MAX_PITCH = 40
"""Degrees of pitch, up or down, beyond which a face is `turned` by every head that has a limit of yaw. Up to there predictions
for validation faces are as often right as others; beyond are too few faces to show it (scripts/evaluate/orientation.py)."""


@dataclass(frozen=True)
class CropQuality:
    """Quality of a face crop, measured before classification.

    Attributes:
        pose: Head pose; None where Face Mesh found no face.
        side: Pixels of the decoded image that a side of the crop covers. Detail that was lost when a large image was decoded at
            a smaller size is lost to the network too.
        sharpness: See the function `sharpness`.
    """

    pose: Pose | None
    side: float
    sharpness: float


def measure_quality(shape: tuple[int, ...], box: Box, landmarks: np.ndarray | None, crop: np.ndarray) -> CropQuality:
    """Measure the quality of a face crop.

    Args:
        shape: Shape of the image, (H, W, ...).
        box: Face box in pixels of the image.
        landmarks: Face Mesh landmarks (468, 3) in pixels of the image, or None.
        crop: Crop (S, S) uint8 grey that `align_crop` made of them.
    """
    matrix = alignment_matrix(shape, box, landmarks, len(crop))
    side = len(crop) * crop_scale(matrix)
    return CropQuality(None if landmarks is None else estimate_pose(landmarks), side, sharpness(crop))


def sharpness(crop: np.ndarray) -> float:
    """Measure the sharpness of a crop at its own scale.

    The variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000) grows with
    contrast too; dividing by the contrast removes that.

    Args:
        crop: Crop (S, S) uint8 grey.

    Returns:
        Standard deviation of the Laplacian over that of the grey levels: around 0.45 for faces of web photos, 0 for a uniform
        crop.
    """
    contrast = _deviation(crop)
    return _deviation(cv2.Laplacian(crop, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE)) / contrast if contrast > 1 else 0.0


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation of an image (H, W)."""
    return float(cv2.meanStdDev(values)[1][0, 0])


def unsure_reason(quality: CropQuality, confidence: float, thresholds: Mapping[str, float], covered: bool = False) -> str | None:
    """Return the first of UNSURE_REASONS that applies, or None.

    Args:
        quality: Quality of the face's crop.
        confidence: Calibrated probability of the predicted emotion, 0..1.
        thresholds: Limits by reason, as in a head's manifest entry: maximum yaw in degrees to either side (which sets MAX_PITCH
            in force too), minimum side in pixels, minimum sharpness, minimum confidence. A reason without a limit never applies.
        covered: True where the mouth or the eyes are hidden; see `ExpressionClassifier.is_covered`.
    """
    pose = quality.pose if "turned" in thresholds else None
    applies = {
        "turned": pose is not None and (abs(pose.yaw) > thresholds["turned"] or abs(pose.pitch) > MAX_PITCH),
        "small": quality.side < thresholds.get("small", -np.inf),
        "blurred": quality.sharpness < thresholds.get("blurred", -np.inf),
        "covered": covered,
        "low_confidence": confidence < thresholds.get("low_confidence", -np.inf),
    }
    return next((name for name in UNSURE_REASONS if applies[name]), None)


def unsure_reason_after_smoothing(reason: str | None, confidence: float, thresholds: Mapping[str, float]) -> str | None:
    """Return the reason that applies to a face whose probabilities were smoothed over time.

    Args:
        reason: Reason of the current frame alone. One that concerns the crop is kept; `low_confidence` is decided again.
        confidence: Smoothed probability of the predicted emotion, 0..1.
        thresholds: As for `unsure_reason`.
    """
    if reason not in (None, "low_confidence"):
        return reason
    return "low_confidence" if confidence < thresholds.get("low_confidence", -np.inf) else None
