"""How the service's own detectors frame a style, learnt from a few pictures and applied to many."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotions.face.alignment import alignment_matrix, warp_crop
from emotions.face.detector import Detection, FaceDetector

from .renderer import Artist

CANVASES = ((640, 480), (800, 600), (480, 640), (768, 768))
SHARE = 0.25, 0.9  # a drawing's side over its canvas's shorter one
COVERED = 0.8  # share of eyes, brows and mouth that a crop must show to be one of the face
TURN, GROW, SHIFT = 6.0, 0.1, 0.04  # deviation of a training crop from a served one: degrees, share, share of its side
EXAMPLE = 256  # pixels a side of the pictures that the detectors are asked about
PAD = 0.5  # canvas around a drawing, as a share of its side: more than a crop reaches


@dataclass(frozen=True)
class Framings:
    """(2, 3) matrices from places in a crop (0..1) to places in a drawing (0..1), and how often the face was found."""

    matrices: list[np.ndarray]
    share: float


def on_canvas(picture: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture (S, S, 3) on a larger one of one colour: that (H, W, 3), and (left, top, side) of the drawing in it."""
    width, height = CANVASES[random.integers(len(CANVASES))]
    side = int(min(width, height) * random.uniform(*SHARE))
    left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
    canvas = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    larger = side > len(picture)
    canvas[top : top + side, left : left + side] = cv2.resize(
        picture, (side, side), interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    )
    return canvas, np.array([left, top, side])


def covered(mask: np.ndarray, matrix: np.ndarray) -> float:
    """Share of a drawing's mask (S, S) that a crop shows; `matrix` as in Framings."""
    places = (np.argwhere(mask)[:, ::-1] + 0.5) / len(mask)
    if not len(places):
        return 0.0
    inside = np.linalg.solve(matrix[:, :2], (places - matrix[:, 2]).T)
    return float(((inside >= 0) & (inside <= 1)).all(axis=0).mean())


def matrix_of(face_detector: FaceDetector, pixels: np.ndarray, face: Detection, place: np.ndarray) -> np.ndarray:
    """The service's crop of a detection in a picture, in terms of the drawing at (left, top, side); see Framings."""
    matrix = alignment_matrix(pixels.shape, face.box, face_detector.landmarks(pixels, face), 1)
    return (matrix - [[0, 0, place[0]], [0, 0, place[1]]]) / place[2]


def framings(artist: Artist, face_detector: FaceDetector, style: str, count: int, seed: int) -> Framings:
    """Crops of `count` pictures of a style: as found on a canvas and in the drawing alone, and the whole drawing as one face.

    A crop that leaves out much of what tells the expression (an eye taken for a face) teaches nothing and is not kept.
    """
    random = np.random.default_rng([seed, *style.encode()])
    expressions = [expression for name, expression in artist.subjects if name == style]
    matrices, found = [], 0
    for number in range(count):
        picture, mask = artist.plain(style, expressions[number % len(expressions)], EXAMPLE, random)
        alone = np.array([0, 0, EXAMPLE])
        for pixels, place in (on_canvas(picture, random), (picture, alone)):
            crops = [matrix_of(face_detector, pixels, face, place) for face in face_detector.detect(pixels)[1]]
            crops = [matrix for matrix in crops if covered(mask, matrix) >= COVERED]
            found += bool(crops)
            matrices += crops[:1]
        whole = matrix_of(face_detector, picture, face_detector.detect(picture, "none")[1][0], alone)
        matrices.append(whole if covered(mask, whole) >= COVERED else np.eye(2, 3))
    return Framings(matrices, found / (2 * count))


def spacing(matrix: np.ndarray) -> float:
    """Side of a crop as a share of the drawing's."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def crop(picture: np.ndarray, matrix: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(S, S, 3) RGB -> (size, size) uint8 grey, framed by `matrix` (see Framings), turned, grown and shifted a little."""
    grey, side = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), len(picture)
    if random.random() < 0.5:  # on a canvas; else the drawing's own edge repeats
        pad = round(PAD * side)
        grey = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=int(random.integers(0, 256)))
    else:
        pad = 0
    turn, scale = np.radians(random.normal(0, TURN)), np.exp(random.normal(0, GROW))
    turned = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle, shift = np.array([0.5, 0.5]), random.normal(0, SHIFT, 2)
    jitter = np.column_stack([turned, middle + shift - turned @ middle])
    whole = np.column_stack([matrix[:, :2] @ jitter[:, :2], matrix[:, :2] @ jitter[:, 2] + matrix[:, 2]]) * side
    whole[:, 2] += pad
    whole[:, :2] /= size
    return warp_crop(grey, whole, size)
