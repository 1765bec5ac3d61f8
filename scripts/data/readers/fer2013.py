"""FER2013 (Goodfellow et al., "Challenges in Representation Learning", ICML 2013 workshops) in all published forms.

Kaggle's challenge has `icml_face_data.csv` and, in `fer2013.tar.gz`, `fer2013.csv`; other copies have class folders.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emotions.labels import EMOTIONS

from ..dataset import SPLIT_NAMES, DatasetError, Faces, table
from .ferplus import row_name
from .files import Files, table_rows, text
from .folders import fill_missing_splits, list_folders
from .images import Cropper, Listed, Reading, read_images

IDS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Class names of the column `emotion` (Kaggle's data page); the order differs from this project's."""
SIDE = 48
COLUMNS = ("emotion", "pixels", "Usage")


def read_fer2013(path: Path) -> Reading:
    """Read a csv file, an archive or folder that contains one, or class folders. Raises DatasetError."""
    path = Path(path)
    if path.name.lower().endswith((".csv", ".csv.gz")) and not zipfile.is_zipfile(
        path
    ):  # Kaggle also sends a zip under the name of the csv
        with text(path) as lines:
            return _reading(read_rows(lines, str(path)))
    with Files(path) as files:
        if name := files.called("icml_face_data.csv", "fer2013.csv"):
            with text(path, files, name) as lines:
                return _reading(read_rows(lines, f"{path}: {name}"))
        if name := files.called("fer2013.tar.gz"):  # inside the zip of all the challenge's files
            with Files(Path(f"{path}: {name}"), io.BytesIO(files.read(name))) as inner:
                if not (table_name := inner.called("fer2013.csv")):
                    raise DatasetError(f"{inner.path}: no fer2013.csv in it")
                with text(inner.path, inner, table_name) as lines:
                    return _reading(read_rows(lines, f"{inner.path}: {table_name}"))
        if not files.images() and (name := files.called("train.csv")):
            raise DatasetError(f"{path}: {name} has training faces only: take icml_face_data.csv or fer2013.csv")
        return read_images(files, _folders(files), "fer2013", Cropper(SIDE, "whole"))


def read_rows(lines: Iterator[str], whence: str) -> Faces:
    """Read `fer2013.csv` or `icml_face_data.csv` (columns emotion, Usage, pixels; the latter with spaces in the header)."""
    pixels, labels, splits = [], [], []
    rows = table_rows(lines, COLUMNS, whence)
    for row in tqdm(rows, unit=" rows"):
        where = f"{whence}, line {rows.line_num}"
        emotion, values, usage = (row[column] or "" for column in COLUMNS)
        try:
            grey = np.array(values.split(), np.uint8)
        except (OverflowError, ValueError):
            raise DatasetError(f"{where}: pixels that are not whole numbers from 0 to 255") from None
        if grey.size != SIDE * SIDE:
            raise DatasetError(f"{where}: {grey.size} pixels instead of {SIDE * SIDE}")
        if emotion not in map(str, range(len(IDS))):
            raise DatasetError(f"{where}: emotion {emotion!r} is none of 0 to {len(IDS) - 1}")
        if usage.strip().lower() not in SPLIT_NAMES:
            raise DatasetError(f"{where}: Usage {usage!r} is none of Training, PublicTest and PrivateTest")
        pixels.append(grey.reshape(SIDE, SIDE))
        labels.append(EMOTIONS.index(IDS[int(emotion)]))
        splits.append(SPLIT_NAMES[usage.strip().lower()])
    if not pixels:
        raise DatasetError(f"{whence}: no row in it")
    return table(pixels, labels, splits, list(map(row_name, range(len(pixels)))), "fer2013")


def _folders(files: Files) -> list[Listed]:
    """Images of class folders; copies without a validation split get one from the training images.

    If names repeat (each folder has an im0.png) the name of an image is its path.
    """
    listed = fill_missing_splits(list_folders(files), ("validation",))
    if len({entry.name for entry in listed}) < len(listed):
        listed = [replace(entry, name=entry.file) for entry in listed]
    return listed


def _reading(faces: Faces) -> Reading:
    return Reading(faces, {"rows": len(faces)})
