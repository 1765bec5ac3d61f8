"""BlazeFace: a picture -> the network's input, and its raw output -> boxes, keypoints and scores.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019; the grids, the clipping and the
overlap that merges are those of Google MediaPipe's graphs for the same files (modules/face_detection).

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
"""Views of one picture that share an input: shares of its side, one a cell. Faces that fill a picture, and drawn ones of any
size, are found best at 20 to 60 pixels of the input: in the mosaic one pass looks at four sizes."""
LOGIT_LIMIT = 80.0  # beyond this exp() overflows float32
NMS_IOU = 0.3
EDGE = 0.01  # of a part's side: nearer to its edge a box counts as cut off


@dataclass(frozen=True)
class BlazeFace:
    """One of the BlazeFace models: its manifest entry (input size, anchors) and the function that runs it."""

    entry: ModelEntry
    model: Callable[[np.ndarray], list[np.ndarray]]

    def detect(self, pixels: np.ndarray, threshold: float, shares: tuple[float, ...] = FULL_SCALE) -> list[np.ndarray]:
        """Faces of (H, W, 3) uint8 RGB scored at least `threshold`: a table of candidates a view, in pixels of the picture."""
        size, grids = self.entry.input["size"], self.entry.anchors
        tensor, places = letterbox(pixels, size, shares)
        found = decode(self.model(tensor), grids, size, threshold)
        cells = _cells_a_side(shares)
        column, row = np.clip((found[:, :2] + found[:, 2:4]).T * (cells / 2 / size), 0, cells - 1).astype(int)
        views = []
        for view, (scale, left, top) in enumerate(places):
            mine = found[row * cells + column == view]
            mine[:, :16] = (mine[:, :16] - np.tile([left, top], 8)) / scale
            views.append(weighted_nms(mine))
        return views

    def detect_tiled(self, pixels: np.ndarray, threshold: float, side: int) -> np.ndarray:
        """Candidates (N, 17) of square parts of the picture, `side` pixels each, that overlap by a fifth or more.

        A box that touches an edge inside the picture is cut off: the part beside it has the whole face.
        """
        height, width = pixels.shape[:2]
        tables = [np.zeros((0, 17), np.float32)]
        for top in starts(height, side):
            for left in starts(width, side):
                part = pixels[top : top + side, left : left + side]
                (rows,) = self.detect(part, threshold)
                inner = np.array([left, top, width - left - part.shape[1], height - top - part.shape[0]]) > 0
                edges = np.column_stack([rows[:, :2], np.array(part.shape[1::-1]) - rows[:, 2:4]]) < EDGE * side
                rows = rows[~(edges & inner).any(axis=1)]
                rows[:, :16] += np.tile(np.array([left, top], np.float32), 8)
                tables.append(rows)
        return weighted_nms(np.concatenate(tables))


def starts(length: int, side: int) -> list[int]:
    """Where parts of `side` begin so that they cover `length` and overlap by a fifth or more, evenly."""
    count = 1 if length <= side else 1 + int(np.ceil((length - side) / (0.8 * side)))
    starts: list[int] = np.linspace(0, max(length - side, 0), count).astype(int).tolist()
    return starts


@cache
def anchors(grids: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Centres (N, 2) of the anchors, 0..1, for `grids` of (cells a side, anchors a cell), in the network's output order."""
    parts = []
    for cells, count in grids:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        ys, xs = np.meshgrid(middles, middles, indexing="ij")
        parts.append(np.repeat(np.stack([xs, ys], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(parts)


def letterbox(
    pixels: np.ndarray, size: int, shares: tuple[float, ...] = FULL_SCALE
) -> tuple[np.ndarray, list[tuple[float, int, int]]]:
    """The input (1, size, size, 3) float32 in -1..1 with the picture in each of its cells, undistorted, centred on black.

    `shares`: longer side of the picture in each cell, as a share of `size`. The second result has (scale, left, top) a cell:
    input place = picture place * scale + (left, top).
    """
    tensor = np.full((1, size, size, 3), -1, np.float32)
    height, width = pixels.shape[:2]
    cells = _cells_a_side(shares)
    places = []
    for view, share in enumerate(shares):
        scale = size * share / max(height, width)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = _resized(pixels, inner)
        cell = size // cells
        left, top = view % cells * cell + (cell - inner[0]) // 2, view // cells * cell + (cell - inner[1]) // 2
        tensor[0, top : top + inner[1], left : left + inner[0]] = pixels * np.float32(1 / 127.5) - 1
        places.append((scale, left, top))
    return tensor, places


def decode(outputs: list[np.ndarray], grids: tuple[tuple[int, int], ...], size: int, threshold: float) -> np.ndarray:
    """Raw outputs -> candidates (N, 17) scored at least `threshold`, in pixels of the input."""
    regressors = next(output for output in outputs if output.shape[-1] == 16)[0]
    logits = next(output for output in outputs if output.shape[-1] == 1)[0, :, 0]
    scores = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    chosen = np.flatnonzero(scores >= threshold)
    raw, centres = regressors[chosen], anchors(grids)[chosen] * size
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    points = raw[:, 4:] + np.tile(centres, 6)
    return np.hstack([middle - half, middle + half, points, scores[chosen, None]])


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) and many (N, 4), each left, top, right, bottom; further columns are ignored."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    union = np.prod(box[2:4] - box[:2]) + areas - shared
    overlap: np.ndarray = shared / np.maximum(union, 1e-9)
    return overlap


def fraction_inside(boxes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Share of each box's area (N, 4) that lies in `frame` (4,)."""
    low, high = np.maximum(frame[:2], boxes[:, :2]), np.minimum(frame[2:4], boxes[:, 2:4])
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    shares: np.ndarray = np.prod(np.maximum(high - low, 0), axis=1) / np.maximum(areas, 1e-9)
    return shares


def overlap_groups(candidates: np.ndarray, least: float = NMS_IOU) -> list[np.ndarray]:
    """Indices of candidates that overlap a better one by more than `least`, best group and best member first."""
    rest, found = np.argsort(-candidates[:, -1], kind="stable"), []
    while len(rest):
        same = overlap(candidates[rest[0]], candidates[rest]) > least
        same[0] = True  # a box without area overlaps nothing, not even itself
        found.append(rest[same])
        rest = rest[~same]
    return found


def weighted_nms(candidates: np.ndarray) -> np.ndarray:
    """Weighted non-maximum suppression: candidates over one face become their mean, weighted by score, with the best score."""
    merged = [weighted_mean(candidates[group]) for group in overlap_groups(candidates)]
    return np.array(merged, np.float32).reshape(-1, 17)


def weighted_mean(candidates: np.ndarray) -> np.ndarray:
    """The mean (17,) of candidates over one face, best first, weighted by score; its score is the best one."""
    return np.append(np.average(candidates[:, :-1], axis=0, weights=candidates[:, -1]), candidates[0, -1])


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture at (width, height): halved by averaging while it can be, eight times as fast as averaging in one step."""
    while pixels.shape[1] >= 2 * size[0] and pixels.shape[0] >= 2 * size[1]:
        half = (pixels.shape[1] + 1) // 2, (pixels.shape[0] + 1) // 2
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def _cells_a_side(shares: tuple[float, ...]) -> int:
    return 1 if len(shares) == 1 else 2
