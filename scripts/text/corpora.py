"""Readers of the text corpora: GoEmotions, the training data, and MELD, which is only evaluated on."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

EKMAN = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}
"""Names of the seven classes in the corpora to the names of EMOTIONS."""


class CorpusError(ValueError):
    """A corpus is missing or has another format."""


@dataclass(frozen=True)
class Corpus:
    """Texts with their multi-label targets: `seven` (N, 7) and `fine` (N, F) float32 zeros and ones; `names` of the F labels."""

    texts: list[str]
    seven: np.ndarray
    fine: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a gzipped CSV file with a header. Raises CorpusError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except (csv.Error, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise CorpusError(f"{path}: {error}") from error


def indicators(labels: list[list[str]], names: tuple[str, ...]) -> np.ndarray:
    """(N, len(names)) float32, 1 where a text has the label. Raises CorpusError for a label that is not in `names`."""
    table = np.zeros((len(labels), len(names)), np.float32)
    for row, present in enumerate(labels):
        for label in present:
            if label not in names:
                raise CorpusError(f"unknown label {label!r}; known are {', '.join(names)}")
            table[row, names.index(label)] = 1
    return table


def read_goemotions(path: Path, limit: int | None = None) -> dict[str, Corpus]:
    """Read GoEmotions by split (train, dev, test) from the columns split, text, labels, ekman; several labels are joined by `|`.

    `seven` is the corpus's own Ekman grouping, neutral kept as the seventh class, `fine` its 27 emotions and neutral.
    `limit` takes the first rows of each split, for a dry run. Raises CorpusError.
    """
    rows = read_rows(path)
    try:
        names = tuple(sorted({label for row in rows for label in row["labels"].split("|")}))
        corpora = {}
        for split in ("train", "dev", "test"):
            chosen = [row for row in rows if row["split"] == split][:limit]
            ekman = [[EKMAN.get(label, label) for label in row["ekman"].split("|")] for row in chosen]
            fine = indicators([row["labels"].split("|") for row in chosen], names)
            corpora[split] = Corpus([row["text"] for row in chosen], indicators(ekman, EMOTIONS), fine, names)
    except KeyError as error:
        raise CorpusError(f"{path}: no column {error}") from None
    return corpora


def read_meld(path: Path, split: str = "test") -> Corpus:
    """Read a split of MELD's utterances (columns split, text, label), one of the seven classes each. Raises CorpusError."""
    try:
        rows = [row for row in read_rows(path) if row["split"] == split]
        labels = [[EKMAN.get(row["label"], row["label"])] for row in rows]
    except KeyError as error:
        raise CorpusError(f"{path}: no column {error}") from None
    seven = indicators(labels, EMOTIONS)
    return Corpus([row["text"] for row in rows], seven, seven, EMOTIONS)
