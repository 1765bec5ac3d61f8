"""Crop framing of drawn faces: measured with the served detectors on a few images per style, applied to all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotions.face.alignment import alignment_matrix, warp_crop
from emotions.face.blazeface import Detection
from emotions.face.detector import FaceDetector

from .renderer import AvatarRenderer

CANVASES = ((640, 480), (800, 600), (480, 640), (768, 768))
DRAWING_SCALE = 0.25, 0.9  # side of the drawing / shorter side of the canvas
MIN_VISIBLE = 0.8  # share of eyes, brows and mouth inside of a valid crop
ROTATION_SD, SCALE_SD, SHIFT_SD = 6.0, 0.1, 0.04  # jitter of training crops: degrees, log scale, share of the crop's side
IMAGE_SIDE = 256  # side in pixels of the images given to the detectors
CANVAS_PAD = 0.5  # margin around a drawing as a share of its side, wider than any crop


@dataclass(frozen=True)
class Framings:
    """(2, 3) matrices that map crop coordinates (0..1) to drawing coordinates (0..1), and the detection rate."""

    matrices: list[np.ndarray]
    detection_rate: float


def place_on_canvas(image: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Paste an image (S, S, 3) on a larger plain canvas; return the canvas (H, W, 3) and (left, top, side) of the drawing."""
    width, height = CANVASES[random.integers(len(CANVASES))]
    side = int(min(width, height) * random.uniform(*DRAWING_SCALE))
    left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
    canvas = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    larger = side > len(image)
    canvas[top : top + side, left : left + side] = cv2.resize(
        image, (side, side), interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    )
    return canvas, np.array([left, top, side])


def visible_fraction(mask: np.ndarray, matrix: np.ndarray) -> float:
    """Return the share of a drawing's mask (S, S) inside of a crop; `matrix` as in Framings."""
    places = (np.argwhere(mask)[:, ::-1] + 0.5) / len(mask)
    if not len(places):
        return 0.0
    inside = np.linalg.solve(matrix[:, :2], (places - matrix[:, 2]).T)
    return float(((inside >= 0) & (inside <= 1)).all(axis=0).mean())


def crop_matrix(face_detector: FaceDetector, pixels: np.ndarray, face: Detection, place: np.ndarray) -> np.ndarray:
    """Return the served crop of a detection in coordinates of the drawing at `place` (left, top, side); see Framings."""
    matrix = alignment_matrix(pixels.shape, face.box, face_detector.landmarks(pixels, face), 1)
    return (matrix - [[0, 0, place[0]], [0, 0, place[1]]]) / place[2]


def measure_framings(renderer: AvatarRenderer, face_detector: FaceDetector, style: str, count: int, seed: int) -> Framings:
    """Measure the crops of `count` images of a style: detected on a canvas, detected in the drawing alone, and undetected.

    Crops that cut off much of the expression (for example a false detection of an eye) are discarded.
    """
    random = np.random.default_rng([seed, *style.encode()])
    expressions = [expression for name, expression in renderer.subjects if name == style]
    matrices, found = [], 0
    for number in range(count):
        image, mask = renderer.render(style, expressions[number % len(expressions)], IMAGE_SIDE, random)
        alone = np.array([0, 0, IMAGE_SIDE])
        for pixels, place in (place_on_canvas(image, random), (image, alone)):
            crops = [crop_matrix(face_detector, pixels, face, place) for face in face_detector.detect(pixels)[1]]
            crops = [matrix for matrix in crops if visible_fraction(mask, matrix) >= MIN_VISIBLE]
            found += bool(crops)
            matrices += crops[:1]
        whole = crop_matrix(face_detector, image, face_detector.detect(image, "none")[1][0], alone)
        matrices.append(whole if visible_fraction(mask, whole) >= MIN_VISIBLE else np.eye(2, 3))
    return Framings(matrices, found / (2 * count))


def relative_side(matrix: np.ndarray) -> float:
    """Return the side of a crop as a share of the drawing's side."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def jittered_crop(image: np.ndarray, matrix: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Crop (S, S, 3) RGB by `matrix` (see Framings) with random rotation, scale and shift; returns (size, size) uint8 grey."""
    grey, side = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), len(image)
    if random.random() < 0.5:  # on a plain canvas; otherwise the drawing's edge is repeated
        pad = round(CANVAS_PAD * side)
        grey = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=int(random.integers(0, 256)))
    else:
        pad = 0
    jitter = sample_jitter(random, ROTATION_SD, SCALE_SD, SHIFT_SD)
    whole = compose(matrix, jitter) * side
    whole[:, 2] += pad
    whole[:, :2] /= size
    return warp_crop(grey, whole, size)


def sample_jitter(random: np.random.Generator, rotation: float, scale: float, shift: float) -> np.ndarray:
    """Sample a (2, 3) matrix that turns, scales and shifts a unit square about its centre.

    The arguments are standard deviations: of degrees, of the logarithm of the scale, and of shares of the side.
    """
    turn, factor = np.radians(random.normal(0, rotation)), np.exp(random.normal(0, scale))
    turned = factor * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([0.5, 0.5])
    return np.column_stack([turned, middle + random.normal(0, shift, 2) - turned @ middle])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix that maps by `inner` and then by `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])
