"""FER+ (Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
ICMI 2016): ten raters' votes on the faces of FER2013."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

from ..dataset import SPLIT_NAMES, DatasetError, Faces
from .files import table_rows, text

COLUMNS = {
    "anger": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness",
    "neutral": "neutral", "sad": "sadness", "surprise": "surprise",
}  # fmt: skip
OTHERS = ("contempt", "unknown", "NF")
ROW = "row"
"""Prefix of the names of faces from fer2013.csv, such as `row0000017`, until FER+ names them."""


def row_name(number: int) -> str:
    """Provisional name of a face by its row in fer2013.csv, counted from 0."""
    return f"{ROW}{number:07d}"


def add_ferplus_votes(faces: Faces, path: Path) -> Faces:
    """Join the raters' votes (`fer2013new.csv`, plain or .gz): by image name, or by row for faces read from fer2013.csv.

    FER+ has the rows of fer2013.csv in order, but its names are not row numbers: rows in which its raters saw no face have no
    name. These are dropped, as in copies of FER2013 with FER+'s names; the other faces get FER+'s names. Raises DatasetError if
    the files do not belong together.
    """
    with text(path) as lines:
        rows = table_rows(lines, ("Usage", "Image name", *COLUMNS.values(), *OTHERS), path)
        found = {}
        for number, row in enumerate(rows):
            found[row_name(number)] = row
            if row["Image name"]:
                found[row["Image name"]] = row
    votes, raters = np.zeros((len(faces), len(EMOTIONS)), np.float32), np.zeros(len(faces), np.float32)
    names, kept = faces.names.tolist(), np.ones(len(faces), bool)
    for index, name in enumerate(names):
        if name not in found:
            continue
        row = found[name]
        if SPLIT_NAMES.get(row["Usage"].lower()) != faces.splits[index]:
            there = f"{name} is in {row['Usage']} there, in {faces.splits[index]} in the faces"
            raise DatasetError(f"{path}: {there}: not the same order")
        kept[index] = bool(row["Image name"])
        if kept[index]:
            names[index] = row["Image name"]
            try:
                votes[index] = [float(row[COLUMNS[emotion]]) for emotion in EMOTIONS]
                raters[index] = votes[index].sum() + sum(float(row[other]) for other in OTHERS)
            except (TypeError, ValueError):
                raise DatasetError(f"{path}: the votes on {row['Image name']} are not numbers") from None
    if not raters.any():
        raise DatasetError(f"{path}: no vote on any of these faces, the first of which is called {faces.names[0]}; FER+ has "
                           "fer0000000.png and the like, and the rows of fer2013.csv; without votes (VOTES= for make) the "
                           "labels alone are used")  # fmt: skip
    return replace(faces, votes=votes, raters=raters, names=np.array(names)).where(kept)
