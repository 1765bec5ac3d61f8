"""Train, validation and test without a person, a character or a copy of a picture in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from .dataset import SPLITS, DatasetError, Faces

# Faces that are in a data set more than once: a copy of a training face in test makes test easier than it is.

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


SHARES = {"test": 0.2, "validation": 0.15, "train": 0.65}
"""Of the groups, not of the faces: large for test, because people with rare expressions are few."""


def hashed_split(key: str | bytes, seed: int = 0, among: Sequence[str] = SPLITS) -> str:
    """The split of a person's name or a picture's bytes: always the same, whatever else the data set holds.

    The hash is SHA-256, whose first eight bytes are a uniform number; `among` restricts it to some splits, in the proportion
    of their SHARES.
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


def leave_out(faces: Faces, group: str) -> Faces:
    """The same faces with `group` as test and the next group in the alphabet as validation, all others to train with.

    Validation has a group of its own, so that what is chosen on it is chosen for a group that was not trained on. Faces
    without a group are always for training. DatasetError where the group is unknown or fewer than three are.
    """
    groups = sorted(set(faces.groups.tolist()) - {""})
    if group not in groups:
        raise DatasetError(f"no group {group!r} to leave out; there is: {', '.join(groups) or 'none'}")
    if len(groups) < 3:
        raise DatasetError(f"three groups are needed to leave one out, there is: {', '.join(groups)}")
    following = groups[(groups.index(group) + 1) % len(groups)]
    splits = np.select([faces.groups == group, faces.groups == following], ["test", "validation"], "train")
    return replace(faces, splits=splits)


def leave_one_group_out(faces: Faces) -> Iterator[tuple[str, Faces]]:
    """Each group in turn as test (see `leave_out`): leave-one-character-out on FERG-DB."""
    for group in sorted(set(faces.groups.tolist()) - {""}):
        yield group, leave_out(faces, group)
