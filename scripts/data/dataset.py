"""The table of faces that every reader of `scripts.data.readers` fills, and the names of splits and labels in data sets."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

DAMAGE = (
    AttributeError, EOFError, KeyError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError,
    lzma.LZMAError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a damaged .npz file raises: it is a zip archive of compressed data with headers in Python's syntax."""


class DatasetError(ValueError):
    """A data set is missing or not in the form that its owner publishes; the message says what was expected."""


@dataclass(frozen=True)
class Faces:
    """Faces of one size with their labels and votes.

    Attributes:
        pixels: (N, S, S) uint8 grey.
        labels: (N,) int8, -1 if unknown.
        votes: (N, 7) float32, number of raters who chose each emotion; zeros without votes.
        raters: (N,) float32, number of raters asked.
        splits: (N,) str, one of SPLITS.
        names: (N,) str.
        sources: (N,) str, data set of a face.
        groups: (N,) str, person, character or style family, which no two splits may share; empty if unknown.
        licences: (N,) str, terms that were stated with the data; empty if none were or if they are those of
            scripts/data/sources.py.
    """

    pixels: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    raters: np.ndarray
    splits: np.ndarray
    names: np.ndarray
    sources: np.ndarray
    groups: np.ndarray
    licences: np.ndarray = None  # type: ignore[assignment]  # left out by old tables and by most readers

    def __post_init__(self) -> None:
        if self.licences is None:
            object.__setattr__(self, "licences", np.full(len(self.pixels), ""))

    def __len__(self) -> int:
        return len(self.pixels)

    def check(self) -> None:
        """Raise ValueError unless all fields have a row for each face, and pixels and votes their dimensions."""
        shapes = {field: np.shape(getattr(self, field)) for field in self.__dataclass_fields__}
        rows = shapes["pixels"][:1]
        if len(shapes["pixels"]) != 3 or shapes["votes"] != (*rows, len(EMOTIONS)):
            raise ValueError(f"pixels of shape {shapes['pixels']} and votes of shape {shapes['votes']}")
        if wrong := [field for field, shape in shapes.items() if field not in ("pixels", "votes") and shape != rows]:
            raise ValueError(f"not a row for each face: {', '.join(wrong)}")

    def split(self, name: str) -> Faces:
        """The rows of one of SPLITS."""
        return self.where(self.splits == name)

    def where(self, mask: np.ndarray) -> Faces:
        """The rows of a mask, an index array or a slice."""
        return Faces(*(getattr(self, field)[mask] for field in self.__dataclass_fields__))

    @classmethod
    def joined(cls, tables: Sequence[Faces]) -> Faces:
        """Concatenate tables of one face size. Raises DatasetError if the sizes differ."""
        if len(sizes := {table.pixels.shape[1] for table in tables}) > 1:
            listed = " and ".join(map(str, sorted(sizes)))
            raise DatasetError(f"faces of {listed} pixels cannot be joined: prepare them with one --size")
        return cls(*(np.concatenate([getattr(table, field) for table in tables]) for field in cls.__dataclass_fields__))

    def majority(self) -> tuple[np.ndarray, np.ndarray]:
        """Plurality of the votes: class ids (N,) and the mask (N,) of faces for which one emotion has more than half of all
        votes.
        """
        return self.votes.argmax(axis=1), self.votes.max(axis=1) > self.raters / 2

    def save(self, path: Path) -> None:
        """Write an .npz file without pickles, so that loading it runs no code."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{field: getattr(self, field) for field in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: Path) -> Faces:
        """Read a table that `save` wrote. Raises DatasetError if it is missing or damaged."""
        again = "make it with `python -m scripts.data.prepare` (drawn faces: `make synthetic`, rendered ones: `make heads`)"
        if not Path(path).is_file():
            raise DatasetError(f"{path} is not there: {again}")
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
                fields = [field for field in cls.__dataclass_fields__ if field != "licences" or field in stored]
                faces = cls(**{field: stored[field] for field in fields})
                faces.check()
                return faces
        except DAMAGE as error:
            raise DatasetError(f"{path} is damaged or of another version ({error}): {again}") from None


def table(pixels, labels, splits, names, source: str, groups=None) -> Faces:
    """A table without votes, from sequences of equal length."""
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


def sample(faces: Faces, count: int, seed: int) -> Faces:
    """At most `count` faces drawn at random, in their order, for dry runs."""
    chosen = np.random.default_rng(seed).permutation(len(faces))[:count]
    return faces.where(np.sort(chosen))
