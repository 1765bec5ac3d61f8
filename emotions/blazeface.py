"""BlazeFace: a picture -> the network's input, and its raw output -> boxes, scores and keypoints.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019; the grids, the clipping and the
overlap that merges are those of Google MediaPipe's graphs for the same files (modules/face_detection).
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

KEYPOINTS = ("right eye", "left eye", "nose tip", "mouth", "right ear", "left ear")
"""Order of a detection's six keypoints; right and left are the person's own."""
LOGIT_LIMIT = 80.0  # beyond this exp() overflows float32
MERGE_OVERLAP = 0.3


@cache
def anchors(grids: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Centres (N, 2) of the anchors, 0..1, for `grids` of (cells a side, anchors a cell), in the network's output order."""
    parts = []
    for cells, count in grids:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        ys, xs = np.meshgrid(middles, middles, indexing="ij")
        parts.append(np.repeat(np.stack([xs, ys], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(parts)


def letterbox(pixels: np.ndarray, size: int) -> tuple[np.ndarray, float, float, float]:
    """Shrink (H, W, 3) uint8 to fit (size, size) undistorted, centred on black, in -1..1.

    Gives the tensor (1, size, size, 3) float32 and the way back: pixel = (place - left) / scale, (place - top) / scale.
    """
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    tensor = np.full((1, size, size, 3), -1, np.float32)
    tensor[0, top : top + inner[1], left : left + inner[0]] = small * np.float32(1 / 127.5) - 1
    return tensor, scale, left, top


def decode(outputs: list[np.ndarray], grids: tuple[tuple[int, int], ...], size: int, threshold: float) -> np.ndarray:
    """Raw outputs -> candidates (N, 17): left, top, right, bottom, six keypoints (x, y), score; in pixels of the input."""
    regressors = next(output for output in outputs if output.shape[-1] == 16)[0]
    logits = next(output for output in outputs if output.shape[-1] == 1)[0, :, 0]
    scores = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    chosen = np.flatnonzero(scores >= threshold)
    raw, centres = regressors[chosen], anchors(grids)[chosen] * size
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    points = raw[:, 4:] + np.tile(centres, 6)
    return np.hstack([middle - half, middle + half, points, scores[chosen, None]])


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one (4,) and many (N, 4) boxes given as left, top, right, bottom."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    union = np.prod(box[2:4] - box[:2]) + areas - shared
    return shared / np.maximum(union, 1e-9)


def merge(candidates: np.ndarray) -> np.ndarray:
    """Weighted non-maximum suppression: candidates over one face become their mean, weighted by score, with the best score."""
    rest, merged = candidates[np.argsort(-candidates[:, -1], kind="stable")], []
    while len(rest):
        same = overlap(rest[0, :4], rest[:, :4]) > MERGE_OVERLAP
        same[0] = True  # a box without area overlaps nothing, not even itself
        group = rest[same]
        mean = np.average(group[:, :-1], axis=0, weights=group[:, -1])
        merged.append(np.append(mean, rest[0, -1]))
        rest = rest[~same]
    return np.array(merged, np.float32).reshape(-1, candidates.shape[1])
