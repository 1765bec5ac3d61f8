"""Box and landmarks -> an upright grey square framed as the training faces are: the one crop of training and serving."""

from __future__ import annotations

import cv2
import numpy as np

from .results import Box

# Places in a FER2013 face as shares of its side, from scripts/measure_framing.py.
EYES = np.array([[0.33, 0.38], [0.67, 0.38]])
BOX_MARGIN = 1.15

# Corners of the person's right and left eye in Face Mesh's numbering.
RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)


def align_crop(pixels: np.ndarray, box: Box, landmarks: np.ndarray | None, size: int) -> np.ndarray:
    """Crop a face of (H, W, 3) uint8 RGB or (H, W) grey to (size, size) uint8 grey, framed as FER2013's faces are."""
    matrix = _frame(pixels, box, size) if landmarks is None else _aligned(landmarks, size)
    crop = cut(pixels, matrix, size)
    return crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)


def cut(pixels: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Sample a (size, size) crop: crop place (x, y) reads picture place `matrix` @ (x, y, 1), both in pixels from the corner.

    A crop smaller than its part of the picture is averaged over areas first, so that fine detail does not alias. Beyond the
    picture its edge repeats: black would be a line that no face has.
    """
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ matrix[:, :2].T + matrix[:, 2]
    height, width = pixels.shape[:2]
    edge = 2 * max(shrink, 1)
    left, top = np.clip(np.floor(corners.min(axis=0) - edge), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0) + edge), [left + 1, top + 1], [width, height]).astype(int)
    part = pixels[top:bottom, left:right]
    matrix = matrix - [[0, 0, left], [0, 0, top]]
    if shrink > 1:
        smaller = max(1, round((right - left) / shrink)), max(1, round((bottom - top) / shrink))
        ratio = np.array([[smaller[0] / (right - left)], [smaller[1] / (bottom - top)]])
        part, matrix = cv2.resize(part, smaller, interpolation=cv2.INTER_AREA), matrix * ratio
    # OpenCV puts (0, 0) in the middle of the first pixel; here it is the corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, centred, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _aligned(landmarks: np.ndarray, size: int) -> np.ndarray:
    right, left = landmarks[list(RIGHT_EYE)].mean(axis=0), landmarks[list(LEFT_EYE)].mean(axis=0)
    (dx, dy), wanted = left - right, (EYES[1, 0] - EYES[0, 0]) * size
    axes = np.array([[dx, -dy], [dy, dx]]) / wanted
    return np.column_stack([axes, (right + left) / 2 - axes @ (EYES.mean(axis=0) * size)])


def _frame(pixels: np.ndarray, box: Box, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    whole = box == Box(0.0, 0.0, float(width), float(height))
    side = max(box.width, box.height) * (1 if whole else BOX_MARGIN)
    step = side / size
    corner = box.left + box.width / 2 - side / 2, box.top + box.height / 2 - side / 2
    return np.array([[step, 0, corner[0]], [0, step, corner[1]]])
