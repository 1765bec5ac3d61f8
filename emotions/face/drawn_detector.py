"""The search for drawn faces: squares of a picture, each judged by the bottleneck features that expressions are read from.

Detectors of faces learnt photographs: in a drawing they miss faces without an outline and take a pupil for a face. The features
of the expression network tell a face that lies as it is read from eyes, mouths and ornaments, drawn in styles that it never saw
too; a small head on them (role `face-check`, scripts/train/drawn_face_verifier.py) says so. Only flat parts are looked at, so that photographs
cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ..runtime.manifest import ModelEntry
from .alignment import BOX_CENTER, BOX_SIDE, align_crop
from .results import Box

ROLE = "face-check"
"""Of the check's entry in the manifest."""
READ = 128  # pixels a side
SHADOW = 24  # grey level
CONTRAST = 40  # grey levels between the darkest and the lightest twentieth
SMALLEST = 6  # pixels: less shows nothing of its surface
WINDOWS = 0.72, 0.52
"""Sides of the squares that are tried everywhere, as shares of the picture's shorter side; smaller faces the detector proposes."""
STEP = 0.25  # of a window's side
GROWN = 1.0, 1.3  # a proposed box is often the inner face
NEAR = tuple((x, y, grow) for grow in (0.8, 1.0, 1.25) for x, y in ((0, 0), (0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)))
"""Where the best square around a good one is looked for: shifts in its sides, and growth."""
MOST_FACES = 8
SAME = 0.4  # faces nearer than this share of their sides' sum, in both directions, are one

Square = tuple[float, float, float]
"""Middle x, middle y and side of a square that is read as a face, in pixels."""


@dataclass(frozen=True)
class DrawnFaceDetector:
    """`entry` (of ROLE) and `model` of the check, and `features`: crops (N, S, S) uint8 grey -> bottleneck features (N, F)."""

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]
    features: Callable[[np.ndarray], np.ndarray]

    def detect(self, pixels: np.ndarray, proposals: Iterable[Box]) -> list[tuple[Box, float]]:
        """Drawn faces of (H, W, 3) uint8 RGB: boxes, and how sure the check is of each, 0..1; surest first.

        `proposals` are boxes that a detector holds possible.
        """
        grey, least = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), self.entry.thresholds
        found: list[tuple[Square, float]] = []
        squares = [square for box in proposals if flatness(pixels, box) >= least["flatness"] for square in _grown(box)]
        squares += _flat(grey, sliding_windows(*grey.shape), least["flatness"])
        if not squares:
            return []
        scores = self.scores(grey, squares)
        for index in np.argsort(-scores, kind="stable"):
            if scores[index] < least["possible"] or len(found) == MOST_FACES:
                break
            if not any(_same(squares[index], known) for known, _ in found):
                square, score = self._refine(grey, squares[index])
                known = any(_same(square, other) for other, _ in found)
                if score >= least["face"] and not known and flatness(pixels, _around(square)) >= least["flatness"]:
                    found.append((square, score))
        return [(square_to_box(square), float(1 / (1 + np.exp(-score)))) for square, score in found]

    def scores(self, grey: np.ndarray, squares: list[Square]) -> np.ndarray:
        """The check's logits (N,) for squares of a grey picture (H, W) uint8."""
        size = self.entry.crop
        crops = np.stack([align_crop(grey, square_to_box(square), None, size) for square in squares])
        return self.model(self.features(crops))[0][:, 0]

    def _refine(self, grey: np.ndarray, square: Square) -> tuple[Square, float]:
        """The mean of the squares near one, weighted by the odds that they are a face, and the highest logit among them."""
        x, y, side = square
        near = [(x + right * side, y + down * side, grow * side) for right, down, grow in NEAR]
        scores = self.scores(grey, near)
        weights = np.exp(scores - scores.max())
        middle_x, middle_y, mean_side = np.average(near, axis=0, weights=weights).tolist()
        return (middle_x, middle_y, mean_side), float(scores.max())


def sliding_windows(height: int, width: int) -> list[Square]:
    """The squares of a picture that are tried everywhere: the smallest around it and the largest in it, then smaller ones."""
    long, short = float(max(height, width)), float(min(height, width))
    squares = [(width / 2, height / 2, long)]
    for side in (short, *(share * short for share in WINDOWS)):
        for x in _middles(width, side):
            squares += [(x, y, side) for y in _middles(height, side)]
    return list(dict.fromkeys(squares))  # of a square picture the first two are one


def flatness(pixels: np.ndarray, box: Box) -> float:
    """Share of a part of a picture that is one flat colour; 0 where it has next to no contrast, as sky and walls.

    It tells drawings from photographs, whose noise seldom leaves nine neighbouring pixels within one grey level; shadows, flat
    in photographs too, do not count. Large parts are read with a stride: blur is flat from pixel to pixel, not over a few.
    """
    height, width = pixels.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(width, int(box.left + box.width)), min(height, int(box.top + box.height))
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return 0.0
    stride = -(-max(right - left, bottom - top) // READ)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[top:bottom:stride, left:right:stride]), cv2.COLOR_RGB2GRAY)
    low, high = np.percentile(grey, [5, 95])
    return float(_one_colour(grey).mean()) if high - low >= CONTRAST else 0.0


def square_to_box(square: Square) -> Box:
    """The box for which `align_crop` without landmarks cuts just this square."""
    x, y, side = square
    inner = side / BOX_SIDE
    return Box(x + (BOX_CENTER[0] - 0.5) * side - inner / 2, y + (BOX_CENTER[1] - 0.5) * side - inner / 2, inner, inner)


def _grown(box: Box) -> list[Square]:
    side = BOX_SIDE * float(np.sqrt(box.area))
    x = box.left + box.width / 2 - (BOX_CENTER[0] - 0.5) * side
    y = box.top + box.height / 2 - (BOX_CENTER[1] - 0.5) * side
    return [(x, y, grow * side) for grow in GROWN]


def _flat(grey: np.ndarray, squares: list[Square], least: float) -> list[Square]:
    """The squares of which enough is one flat colour, told from one look at the whole picture."""
    stride = -(-max(grey.shape) // (2 * READ))
    sums = cv2.integral(_one_colour(np.ascontiguousarray(grey[::stride, ::stride])).astype(np.uint8))
    kept = []
    for square in squares:
        box = _around(square)
        left, top = (max(0, int(edge / stride)) for edge in (box.left, box.top))
        right = min(sums.shape[1] - 1, int((box.left + box.width) / stride))
        bottom = min(sums.shape[0] - 1, int((box.top + box.height) / stride))
        flat = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        if flat >= least * (right - left) * (bottom - top) > 0:
            kept.append(square)
    return kept


def _one_colour(grey: np.ndarray) -> np.ndarray:
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(grey, kernel) - cv2.erode(grey, kernel) <= 1) & (grey >= SHADOW)


def _middles(length: int, side: float) -> list[float]:
    count = 1 + int(np.ceil(max(length - side, 0) / (STEP * side)))
    return np.linspace(side / 2, length - side / 2, count).tolist() if length > side else [length / 2]


def _same(one: Square, other: Square) -> bool:
    reach = SAME * (one[2] + other[2])
    return abs(one[0] - other[0]) < reach and abs(one[1] - other[1]) < reach


def _around(square: Square) -> Box:
    x, y, side = square
    return Box(x - side / 2, y - side / 2, side, side)
