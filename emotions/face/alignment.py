"""Box and landmarks -> an upright grey square framed as the training faces are: the one crop of training and serving."""

from __future__ import annotations

import cv2
import numpy as np

from .results import Box

# Where faces lie in FER2013's pictures, as shares of their side: medians over validation faces (scripts/evaluate/framing.py).
EYE_CENTER = 0.5, 0.394  # the middle between the eyes
RMS_RADIUS = 0.277  # root mean square distance of the 468 points from their mean
BOX_SIDE = 1 / 0.888  # side of the picture over the mean side of the detector's box
BOX_CENTER = 0.514, 0.526  # middle of the detector's box

# Corners of the person's right and left eye in Face Mesh's numbering: outer and inner.
RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)


def align_crop(pixels: np.ndarray, box: Box, landmarks: np.ndarray | None, size: int) -> np.ndarray:
    """Crop a face of (H, W, 3) uint8 RGB or (H, W) uint8 grey to (size, size) uint8 grey, framed as FER2013's faces are.

    With `landmarks` (468, 2) in pixels: turned until the eyes are level, the middle between them put in its place, and scaled
    by the spread of all points (the distance of the eyes alone shrinks as a head turns away). Without: upright around `box`.
    A box that is the whole picture is taken as framed already: the crop is the smallest square around it, so that
    nothing is cut off or squeezed. Grey is ITU-R BT.601 luma.
    """
    crop = warp_crop(pixels, alignment_matrix(pixels.shape, box, landmarks, size), size)
    return crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)


def alignment_matrix(shape: tuple[int, ...], box: Box, landmarks: np.ndarray | None, size: int) -> np.ndarray:
    """The (2, 3) matrix by which `align_crop` cuts a picture of that shape: see `warp_crop`."""
    return _around(box, shape, size) if landmarks is None else _aligned(landmarks, size)


def warp_crop(pixels: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Sample a (size, size) crop: its place (x, y) shows the picture's `matrix` @ (x, y, 1), both in pixels from the corner.

    Where the crop is smaller than its part of the picture, that part is averaged over areas first, so that fine detail does
    not alias. Beyond the picture its edge repeats: black would draw a line that no face has.
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
        part = cv2.resize(part, smaller, interpolation=cv2.INTER_AREA)
        matrix = matrix * [[smaller[0] / (right - left)], [smaller[1] / (bottom - top)]]
    # OpenCV puts (0, 0) in the middle of the first pixel; here it is the corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, centred, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def eye_line(landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle between the eyes (2,), and the angle in radians from the person's right eye to the left one."""
    right, left = landmarks[list(RIGHT_EYE)].mean(axis=0), landmarks[list(LEFT_EYE)].mean(axis=0)
    along = left - right
    return (right + left) / 2, float(np.arctan2(along[1], along[0]))


def rms_radius(landmarks: np.ndarray) -> float:
    """Root mean square distance of the points from their mean, in pixels."""
    return float(np.sqrt(landmarks.var(axis=0).sum()))


def _aligned(landmarks: np.ndarray, size: int) -> np.ndarray:
    middle, turn = eye_line(landmarks)
    step = rms_radius(landmarks) / (RMS_RADIUS * size)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * step
    return np.column_stack([axes, middle - axes @ np.multiply(EYE_CENTER, size)])


def _around(box: Box, shape: tuple[int, ...], size: int) -> np.ndarray:
    height, width = shape[:2]
    if box == Box(0.0, 0.0, float(width), float(height)):
        side, middle = float(max(width, height)), (0.5, 0.5)
    else:
        side, middle = BOX_SIDE * float(np.sqrt(box.area)), BOX_CENTER
    step = side / size
    corner = box.left + box.width / 2 - middle[0] * side, box.top + box.height / 2 - middle[1] * side
    return np.array([[step, 0, corner[0]], [0, step, corner[1]]])
