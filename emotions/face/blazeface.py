"""BlazeFace face detector: preprocessing, decoding of the raw output and non-maximum suppression.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The anchor grids, the clipping and
the NMS overlap are those of Google MediaPipe's graphs for the same files (modules/face_detection).

Candidates are rows of 17 float32: left, top, right, bottom, six keypoints (x, y), score 0..1. They are in pixels of the image as
given: where faces are rotated by quarter turns clockwise, `turns`, the model's input is rotated back, not the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ..runtime.manifest import ModelEntry
from .alignment import turn_points
from .landmarks import Landmarks
from .results import Box

KEYPOINTS = ("right eye", "left eye", "nose tip", "mouth", "right ear", "left ear")
"""Order of the six keypoints; right and left are the person's own."""
FULL_SCALE = (1.0,)
PYRAMID_SCALES = (0.5, 0.35, 0.25, 0.18)
"""Scales of an image pyramid that is packed into one input, a cell a level: longer side of the image over the input's side.
Faces that fill an image, and drawn ones of any size, are detected best at 20 to 60 pixels of the input."""
Placement = tuple[float, int, int]
LOGIT_LIMIT = 80.0  # beyond this exp() overflows float32
NMS_IOU = 0.3
TILE_EDGE = 0.01  # of a tile's side: a box nearer to the tile's edge counts as cut off

NO_KEYPOINTS = np.full((6, 2), np.nan, np.float32)
"""Keypoints of a detector that gives none."""
NO_KEYPOINTS.setflags(write=False)


@dataclass(frozen=True)
class Detection:
    """A detected face.

    Attributes:
        box: Face box in pixels of the image.
        score: Confidence of the detector, 0..1.
        keypoints: (6, 2) float32 as in KEYPOINTS, in pixels; NaN where the detector gives none.
        inner_box: Where `box` is the whole image, the box of the largest face that was detected in it; None otherwise.
        turns: Quarter turns clockwise by which the faces that were searched for are rotated.
        landmarks: Landmarks that were predicted during detection; None where they were not needed.
    """

    box: Box
    score: float
    keypoints: np.ndarray
    inner_box: Box | None = None
    turns: int = 0
    landmarks: Landmarks | None = None


def to_detection(row: np.ndarray, correction: Mapping[str, float], turns: int = 0) -> Detection:
    """Convert a candidate.

    Args:
        row: Candidate (17,).
        correction: Linear correction from BlazeFace's box to a tight one: shifts `x`, `y` and sizes `width`, `height`, all in
            sides of BlazeFace's box and along the axes of the face.
        turns: Quarter turns clockwise of the face.
    """
    left, top, right, bottom = row[:4].tolist()
    side = right - left
    shift = side * np.array([correction["x"], correction["y"]])
    width, height = (correction[name] * side for name in (("height", "width") if turns % 2 else ("width", "height")))
    x, y = turn_points(shift, turns) + [(left + right) / 2, (top + bottom) / 2]
    box = Box(float(x) - width / 2, float(y) - height / 2, width, height)
    return Detection(box, float(row[16]), row[4:16].reshape(6, 2).astype(np.float32), turns=turns)


@dataclass(frozen=True)
class BlazeFace:
    """One of the BlazeFace models.

    Attributes:
        entry: Manifest entry: input size, anchors, thresholds.
        model: Function that runs the model.
    """

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]

    def detect(
        self, pixels: np.ndarray, threshold: float, scales: tuple[float, ...] = FULL_SCALE, turns: int = 0
    ) -> list[np.ndarray]:
        """Detect faces at one or several scales, in one pass of the model.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            threshold: Minimum score 0..1.
            scales: FULL_SCALE or PYRAMID_SCALES.
            turns: Quarter turns clockwise of the faces.

        Returns:
            Candidates (N, 17) for each scale, in pixels of the image.
        """
        return self._levels(*letterbox(pixels, self.entry.input["size"], scales), threshold, turns)

    def detect_turned(self, pixels: np.ndarray, threshold: float, turns: Sequence[int]) -> list[np.ndarray]:
        """Detect rotated faces at full scale, in one pass of the model for each of `turns`; the image is reduced once.

        Returns:
            Candidates (N, 17) for each of `turns`, in pixels of the image.
        """
        tensor, places = letterbox(pixels, self.entry.input["size"])
        return [self._levels(tensor, places, threshold, one)[0] for one in turns]

    @property
    def _certain(self) -> float:
        return self.entry.thresholds.get("doubtful", 0.0)

    def _levels(self, tensor: np.ndarray, places: list[Placement], threshold: float, turns: int) -> list[np.ndarray]:
        """Run the model on what `letterbox` gave, and return the candidates of each cell."""
        size = self.entry.input["size"]
        candidates = decode(self.model(np.rot90(tensor, turns, axes=(1, 2))), self.entry.anchors, size, threshold)
        candidates = turn_candidates(candidates, turns, size)
        cells = _cells_per_side(places)
        column, row = np.clip((candidates[:, :2] + candidates[:, 2:4]).T * (cells / 2 / size), 0, cells - 1).astype(int)
        levels = []
        for level, (scale, left, top) in enumerate(places):
            inside = candidates[row * cells + column == level]
            inside[:, :16] = (inside[:, :16] - np.tile([left, top], 8)) / scale
            levels.append(weighted_nms(inside, self._certain))
        return levels

    def detect_tiled(
        self, pixels: np.ndarray, threshold: float, tile_size: int, turns: int = 0, known: Sequence[np.ndarray] = ()
    ) -> np.ndarray:
        """Detect faces in square tiles that overlap by a fifth or more.

        A box that touches a tile's edge inside the image is cut off and dropped: the neighbouring tile has the whole face.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            threshold: Minimum score 0..1.
            tile_size: Side of the tiles in pixels.
            turns: Quarter turns clockwise of the faces.
            known: Boxes of known faces, each (4,): left, top, right, bottom; tiles that lie for four fifths in one are left
                out.

        Returns:
            Candidates (N, 17) in pixels of the image.
        """
        starts = [
            (left, top) for top in tile_starts(pixels.shape[0], tile_size) for left in tile_starts(pixels.shape[1], tile_size)
        ]
        tiles = np.array([[left, top, left + tile_size, top + tile_size] for left, top in starts], float)
        inside = np.max([fraction_inside(tiles, box) for box in known], axis=0, initial=0.0) if known else np.zeros(len(tiles))
        tables = [np.zeros((0, 17), np.float32)]
        tables += [
            self._detect_part(pixels, threshold, *starts[index], tile_size, turns) for index in np.flatnonzero(inside < 0.8)
        ]
        return weighted_nms(np.concatenate(tables), self._certain)

    def detect_parts(
        self, pixels: np.ndarray, threshold: float, around: np.ndarray, side: float, max_passes: int, turns: int = 0
    ) -> np.ndarray:
        """Detect faces in square parts of an image, each around a candidate, the best-scored ones first.

        A candidate in the middle half of a part that has been looked at at about its scale needs no part of its own.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            threshold: Minimum score 0..1.
            around: Candidates (N, 17) in pixels of the image.
            side: Side of the parts, in heights of their candidates.
            max_passes: Maximum number of parts.
            turns: Quarter turns clockwise of the faces.

        Returns:
            Candidates (N, 17) in pixels of the image.
        """
        tables = [np.zeros((0, 17), np.float32)]
        looked: list[tuple[np.ndarray, float]] = []
        for row in around[np.argsort(-around[:, -1], kind="stable")]:
            center, height = (row[:2] + row[2:4]) / 2, float(row[3] - row[1])
            if any(np.all(abs(center - middle) < length / 4) and 0.5 < height * side / length < 2 for middle, length in looked):
                continue
            if len(looked) == max_passes:
                break
            looked.append((center, height * side))
            left, top = np.maximum(center - height * side / 2, 0).astype(int).tolist()
            tables.append(self._detect_part(pixels, threshold, left, top, max(1, round(height * side)), turns))
        return weighted_nms(np.concatenate(tables), self._certain)

    def _detect_part(self, pixels: np.ndarray, threshold: float, left: int, top: int, side: int, turns: int) -> np.ndarray:
        """Candidates (N, 17) of a square part, in pixels of the image, without those that the part's edge cuts off."""
        height, width = pixels.shape[:2]
        part = pixels[top : top + side, left : left + side]
        if not part.size:  # the candidate lies beside the image
            return np.zeros((0, 17), np.float32)
        (rows,) = self.detect(part, threshold, turns=turns)
        inner = np.array([left, top, width - left - part.shape[1], height - top - part.shape[0]]) > 0
        edges = np.column_stack([rows[:, :2], np.array(part.shape[1::-1]) - rows[:, 2:4]]) < TILE_EDGE * side
        rows = rows[~(edges & inner).any(axis=1)]
        rows[:, :16] += np.tile(np.array([left, top], np.float32), 8)
        return rows


def tile_starts(length: int, tile_size: int) -> list[int]:
    """Return the evenly spaced offsets of tiles that cover `length` and overlap by a fifth or more."""
    count = 1 if length <= tile_size else 1 + int(np.ceil((length - tile_size) / (0.8 * tile_size)))
    starts: list[int] = np.linspace(0, max(length - tile_size, 0), count).astype(int).tolist()
    return starts


@cache
def anchors(grids: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Return the centres (N, 2) of the anchors, 0..1, in the order of the network's output.

    Args:
        grids: (cells a side, anchors a cell) for each feature map.
    """
    parts = []
    for cells, count in grids:
        centers = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        ys, xs = np.meshgrid(centers, centers, indexing="ij")
        parts.append(np.repeat(np.stack([xs, ys], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(parts)


def letterbox(pixels: np.ndarray, size: int, scales: tuple[float, ...] = FULL_SCALE) -> tuple[np.ndarray, list[Placement]]:
    """Resize an image into the network's input, undistorted and centred on black.

    With several scales the input is divided into cells, one for each level of an image pyramid.

    Args:
        pixels: Image (H, W, 3) uint8 RGB.
        size: Side of the input in pixels.
        scales: Longer side of the image in each cell over `size`.

    Returns:
        The input (1, size, size, 3) float32 in -1..1, and (scale, left, top) for each cell: a position in the input is the
        position in the image times scale plus (left, top).
    """
    tensor = np.full((1, size, size, 3), -1, np.float32)
    height, width = pixels.shape[:2]
    cells = _cells_per_side(scales)
    placements = []
    for index, relative in enumerate(scales):
        scale = size * relative / max(height, width)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = _resize(pixels, inner)
        cell = size // cells
        left, top = index % cells * cell + (cell - inner[0]) // 2, index // cells * cell + (cell - inner[1]) // 2
        tensor[0, top : top + inner[1], left : left + inner[0]] = pixels * np.float32(1 / 127.5) - 1
        placements.append((scale, left, top))
    return tensor, placements


def decode(outputs: list[np.ndarray], grids: tuple[tuple[int, int], ...], size: int, threshold: float) -> np.ndarray:
    """Decode the raw outputs of the network.

    Args:
        outputs: Regressors (1, A, 16) and logits (1, A, 1), in either order.
        grids: Anchor grids, see `anchors`.
        size: Side of the input in pixels.
        threshold: Minimum score 0..1.

    Returns:
        Candidates (N, 17) in pixels of the input.
    """
    regressors = next(output for output in outputs if output.shape[-1] == 16)[0]
    logits = next(output for output in outputs if output.shape[-1] == 1)[0, :, 0]
    scores = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    chosen = np.flatnonzero(scores >= threshold)
    raw, centers = regressors[chosen], anchors(grids)[chosen] * size
    center, half = raw[:, :2] + centers, raw[:, 2:4] / 2
    points = raw[:, 4:] + np.tile(centers, 6)
    return np.hstack([center - half, center + half, points, scores[chosen, None]])


def turn_candidates(candidates: np.ndarray, turns: int, size: int) -> np.ndarray:
    """Rotate candidates (N, 17) by quarter turns clockwise, together with the input of `size` pixels around them."""
    if not turns:
        return candidates
    points = turn_points(candidates[:, :16].reshape(-1, 8, 2) - size / 2, turns) + size / 2
    points[:, :2] = np.stack([points[:, :2].min(axis=1), points[:, :2].max(axis=1)], axis=1)
    return np.hstack([points.reshape(-1, 16), candidates[:, 16:]])


def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the intersection over union (N,) of one box with many.

    Args:
        box: (4,) or longer: left, top, right, bottom; further values are ignored.
        boxes: (N, 4) or wider, in the same order.
    """
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    intersection = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    union = np.prod(box[2:4] - box[:2]) + areas - intersection
    result: np.ndarray = intersection / np.maximum(union, 1e-9)
    return result


def fraction_inside(boxes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return the fraction (N,) of the area of each box (N, 4) that lies in `frame` (4,)."""
    low, high = np.maximum(frame[:2], boxes[:, :2]), np.minimum(frame[2:4], boxes[:, 2:4])
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    fractions: np.ndarray = np.prod(np.maximum(high - low, 0), axis=1) / np.maximum(areas, 1e-9)
    return fractions


def overlap_groups(candidates: np.ndarray, min_iou: float = NMS_IOU) -> list[np.ndarray]:
    """Group candidates (N, 17) by the best-scored one that they overlap.

    Returns:
        Row indices of each group, whose members overlap its first one by more than `min_iou`; best group and best member first.
    """
    rest, found = np.argsort(-candidates[:, -1], kind="stable"), []
    while len(rest):
        same = iou(candidates[rest[0]], candidates[rest]) > min_iou
        same[0] = True  # a box without area overlaps nothing, not even itself
        found.append(rest[same])
        rest = rest[~same]
    return found


def weighted_nms(candidates: np.ndarray, certain: float = 0.0) -> np.ndarray:
    """Apply weighted non-maximum suppression: merge overlapping candidates (N, 17) into (M, 17), best score first.

    Candidates with a score below `certain` have no weight beside one above it.
    """
    merged = []
    for group in overlap_groups(candidates):
        rows = candidates[group]
        merged.append(weighted_mean(rows[: max(1, int(np.sum(rows[:, -1] >= certain)))] if rows[0, -1] >= certain else rows))
    return np.array(merged, np.float32).reshape(-1, 17)


def weighted_mean(candidates: np.ndarray) -> np.ndarray:
    """Average candidates (N, 17) of one face, sorted by score and weighted by it; the result (17,) keeps the best score."""
    return np.append(np.average(candidates[:, :-1], axis=0, weights=candidates[:, -1]), candidates[0, -1])


def _resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (width, height), halving by averaging while possible: eight times as fast as averaging in one step."""
    while pixels.shape[1] >= 2 * size[0] and pixels.shape[0] >= 2 * size[1]:
        half = (pixels.shape[1] + 1) // 2, (pixels.shape[0] + 1) // 2
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def _cells_per_side(scales: Sequence[object]) -> int:
    return 1 if len(scales) == 1 else 2
