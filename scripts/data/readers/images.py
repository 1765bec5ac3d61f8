"""Open and crop listed images with the code that serves, so that training and serving see the same crops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from emotions.errors import ImageError
from emotions.face.alignment import align_crop
from emotions.face.detector import FaceDetector
from emotions.face.results import Box
from emotions.image.loading import open_image
from emotions.runtime.manifest import ModelRegistry

from ..dataset import SPLITS, DatasetError, Faces, table
from ..splits import hashed_split
from .files import Files

CROPS = ("face", "face-or-whole", "whole")
"""Crops: the largest detected face, else nothing; the largest detected face, else the whole image; the whole image."""


class Reading(NamedTuple):
    """Result of a reader: the faces, and counts of what was read and dropped by description."""

    faces: Faces
    counts: dict[str, int]


@dataclass(frozen=True)
class Listed:
    """An image that a data set lists.

    `splits` are the splits it may be assigned to; among several, the hash of its group, or of its bytes without one, decides.
    """

    file: str
    label: int
    name: str
    splits: Sequence[str] = SPLITS
    group: str = ""


class Cropper:
    """Crops one face of an image as (size, size) uint8 grey; models are loaded on first use."""

    def __init__(self, size: int = 48, how: str = "face") -> None:
        self.size, self.how = size, how

    def face(self, pixels: np.ndarray) -> np.ndarray | None:
        """Crop the largest detected face of (H, W, 3) uint8 RGB, aligned by its landmarks; None without a face."""
        _, found = self._face_detector.detect(pixels)
        if not found:
            return None
        return align_crop(pixels, found[0].box, self._face_detector.landmarks(pixels, found[0]), self.size, found[0].turns)

    def whole(self, pixels: np.ndarray) -> np.ndarray:
        """Crop the smallest square around the whole image, whose face is framed already."""
        height, width = pixels.shape[:2]
        return align_crop(pixels, Box(0.0, 0.0, float(width), float(height)), None, self.size)

    @cached_property
    def _face_detector(self) -> FaceDetector:
        return FaceDetector(ModelRegistry())


def some(listed: Sequence[Listed], max_images: int | None, seed: int = 0) -> list[Listed]:
    """At most `max_images` of the listed images, drawn at random, in their order; all if None."""
    chosen = np.random.default_rng(seed).permutation(len(listed))[:max_images]
    return [listed[index] for index in np.sort(chosen)]


def read_images(files: Files, listed: Sequence[Listed], source: str, crop: Cropper, seed: int = 0) -> Reading:
    """Open and crop the listed images; those that cannot be decoded or show no face are dropped and counted.

    Raises DatasetError if none is left.
    """
    rows, pixels, splits, reasons = [], [], [], []
    counts = Counter[str]()
    for entry in tqdm(listed, unit=" pictures"):
        data = files.read(entry.file)
        try:
            image = open_image(data).pixels
        except ImageError as error:
            counts["pictures that cannot be opened, left out"] += 1
            reasons.append(f"{entry.file}: {error}")
            continue
        face = None if crop.how == "whole" else crop.face(image)
        if face is None and crop.how != "whole":
            counts[f"pictures without a face that is found, {'left out' if crop.how == 'face' else 'taken whole'}"] += 1
            if crop.how == "face":
                continue
        rows.append(entry)
        pixels.append(crop.whole(image) if face is None else face)
        splits.append(entry.splits[0] if len(entry.splits) == 1 else hashed_split(entry.group or data, seed, entry.splits))
    if not rows:
        raise DatasetError(f"{files.path}: none of {len(listed)} pictures gave a face{'; ' + reasons[0] if reasons else ''}")
    labels, names, groups = zip(*((row.label, row.name, row.group) for row in rows), strict=True)
    return Reading(table(pixels, labels, splits, names, source, groups), dict(counts))
