"""Readers for the face data sets in the form that their owners publish; each gives one `Faces` table."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from emotions.labels import EMOTIONS

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "publictest": "validation",
    "test": "test", "privatetest": "test",
}  # fmt: skip
LABEL_NAMES = {
    "anger": "anger", "angry": "anger", "disgust": "disgust", "disgusted": "disgust", "fear": "fear", "fearful": "fear",
    "happy": "happy", "happiness": "happy", "joy": "happy", "neutral": "neutral", "sad": "sad", "sadness": "sad",
    "surprise": "surprise", "surprised": "surprise",
}  # fmt: skip
FER2013_IDS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Meaning of the column `emotion` in fer2013.csv (the Kaggle challenge's data page): not this project's order."""
FERPLUS_COLUMNS = {
    "anger": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness",
    "neutral": "neutral", "sad": "sadness", "surprise": "surprise",
}  # fmt: skip


class DatasetError(ValueError):
    """A data set is missing or not in the form that its owner publishes; the message says what was looked for."""


@dataclass(frozen=True)
class Faces:
    """Faces of one size with their truths.

    pixels: (N, S, S) uint8 grey. labels: (N,) int8, -1 where unknown. votes: (N, 7) float32, raters who chose each
    emotion (zeros where nobody was asked). raters: (N,) float32, all raters asked. splits, names: (N,) str.
    sources: (N,) str, the data set a face comes from. groups: (N,) str, what no two splits may share: the person, the
    character, the family of drawing styles; empty where the owner names none.
    """

    pixels: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    raters: np.ndarray
    splits: np.ndarray
    names: np.ndarray
    sources: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def split(self, name: str) -> Faces:
        """The rows of one of SPLITS."""
        return self.where(self.splits == name)

    def where(self, mask: np.ndarray) -> Faces:
        return Faces(*(getattr(self, field)[mask] for field in self.__dataclass_fields__))

    @classmethod
    def joined(cls, tables: Sequence[Faces]) -> Faces:
        """The rows of several tables of one face size, in their order."""
        return cls(*(np.concatenate([getattr(table, field) for table in tables]) for field in cls.__dataclass_fields__))

    def majority(self) -> tuple[np.ndarray, np.ndarray]:
        """FER+ truth: (N,) class ids, and the (N,) mask of rows where one emotion has more than half of all votes."""
        return self.votes.argmax(axis=1), self.votes.max(axis=1) > self.raters / 2

    def save(self, path: Path) -> None:
        """Write .npz: no pickle, so that opening the file runs no code."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{field: getattr(self, field) for field in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: Path) -> Faces:
        if not Path(path).is_file():
            raise DatasetError(f"{path} is not there: make it with `python -m scripts.prepare`")
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{field: stored[field] for field in cls.__dataclass_fields__})


def read_class_folders(path: Path, size: int = 48, source: str = "fer2013") -> Faces:
    """Read `<split>/<label>/<picture>` or `<label>/<picture>` (then all is `train`) from a zip archive or a folder."""
    names, pixels, labels, splits = [], [], [], []
    for name, data in _pictures(path):
        folders = [part.lower() for part in Path(name).parts[:-1]]
        label = next((LABEL_NAMES[part] for part in reversed(folders) if part in LABEL_NAMES), None)
        if label is None:
            continue
        split = next((SPLIT_NAMES[part] for part in folders if part in SPLIT_NAMES), "train")
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG")).convert("L")
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3)
        names.append(Path(name).name)
        pixels.append(np.asarray(image))
        labels.append(EMOTIONS.index(label))
        splits.append(split)
    if not names:
        raise DatasetError(f"{path}: no picture under a folder named after an emotion ({', '.join(sorted(LABEL_NAMES))})")
    return table(pixels, labels, splits, names, source)


def read_fer2013_csv(path: Path) -> Faces:
    """Read Kaggle's `fer2013.csv` or `icml_face_data.csv` (columns emotion, Usage, pixels; the latter with spaces)."""
    pixels, labels, splits, names = [], [], [], []
    with open(path, newline="") as stream:
        rows = csv.DictReader(stream, skipinitialspace=True)
        if not {"emotion", "pixels", "Usage"} <= set(rows.fieldnames or ()):
            raise DatasetError(f"{path}: columns emotion, pixels and Usage expected, found {rows.fieldnames}")
        for number, row in enumerate(rows):
            grey = np.array(row["pixels"].split(), np.uint8)
            if grey.size != 48 * 48:
                raise DatasetError(f"{path}, line {number + 2}: {grey.size} pixels instead of {48 * 48}")
            pixels.append(grey.reshape(48, 48))
            labels.append(EMOTIONS.index(FER2013_IDS[int(row["emotion"])]))
            splits.append(SPLIT_NAMES[row["Usage"].strip().lower()])
            names.append(f"fer{number:07d}.png")  # FER+ names its rows so
    return table(pixels, labels, splits, names, "fer2013")


def add_ferplus_votes(faces: Faces, path: Path) -> Faces:
    """Join the FER+ raters' votes (`fer2013new.csv`, plain or .gz; Barsoum et al. 2016) by image name.

    Rows that FER+ leaves without a name (its raters saw no face in them) keep zero votes.
    """
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", newline="") as stream:
        found = {row["Image name"]: row for row in csv.DictReader(stream) if row["Image name"]}
    if not found:
        raise DatasetError(f"{path}: no column `Image name`: is this FER+'s fer2013new.csv?")
    votes, raters = np.zeros((len(faces), len(EMOTIONS)), np.float32), np.zeros(len(faces), np.float32)
    others = ("contempt", "unknown", "NF")
    for index, name in enumerate(faces.names):
        if row := found.get(str(name)):
            votes[index] = [float(row[FERPLUS_COLUMNS[emotion]]) for emotion in EMOTIONS]
            raters[index] = votes[index].sum() + sum(float(row[other]) for other in others)
    return replace(faces, votes=votes, raters=raters)


def _pictures(path: Path) -> Iterator[tuple[str, bytes]]:
    path = Path(path)
    endings = (".png", ".jpg", ".jpeg")
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in endings:
                yield str(file.relative_to(path)), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(endings):
                    yield name, archive.read(name)
    else:
        raise DatasetError(f"{path}: neither a folder nor a zip archive")


def table(pixels, labels, splits, names, source: str, groups=None) -> Faces:
    """Faces without votes, from sequences of one length."""
    count = len(names)
    return Faces(
        np.stack(pixels).astype(np.uint8),
        np.array(labels, np.int8),
        np.zeros((count, len(EMOTIONS)), np.float32),
        np.zeros(count, np.float32),
        np.array(splits),
        np.array(names),
        np.full(count, source),
        np.array([""] * count if groups is None else groups),
    )
