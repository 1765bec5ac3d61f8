"""Sliding-window detector of drawn faces: windows are classified by the backbone's bottleneck features.

Face detectors are trained on photographs: in a drawing they miss faces without an outline and report pupils as faces. The
features of the expression backbone separate a face that fills its crop from eyes, mouths and ornaments, also in drawing styles
outside the training data; a small head on these features (role `face-check`, scripts/train/drawn_face_verifier.py) is the
verifier. Only flat-coloured regions with contrast are examined, so that photographs and blank paper cost next to nothing.
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
"""Role of the verifier's entry in the manifest."""
MAX_SAMPLES = 128  # pixels a side that `flatness` examines
MIN_LEVEL = 24  # darker grey levels do not count as flat: shadows are flat in photographs too
MIN_CONTRAST = 40  # grey levels between the 5th and the 95th percentile
MIN_REGION = 6  # pixels a side: a smaller region says nothing about its surface
WINDOW_SCALES = 0.72, 0.52
"""Sides of the sliding windows over the image's shorter side; smaller faces have to be among the proposals."""
WINDOW_STRIDE = 0.25  # in sides of a window
MAX_ACROSS = 40
"""Windows of one size along a side, nine rows of them at most: an image longer than five times its width is searched in wider
steps, so that its shape does not decide on the time."""
PROPOSAL_SCALES = 1.0, 1.3  # a proposed box is often the inner face alone
REFINE_OFFSETS = tuple((x, y, scale) for scale in (0.8, 1.0, 1.25) for x, y in ((0, 0), (0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)))
"""Windows around a promising one: shifts in its sides, and relative side."""
REFINE_REACH = 0.725  # of a window's side from its middle to the farthest edge of these windows
MAX_REFINED = 16  # promising windows that are refined, best first; the drawings that were measured have at most five
MAX_FACES = 8
DUPLICATE_DISTANCE = 0.4  # two windows nearer than this times the sum of their sides, in both directions, are one face

Square = tuple[float, float, float]
"""Centre x, centre y and side of a square window, in pixels."""


@dataclass(frozen=True)
class DrawnFaceDetector:
    """Detector of drawn faces.

    Attributes:
        entry: Manifest entry of the verifier (role ROLE).
        model: Function that runs the verifier on features (N, F).
        features: Function from crops (N, S, S) uint8 grey to the backbone's features (N, F).
    """

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]
    features: Callable[[np.ndarray], np.ndarray]

    def detect(self, pixels: np.ndarray, proposals: Iterable[Box]) -> list[tuple[Box, float]]:
        """Detect drawn faces.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            proposals: Candidate boxes of another detector, examined beside the sliding windows.

        Returns:
            Up to MAX_FACES boxes in pixels of the image with the verifier's probability, best first.
        """
        if min(pixels.shape[:2]) < MIN_REGION:
            return []
        grey, thresholds = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), self.entry.thresholds
        found: list[tuple[Square, float]] = []
        squares = [
            square for box in proposals if flatness(pixels, box) >= thresholds["flatness"] for square in _proposal_squares(box)
        ]
        squares += _flat_squares(grey, sliding_windows(*grey.shape), thresholds["flatness"])
        if not squares:
            return []
        scores, refined = self.scores(grey, squares), 0
        for index in np.argsort(-scores, kind="stable"):
            if scores[index] < thresholds["possible"] or len(found) == MAX_FACES or refined == MAX_REFINED:
                break
            if any(_is_duplicate(squares[index], other) for other, _ in found):
                continue
            refined += 1
            square, score = self._refine(grey, squares[index])
            duplicate = any(_is_duplicate(square, other) for other, _ in found)
            if score >= thresholds["face"] and not duplicate and flatness(pixels, _bounds(square)) >= thresholds["flatness"]:
                found.append((square, score))
        return [(square_to_box(square), float(1 / (1 + np.exp(-score)))) for square, score in found]

    def scores(self, grey: np.ndarray, squares: list[Square]) -> np.ndarray:
        """Return the verifier's logits (N,) for N squares of an image (H, W) uint8 grey."""
        size = self.entry.crop
        crops = np.stack([align_crop(grey, square_to_box(square), None, size) for square in squares])
        return self.model(self.features(crops))[0][:, 0]

    def _refine(self, grey: np.ndarray, square: Square) -> tuple[Square, float]:
        """Average the windows around one, weighted by their odds of being a face; the score is the highest logit."""
        x, y, side = square
        windows = [(x + right * side, y + down * side, scale * side) for right, down, scale in REFINE_OFFSETS]
        scores = self.scores(grey, windows)
        weights = np.exp(scores - scores.max())
        center_x, center_y, mean_side = np.average(windows, axis=0, weights=weights).tolist()
        return (center_x, center_y, mean_side), float(scores.max())


def sliding_windows(height: int, width: int) -> list[Square]:
    """Return the windows of an image: the smallest square around it, the largest inside it, then WINDOW_SCALES."""
    long, short = float(max(height, width)), float(min(height, width))
    squares = [(width / 2, height / 2, long)]
    for side in (short, *(scale * short for scale in WINDOW_SCALES)):
        for x in _window_centers(width, side):
            squares += [(x, y, side) for y in _window_centers(height, side)]
    return list(dict.fromkeys(squares))  # the first two are equal where the image is square


def flatness(pixels: np.ndarray, box: Box) -> float:
    """Return the fraction of a region that has one flat colour; it separates drawings from photographs.

    The noise of a photograph seldom leaves nine neighbouring pixels within one grey level. Shadows, flat in photographs too, do
    not count. Large regions are read with a stride: blur is flat from pixel to pixel, but not over several.

    Args:
        pixels: Image (H, W, 3) uint8 RGB.
        box: Region in pixels of the image.

    Returns:
        Fraction 0..1; 0 for a region that is too small or has next to no contrast, such as sky and walls.
    """
    height, width = pixels.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(width, int(box.left + box.width)), min(height, int(box.top + box.height))
    if right - left < MIN_REGION or bottom - top < MIN_REGION:
        return 0.0
    stride = -(-max(right - left, bottom - top) // MAX_SAMPLES)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[top:bottom:stride, left:right:stride]), cv2.COLOR_RGB2GRAY)
    low, high = np.percentile(grey, [5, 95])
    return float(_flat_pixels(grey).mean()) if high - low >= MIN_CONTRAST else 0.0


def square_to_box(square: Square) -> Box:
    """Return the box for which `align_crop` without landmarks crops exactly this square."""
    x, y, side = square
    inner = side / BOX_SIDE
    return Box(x + (BOX_CENTER[0] - 0.5) * side - inner / 2, y + (BOX_CENTER[1] - 0.5) * side - inner / 2, inner, inner)


def _proposal_squares(box: Box) -> list[Square]:
    side = BOX_SIDE * float(np.sqrt(box.area))
    x = box.left + box.width / 2 - (BOX_CENTER[0] - 0.5) * side
    y = box.top + box.height / 2 - (BOX_CENTER[1] - 0.5) * side
    return [(x, y, scale * side) for scale in PROPOSAL_SCALES]


def _flat_squares(grey: np.ndarray, squares: list[Square], min_flatness: float) -> list[Square]:
    """Keep the squares that are flat enough, by one integral image of the whole image, and whose surroundings have contrast."""
    stride = -(-max(grey.shape) // (2 * MAX_SAMPLES))
    sums = cv2.integral(_flat_pixels(np.ascontiguousarray(grey[::stride, ::stride])).astype(np.uint8))
    kept = []
    for square in squares:
        box = _bounds(square)
        left, top = (max(0, int(edge / stride)) for edge in (box.left, box.top))
        right = min(sums.shape[1] - 1, int((box.left + box.width) / stride))
        bottom = min(sums.shape[0] - 1, int((box.top + box.height) / stride))
        flat = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        if flat >= min_flatness * (right - left) * (bottom - top) > 0:
            kept.append(square)
    return _with_contrast(grey, kept, stride) if kept else []


def _with_contrast(grey: np.ndarray, squares: list[Square], stride: int) -> list[Square]:
    """Drop the squares around which no window has the contrast that `flatness` asks for: blank paper is not classified."""
    kernel = np.ones((2 * stride + 1, 2 * stride + 1), np.uint8)
    low, high = (operation(grey, kernel)[::stride, ::stride] for operation in (cv2.erode, cv2.dilate))
    kept = []
    for x, y, side in squares:
        reach = REFINE_REACH * side
        rows, columns = (slice(max(0, int((at - reach) / stride)), int((at + reach) / stride) + 1) for at in (y, x))
        if int(high[rows, columns].max()) - int(low[rows, columns].min()) >= MIN_CONTRAST:
            kept.append((x, y, side))
    return kept


def _flat_pixels(grey: np.ndarray) -> np.ndarray:
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(grey, kernel) - cv2.erode(grey, kernel) <= 1) & (grey >= MIN_LEVEL)


def _window_centers(length: int, side: float) -> list[float]:
    count = min(MAX_ACROSS, 1 + int(np.ceil(max(length - side, 0) / (WINDOW_STRIDE * side))))
    return np.linspace(side / 2, length - side / 2, count).tolist() if length > side else [length / 2]


def _is_duplicate(one: Square, other: Square) -> bool:
    reach = DUPLICATE_DISTANCE * (one[2] + other[2])
    return abs(one[0] - other[0]) < reach and abs(one[1] - other[1]) < reach


def _bounds(square: Square) -> Box:
    x, y, side = square
    return Box(x - side / 2, y - side / 2, side, side)
