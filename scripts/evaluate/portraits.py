"""Photographs of posed expressions with the sex of each person, cropped as served: a set to measure on, never to train on.

The folder has the form of the Face Research Lab London Set (DeBruine and Jones, 2017, doi 10.6084/m9.figshare.5047666):
photographs, labels.csv (file, label, person) and info.csv (face_id, face_gender and more).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions.errors import ImageError
from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS

from ..data.dataset import DatasetError

GROUPS = (("happy", "female"), ("happy", "male"), ("neutral", "female"), ("neutral", "male"))
"""Label and sex of the groups that are reported."""


@dataclass(frozen=True)
class Portraits:
    """Crops of photographs as served.

    Attributes:
        crops: (N, S, S) uint8 grey, blank where no face was found.
        found: (N,) bool.
        labels: (N,) int, class ids.
        sexes: (N,) str, as stated by the persons.
    """

    crops: np.ndarray
    found: np.ndarray
    labels: np.ndarray
    sexes: np.ndarray

    def shares(self, predicted: np.ndarray) -> Mapping[tuple[str, str], float]:
        """Share of each of GROUPS for which the predicted class ids (N,) are right; a face that is not found counts as wrong."""
        right = (predicted == self.labels) & self.found
        masks = {(name, sex): (self.labels == EMOTIONS.index(name)) & (self.sexes == sex) for name, sex in GROUPS}
        return {group: float(right[mask].mean()) for group, mask in masks.items() if mask.any()}


def served_crop(analyzer: FaceAnalyzer, pixels: np.ndarray) -> np.ndarray | None:
    """Crop (S, S) uint8 grey of the largest face in an image (H, W, 3), as `FaceAnalyzer.analyze` makes it; None without one."""
    detector = analyzer.face_detector
    for face in detector.detect(pixels)[1]:
        return align_crop(pixels, face.box, detector.landmarks(pixels, face), analyzer.classifier.size, face.turns)
    return None


def load_portraits(folder: Path, analyzer: FaceAnalyzer) -> Portraits:
    """Read and crop the photographs of a folder. Raises DatasetError if a file is missing or of another form."""
    try:
        rows, people = read_csv(folder / "labels.csv"), read_csv(folder / "info.csv")
        sexes = {row["face_id"]: row["face_gender"] for row in people}
        labels = np.array([EMOTIONS.index(row["label"]) for row in rows], int)
        made = [served_crop(analyzer, open_image(folder / row["file"]).pixels) for row in rows]
        groups = np.array([sexes[row["person"]] for row in rows])
    except (ImageError, KeyError, OSError, ValueError) as error:
        expected = "labels.csv, info.csv and the photographs that they name"
        raise DatasetError(f"{folder} has not the form of the London set, {expected}: {error!r}") from None
    found = np.array([crop is not None for crop in made])
    blank = np.zeros((analyzer.classifier.size,) * 2, np.uint8)
    crops = np.array([blank if crop is None else crop for crop in made]).reshape(-1, *blank.shape)
    return Portraits(crops, found, labels, groups)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a comma-separated file with a header. Raises OSError."""
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
