"""Splits without leakage: no person, character or copy of an image in two of train, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from .dataset import SPLITS, DatasetError, Faces

CHUNK = 512
"""Faces compared with all others at once: 30,000 others then take 60 MB."""


class Duplicates(NamedTuple):
    """Counts of faces that equal an earlier one pixel for pixel, in the order train, validation, test.

    A copy of a training face in test inflates the test accuracy.

    Attributes:
        repeated: all repeated faces.
        across_splits: faces of validation and test that an earlier split holds too.
        across_sources: faces that another data set holds too.
        relabelled: faces whose label differs from that of the first copy.
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
    """Groups of rows with identical pixels; each group in the order train, validation, test."""
    rows: dict[bytes, list[int]] = {}
    for split in SPLITS:
        for row in np.flatnonzero(faces.splits == split).tolist():
            rows.setdefault(faces.pixels[row].tobytes(), []).append(row)
    return [group for group in rows.values() if len(group) > 1]


def duplicates(faces: Faces) -> Duplicates:
    """Count the repeated faces of a table; rescaled or recompressed copies are not recognised."""
    repeated = across_splits = across_sources = relabelled = 0
    for group in copies(faces):
        for place, row in enumerate(group[1:], 1):
            before = group[:place]
            repeated += 1
            across_splits += any(faces.splits[copy] != faces.splits[row] for copy in before)
            across_sources += any(faces.sources[copy] != faces.sources[row] for copy in before)
            relabelled += bool(faces.labels[group[0]] != faces.labels[row])
    return Duplicates(repeated, across_splits, across_sources, relabelled)


def without_copies(faces: Faces) -> Faces:
    """Leave out validation faces that equal a training face pixel by pixel; everything chosen on validation uses the rest.

    FER2013 has 279 of them. A network that has memorised its training faces is right on their copies, so that they favour the
    more overfitted candidate and the more confident temperature.
    """
    train = {face.tobytes() for face in faces.pixels[faces.splits == "train"]}
    repeated = np.array([face.tobytes() in train for face in faces.pixels], bool)
    return faces.where(~(repeated & (faces.splits == "validation")))


def nearest(pixels: np.ndarray, among: np.ndarray, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Find the most similar face in `among` (M, S, S) for each of `pixels` (N, S, S).

    Similarity is the correlation at `side` x `side` pixels: 1 for a copy, also with other brightness or compression;
    neighbouring frames of a video come close to it.

    Returns:
        Rows in `among` (N,) int and similarities (N,) float32.
    """
    ours, theirs = _profiles(pixels, side), _profiles(among, side)
    rows, values = np.zeros(len(ours), int), np.zeros(len(ours), np.float32)
    for start in range(0, len(ours), CHUNK):
        part = slice(start, start + CHUNK)
        likeness = ours[part] @ theirs.T
        rows[part], values[part] = likeness.argmax(axis=1), likeness.max(axis=1)
    return rows, values


def _profiles(pixels: np.ndarray, side: int) -> np.ndarray:
    """Standardised thumbnails (N, side * side) float32 with mean 0 and norm 1 (norm 0 for a uniform face)."""
    small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).ravel() for face in pixels]
    rows = np.array(small, np.float32).reshape(len(pixels), side * side)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


SHARES = {"test": 0.2, "validation": 0.15, "train": 0.65}
"""Shares of the groups, not of the faces: large for test, since few people show rare expressions."""


def hashed_split(key: str | bytes, seed: int = 0, among: Sequence[str] = SPLITS) -> str:
    """Assign a person's name or an image's bytes to a split by SHA-256, independent of the rest of the data set.

    `among` restricts the splits, in the proportion of their SHARES.
    """
    key = key.encode() if isinstance(key, str) else key
    place = int.from_bytes(hashlib.sha256(f"{seed}:".encode() + key).digest()[:8], "big") / 2**64
    shares = [(split, share) for split, share in SHARES.items() if split in among]
    place *= sum(share for _, share in shares)
    for split, share in shares:
        if place < share:
            return split
        place -= share
    return shares[-1][0]


def leave_one_group_out(faces: Faces, group: str) -> Faces:
    """Make `group` the test split, the next group in alphabetical order validation, and all others train.

    Validation has its own group, so that hyperparameters are chosen on a group that was not trained on. Faces without a group
    stay in train. Raises DatasetError if the group is unknown or there are fewer than three.
    """
    groups = sorted(set(faces.groups.tolist()) - {""})
    if group not in groups:
        raise DatasetError(f"no group {group!r} to leave out; there is: {', '.join(groups) or 'none'}")
    if len(groups) < 3:
        raise DatasetError(f"three groups are needed to leave one out, there is: {', '.join(groups)}")
    following = groups[(groups.index(group) + 1) % len(groups)]
    splits = np.select([faces.groups == group, faces.groups == following], ["test", "validation"], "train")
    return replace(faces, splits=splits)


def leave_one_group_out_folds(faces: Faces) -> Iterator[tuple[str, Faces]]:
    """Each group in turn as test (see `leave_one_group_out`), such as leave-one-character-out on FERG-DB."""
    for group in sorted(set(faces.groups.tolist()) - {""}):
        yield group, leave_one_group_out(faces, group)
