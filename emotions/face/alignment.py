"""Face alignment: crop a face to an upright grey square. Training and serving share `align_crop`."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .results import Box

# Median position of faces in FER2013's images as fractions of their side, on validation faces (scripts/evaluate/framing.py).
EYE_CENTER = 0.5, 0.394  # midpoint between the eyes
RMS_RADIUS = 0.277  # root mean square distance of the 468 landmarks from their mean
BOX_SIDE = 1 / 0.888  # side of the image over the mean side of the detector's box
BOX_CENTER = 0.514, 0.526  # centre of the detector's box

POSITION_STEPS, AXIS_STEPS = 16, 4096
"""Steps to which `stable_matrix` rounds: of a pixel of the crop, and of the image's pixels for each pixel of the crop."""

# Outer and inner corner of the person's right and left eye in Face Mesh's numbering.
RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)
EYE_CORNERS = np.array([*RIGHT_EYE, *LEFT_EYE])


def align_crop(pixels: np.ndarray, box: Box, landmarks: np.ndarray | None, size: int, turns: int = 0) -> np.ndarray:
    """Crop and align a face as FER2013's faces are framed.

    With landmarks the crop is rotated until the eyes are level, centred on the midpoint between the eyes and scaled by the RMS
    radius of all landmarks (the distance between the eyes alone shrinks as the head turns away). Without landmarks it is a
    square around the box, rotated by whole quarter turns. A box that equals the whole image is taken as framed already: the crop
    is the smallest square around it, so that nothing is cut off or distorted.

    Args:
        pixels: Image, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        box: Face box in pixels of the image.
        landmarks: Face Mesh landmarks (468, 2) or (468, 3) in pixels of the image (a depth is ignored), or None.
        size: Side of the crop in pixels.
        turns: Quarter turns clockwise of the face, which count where there are no landmarks.

    Returns:
        Crop (size, size) uint8 grey (ITU-R BT.601 luma).
    """
    crop = warp_crop(pixels, stable_matrix(alignment_matrix(pixels.shape, box, landmarks, size, turns)), size)
    return crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)


def alignment_matrix(shape: tuple[int, ...], box: Box, landmarks: np.ndarray | None, size: int, turns: int = 0) -> np.ndarray:
    """Compute the affine matrix with which `align_crop` samples an image.

    Args:
        shape: Shape of the image, (H, W, ...).
        box: Face box in pixels of the image.
        landmarks: Face Mesh landmarks (468, 2) or (468, 3) in pixels of the image, or None.
        size: Side of the crop in pixels.
        turns: As for `align_crop`.

    Returns:
        Matrix (2, 3) from crop coordinates to image coordinates; see `warp_crop`.
    """
    return _box_matrix(box, shape, size, turns) if landmarks is None else _landmark_matrix(landmarks[:, :2], size)


def stable_matrix(matrix: np.ndarray) -> np.ndarray:
    """Round an affine matrix to steps far below a pixel of the crop.

    The last digits of a network's outputs, and with them those of a matrix, differ between processors and runtimes. Unrounded,
    they change single grey levels of a crop, and a quantized network may answer to that with probabilities that differ by
    hundredths (scripts/evaluate/device). Rounded, they hardly ever change a crop: only where a value is close to the middle
    between two steps.

    Args:
        matrix: (2, 3) affine matrix from crop coordinates to image coordinates.

    Returns:
        Rounded matrix (2, 3); the matrix itself where its scale is zero or not finite, as that of a box without area is.
    """
    scale = crop_scale(matrix)
    if not 0 < scale < math.inf:
        return matrix
    unit = 2.0 ** math.floor(math.log2(scale))
    steps = np.array([AXIS_STEPS, AXIS_STEPS, POSITION_STEPS]) / unit
    return np.asarray(np.floor(matrix * steps + 0.5) / steps)


def warp_crop(pixels: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Sample a square crop with an affine transform, without aliasing.

    Where the crop is smaller than its part of the image, that part is averaged over areas first. Outside the image the border
    is replicated: a black border would add an edge that no face has.

    Args:
        pixels: Image, (H, W, 3) or (H, W) uint8.
        matrix: (2, 3) affine matrix: crop position (x, y) shows the image at `matrix` @ (x, y, 1). Both are in pixels and
            measured from the corner of the first pixel.
        size: Side of the crop in pixels.

    Returns:
        Crop (size, size, 3) or (size, size) uint8.
    """
    scale = crop_scale(matrix)
    height, width = pixels.shape[:2]
    margin = 2 * max(scale, 1)
    (left, right), (top, bottom) = (
        _span(row, size, margin, limit) for row, limit in zip(matrix.tolist(), (width, height), strict=True)
    )
    region = pixels[top:bottom, left:right]
    matrix = matrix - [[0, 0, left], [0, 0, top]]
    if scale > 1:
        reduced = max(1, round((right - left) / scale)), max(1, round((bottom - top) / scale))
        region = cv2.resize(region, reduced, interpolation=cv2.INTER_AREA)
        matrix = matrix * [[reduced[0] / (right - left)], [reduced[1] / (bottom - top)]]
    # OpenCV's origin is the centre of the first pixel, here it is the pixel's corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(region, centred, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def turn_points(points: np.ndarray, turns: int) -> np.ndarray:
    """Rotate points (..., 2) around the origin by quarter turns clockwise, as the viewer sees it."""
    for _ in range(turns % 4):
        points = np.stack([-points[..., 1], points[..., 0]], axis=-1)
    return points


def eye_line(landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the midpoint between the eyes and the roll of the line through them.

    Args:
        landmarks: Face Mesh landmarks (468, 2) in pixels.

    Returns:
        Midpoint (2,) in pixels, and the angle in radians from the person's right eye to the left one.
    """
    outer_right, inner_right, outer_left, inner_left = landmarks[EYE_CORNERS].astype(np.float64)
    right, left = (outer_right + inner_right) / 2, (outer_left + inner_left) / 2
    across, down = (left - right).tolist()
    return (right + left) / 2, math.atan2(down, across)


def rms_radius(landmarks: np.ndarray) -> float:
    """Return the root mean square distance of landmarks (N, 2) from their mean, in pixels."""
    _, deviations = cv2.meanStdDev(np.ascontiguousarray(landmarks)[:, None])  # a few times as fast as NumPy for so few numbers
    return math.hypot(*deviations[:, 0].tolist())


def crop_scale(matrix: np.ndarray) -> float:
    """Return how many pixels of the image the side of a pixel of the crop covers, for a matrix (2, 3) as in `warp_crop`."""
    (a, b, _), (d, e, _) = matrix.tolist()
    return math.sqrt(abs(a * e - b * d))


def _span(row: list[float], size: int, margin: float, limit: int) -> tuple[int, int]:
    """Return the first pixel and the end of a crop of `size` along one axis of the image, which has `limit` pixels.

    `row` is that axis' row of the matrix. The span has a margin in pixels and is clipped to the image, to at least one pixel.
    """
    along, across, offset = row
    start = offset + size * (min(along, 0.0) + min(across, 0.0)) - margin
    end = offset + size * (max(along, 0.0) + max(across, 0.0)) + margin
    first = math.floor(min(max(0.0, start), limit - 1))
    return first, math.ceil(min(max(first + 1, end), limit))


def _landmark_matrix(landmarks: np.ndarray, size: int) -> np.ndarray:
    center, angle = eye_line(landmarks)
    scale = rms_radius(landmarks) / (RMS_RADIUS * size)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    (x, y), (across, down) = center.tolist(), (size * part for part in EYE_CENTER)
    return np.array([[cosine, -sine, x - cosine * across + sine * down], [sine, cosine, y - sine * across - cosine * down]])


def _box_matrix(box: Box, shape: tuple[int, ...], size: int, turns: int) -> np.ndarray:
    height, width = shape[:2]
    if box == Box(0.0, 0.0, float(width), float(height)):
        side, center = float(max(width, height)), (0.5, 0.5)
    else:
        side, center = BOX_SIDE * float(np.sqrt(box.area)), BOX_CENTER
    axes = turn_points(np.eye(2), turns).T * (side / size)
    return np.column_stack([axes, [box.left + box.width / 2, box.top + box.height / 2] - axes @ np.multiply(center, size)])
