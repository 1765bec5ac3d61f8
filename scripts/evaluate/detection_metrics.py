"""Detections against labelled boxes: greedy matching, recall, precision, and the threshold that a set chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from emotions.face import blazeface
from emotions.face.detector import Detection
from emotions.face.results import Box

from .detection_scenes import Scene

OVERLAP = 0.35
"""Least intersection over union of a detection and a label that are one face: boxes.csv mixes tight boxes and loose ones."""
LOWEST = 0.2  # thresholds below are not tried
Finder = Callable[[np.ndarray], list[Detection]]


def corners(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.left + box.width, box.top + box.height])


def hits(found: list[Detection], truth: np.ndarray) -> list[tuple[float, bool]]:
    """(score, whether it is a labelled face) a detection, best first."""
    free, result = np.ones(len(truth), bool), []
    for detection in sorted(found, key=lambda face: -face.score):
        overlaps = blazeface.overlap(corners(detection.box), truth) * free
        best = int(overlaps.argmax()) if len(truth) else -1
        hit = best >= 0 and overlaps[best] >= OVERLAP
        if hit:
            free[best] = False
        result.append((detection.score, bool(hit)))
    return result


def tally(finder: Finder, scenes: Iterable[Scene]) -> tuple[list[tuple[float, bool]], int]:
    """All (score, hit) of the scenes, and how many faces they have."""
    rows, faces = [], 0
    for scene in scenes:
        rows += hits(finder(scene.pixels), scene.boxes)
        faces += len(scene.boxes)
    return rows, faces


def recall_precision(rows: list[tuple[float, bool]], faces: int, threshold: float = 0.0) -> tuple[float, float]:
    kept = [hit for score, hit in rows if score >= threshold]
    return sum(kept) / faces, sum(kept) / max(len(kept), 1)


def best_threshold(rows: list[tuple[float, bool]], faces: int) -> float:
    """The threshold of the highest F1; of equal ones the highest, which raises the fewest false alarms."""

    def f1(threshold: float) -> float:
        recall, precision = recall_precision(rows, faces, threshold)
        return 2 * recall * precision / max(recall + precision, 1e-9)

    return max(np.round(np.arange(LOWEST, 1, 0.05), 2)[::-1].tolist(), key=f1)
