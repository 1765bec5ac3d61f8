"""Faces that are in a data set more than once: a copy of a training face in test makes test easier than it is."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .dataset import SPLITS, Faces

CHUNK = 512
"""Faces that are compared with all others at once: 30,000 others then take 60 MB."""


class Duplicates(NamedTuple):
    """Faces that are, pixel for pixel, one before them (in the order train, validation, test).

    `repeated`: all of them; `across_splits`: those of validation and test that an earlier split has too; `across_sources`:
    those that another data set has too; `relabelled`: those whose label is not that of the first copy.
    """

    repeated: int
    across_splits: int
    across_sources: int
    relabelled: int

    def __str__(self) -> str:
        return (
            f"{self.repeated} faces repeat another pixel for pixel: {self.across_splits} of validation and test are in an "
            f"earlier split too, {self.across_sources} in another data set, {self.relabelled} have another label there"
        )


def copies(faces: Faces) -> list[list[int]]:
    """Rows of the faces that are one picture, pixel for pixel; each list in the order train, validation, test."""
    rows: dict[bytes, list[int]] = {}
    for split in SPLITS:
        for row in np.flatnonzero(faces.splits == split).tolist():
            rows.setdefault(faces.pixels[row].tobytes(), []).append(row)
    return [group for group in rows.values() if len(group) > 1]


def duplicates(faces: Faces) -> Duplicates:
    """Count the repeated faces of a table; pictures scaled or compressed anew are not recognised."""
    repeated = across_splits = across_sources = relabelled = 0
    for group in copies(faces):
        for place, row in enumerate(group[1:], 1):
            before = group[:place]
            repeated += 1
            across_splits += any(faces.splits[copy] != faces.splits[row] for copy in before)
            across_sources += any(faces.sources[copy] != faces.sources[row] for copy in before)
            relabelled += bool(faces.labels[group[0]] != faces.labels[row])
    return Duplicates(repeated, across_splits, across_sources, relabelled)


def nearest(pixels: np.ndarray, among: np.ndarray, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """For each of `pixels` (N, S, S) the most similar of `among` (M, S, S): its row (N,), and how similar (N,) float32.

    Similar is the correlation of both pictures at `side` x `side` pixels: 1 for a copy, in another light or compressed anew
    too; neighbouring frames of a film come close to it.
    """
    ours, theirs = _profiles(pixels, side), _profiles(among, side)
    rows, values = np.zeros(len(ours), int), np.zeros(len(ours), np.float32)
    for start in range(0, len(ours), CHUNK):
        part = slice(start, start + CHUNK)
        likeness = ours[part] @ theirs.T
        rows[part], values[part] = likeness.argmax(axis=1), likeness.max(axis=1)
    return rows, values


def _profiles(pixels: np.ndarray, side: int) -> np.ndarray:
    """(N, S, S) -> (N, side * side) float32 with mean 0 and length 1 (a plain picture: length 0)."""
    small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).ravel() for face in pixels]
    rows = np.array(small, np.float32).reshape(len(pixels), side * side)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
