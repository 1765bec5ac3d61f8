"""BlazeFace face detector: preprocessing, decoding of the raw output and non-maximum suppression.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The anchor grids, the clipping and
the NMS overlap are those of Google MediaPipe's graphs for the same files (modules/face_detection).

Candidates are rows of 17 float32: left, top, right, bottom, six keypoints (x, y), score 0..1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ..runtime.manifest import ModelEntry

KEYPOINTS = ("right eye", "left eye", "nose tip", "mouth", "right ear", "left ear")
"""Order of the six keypoints; right and left are the person's own."""
FULL_SCALE = (1.0,)
PYRAMID_SCALES = (0.5, 0.35, 0.25, 0.18)
"""Scales of an image pyramid that is packed into one input, a cell a level: longer side of the image over the input's side.
Faces that fill an image, and drawn ones of any size, are detected best at 20 to 60 pixels of the input."""
LOGIT_LIMIT = 80.0  # beyond this exp() overflows float32
NMS_IOU = 0.3
TILE_EDGE = 0.01  # of a tile's side: a box nearer to the tile's edge counts as cut off


@dataclass(frozen=True)
class BlazeFace:
    """One of the BlazeFace models.

    Attributes:
        entry: Manifest entry: input size, anchors, thresholds.
        model: Function that runs the model.
    """

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]

    def detect(self, pixels: np.ndarray, threshold: float, scales: tuple[float, ...] = FULL_SCALE) -> list[np.ndarray]:
        """Detect faces at one or several scales, in one pass of the model.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            threshold: Minimum score 0..1.
            scales: FULL_SCALE or PYRAMID_SCALES.

        Returns:
            Candidates (N, 17) for each scale, in pixels of the image.
        """
        size = self.entry.input["size"]
        tensor, placements = letterbox(pixels, size, scales)
        candidates = decode(self.model(tensor), self.entry.anchors, size, threshold)
        cells = _cells_per_side(scales)
        column, row = np.clip((candidates[:, :2] + candidates[:, 2:4]).T * (cells / 2 / size), 0, cells - 1).astype(int)
        levels = []
        for level, (scale, left, top) in enumerate(placements):
            inside = candidates[row * cells + column == level]
            inside[:, :16] = (inside[:, :16] - np.tile([left, top], 8)) / scale
            levels.append(weighted_nms(inside))
        return levels

    def detect_tiled(self, pixels: np.ndarray, threshold: float, tile_size: int) -> np.ndarray:
        """Detect faces in square tiles that overlap by a fifth or more.

        A box that touches a tile's edge inside the image is cut off and dropped: the neighbouring tile has the whole face.

        Args:
            pixels: Image (H, W, 3) uint8 RGB.
            threshold: Minimum score 0..1.
            tile_size: Side of the tiles in pixels.

        Returns:
            Candidates (N, 17) in pixels of the image.
        """
        height, width = pixels.shape[:2]
        tables = [np.zeros((0, 17), np.float32)]
        for top in tile_starts(height, tile_size):
            for left in tile_starts(width, tile_size):
                tile = pixels[top : top + tile_size, left : left + tile_size]
                (rows,) = self.detect(tile, threshold)
                inner = np.array([left, top, width - left - tile.shape[1], height - top - tile.shape[0]]) > 0
                edges = np.column_stack([rows[:, :2], np.array(tile.shape[1::-1]) - rows[:, 2:4]]) < TILE_EDGE * tile_size
                rows = rows[~(edges & inner).any(axis=1)]
                rows[:, :16] += np.tile(np.array([left, top], np.float32), 8)
                tables.append(rows)
        return weighted_nms(np.concatenate(tables))


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


def letterbox(
    pixels: np.ndarray, size: int, scales: tuple[float, ...] = FULL_SCALE
) -> tuple[np.ndarray, list[tuple[float, int, int]]]:
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


def weighted_nms(candidates: np.ndarray) -> np.ndarray:
    """Apply weighted non-maximum suppression: merge overlapping candidates (N, 17) into (M, 17), best score first."""
    merged = [weighted_mean(candidates[group]) for group in overlap_groups(candidates)]
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


def _cells_per_side(scales: tuple[float, ...]) -> int:
    return 1 if len(scales) == 1 else 2
