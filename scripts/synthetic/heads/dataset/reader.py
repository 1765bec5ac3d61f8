"""Table of rendered heads as evaluations read it: faces with strength, pose and recipe of each, and the whole pictures."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions.image.loading import ImageError, open_image
from emotions.labels import EMOTIONS

from ....data.dataset import DatasetError, Faces
from .record import read_records

LEVELS = {"full": (0.85, 1.0), "half": (0.4, 0.6)}
"""Ranges of strength, ends included, at which recall is reported."""
NEUTRAL = EMOTIONS.index("neutral")
FINGERPRINT = re.compile(r"fingerprint `([0-9a-f]+)`")
"""How the data card of a set names the code, head model and detectors that made it."""


@dataclass(frozen=True)
class RenderedHeads:
    """Rendered faces and what was rendered.

    Attributes:
        faces: crops, labels (-1 for an expression that is too weak for one) and splits; groups are the characters.
        emotions: (N,) int, class id of the expression that was rendered, whatever its strength.
        families: (N,) str, family of style of the character.
        recipes: (N,) str, name of the combination of action units within its emotion.
        strengths: (N,) float, 0..1.
        poses: (N, 3) float, yaw, pitch and roll in degrees.
        found: (N,) bool, true where the served detectors found the face in the whole picture.
        pictures: (N,) str, name of the whole picture in the archive beside the table, empty where none was kept.
    """

    faces: Faces
    emotions: np.ndarray
    families: np.ndarray
    recipes: np.ndarray
    strengths: np.ndarray
    poses: np.ndarray
    found: np.ndarray
    pictures: np.ndarray

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def labelled(self) -> np.ndarray:
        """Mask (N,) of the faces with a label."""
        return self.faces.labels >= 0

    def at_level(self, level: str) -> np.ndarray:
        """Mask (N,) of the labelled faces of one of LEVELS. A neutral face belongs to each: it has no expression to be strong."""
        low, high = LEVELS[level]
        within = (self.strengths >= low) & (self.strengths <= high)
        return self.labelled & (within | (self.emotions == NEUTRAL))

    def where(self, mask: np.ndarray) -> RenderedHeads:
        """The rows of a mask, an index array or a slice."""
        return RenderedHeads(self.faces.where(mask), *(getattr(self, name)[mask] for name in _ARRAYS))


_ARRAYS = tuple(name for name in RenderedHeads.__dataclass_fields__ if name != "faces")


def load_heads(path: Path) -> RenderedHeads:
    """Read a table of rendered heads (x.npz) and the records of its rows (x-info.csv) beside it.

    Raises:
        DatasetError: If either is missing or damaged, or they do not belong together.
    """
    faces, info = Faces.load(path), path.with_name(f"{path.stem}-info.csv")
    records = read_records(info)
    if [record.name for record in records] != faces.names.tolist():
        raise DatasetError(f"{info} does not name the rows of {path}: both must come from one `make heads`")
    if unknown := sorted({record.emotion for record in records} - set(EMOTIONS)):
        raise DatasetError(f"{info} has unknown emotions: {', '.join(unknown)}")
    return RenderedHeads(
        faces,
        np.array([EMOTIONS.index(record.emotion) for record in records], int),
        np.array([record.family for record in records], str),
        np.array([record.recipe for record in records], str),
        np.array([record.strength for record in records], float),
        np.array([(record.yaw, record.pitch, record.roll) for record in records], float).reshape(-1, 3),
        np.array([bool(record.found) for record in records], bool),
        np.array([record.whole for record in records], str),
    )


def describe_set(path: Path) -> str:
    """Rows, seed and fingerprint of the set of a table (x.npz), for reports.

    The fingerprint is that of the data card (x-CARD.md) beside it; without one it is left out. Raises DatasetError if the
    records of the rows (x-info.csv) are missing or damaged.
    """
    records = read_records(path.with_name(f"{path.stem}-info.csv"))
    seeds = ", ".join(map(str, sorted({record.seed for record in records})))
    card = path.with_name(f"{path.stem}-CARD.md")
    found = FINGERPRINT.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    return f"{len(records):,} rows, seed {seeds}" + (f", fingerprint `{found[1]}`" if found else "")


def whole_pictures(path: Path, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Read whole pictures (H, W, 3) uint8 RGB from the archive beside a table (x-whole.zip).

    Args:
        path: the table.
        names: names of the pictures, see RenderedHeads.

    Raises:
        DatasetError: If the archive is missing, damaged, or lacks one of the pictures.
    """
    archive = path.with_name(f"{path.stem}-whole.zip")
    try:
        with zipfile.ZipFile(archive) as stored:
            for name in names:
                yield open_image(stored.read(name)).pixels
    except FileNotFoundError:
        raise DatasetError(f"{archive} is not there: `make heads` writes it beside the table") from None
    except (KeyError, zipfile.BadZipFile, ImageError) as error:
        raise DatasetError(f"{archive} is damaged or of another table: {error}") from None


def character_folds(heads: RenderedHeads, count: int, seed: int) -> np.ndarray:
    """Fold (N,) int of each face: all faces of a character are in one fold, and every fold has characters of every family.

    Families with fewer characters than `count` have none in some folds.
    """
    folds, random = np.zeros(len(heads), int), np.random.default_rng(seed)
    for family in np.unique(heads.families):
        characters = np.unique(heads.faces.groups[heads.families == family])
        for place, number in enumerate(random.permutation(len(characters))):
            folds[heads.faces.groups == characters[number]] = place % count
    return folds


def bin_numbers(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Bin (N,) int of values (N,): bin i is edges[i] <= value < edges[i + 1]; the last one includes its upper edge.

    Values outside all bins have -1.
    """
    numbers = np.searchsorted(edges, values, side="right") - 1
    numbers = np.where(values == edges[-1], len(edges) - 2, numbers)
    return np.where((numbers < 0) | (numbers > len(edges) - 2), -1, numbers)
