"""An own data set: a folder for each class, optionally in folders for train, validation and test."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from emotions.labels import EMOTIONS

from ..dataset import LABEL_NAMES, SPLIT_NAMES, SPLITS, DatasetError
from .files import Files, readable
from .images import Cropper, Listed, Reading, read_images

IGNORE = "ignore"
KAGGLE_SPLIT = re.compile(r"(training|publictest|privatetest)_\d+", re.IGNORECASE)
"""Kaggle's class folders of FER2013 have PublicTest and PrivateTest in one folder; file names identify the split."""


def read_label_map(path: Path) -> dict[str, str]:
    """A TOML or JSON table: folder name -> one of the seven emotions, or "ignore". Raises DatasetError."""
    with readable(path):
        content = Path(path).read_bytes()
    try:
        parsed = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    known = (*EMOTIONS, IGNORE)  # a tuple: values may be unhashable lists or tables
    if not isinstance(parsed, dict) or not parsed:
        raise DatasetError(f"{path}: a table expected, from folder names to emotions")
    for folder, emotion in parsed.items():
        if emotion not in known:
            raise DatasetError(f"{path}: {folder} = {emotion!r}, but it must be one of {', '.join(EMOTIONS)} or {IGNORE}")
    return {folder.lower(): emotion for folder, emotion in parsed.items()}


def list_folders(files: Files, labels: Mapping[str, str] = LABEL_NAMES) -> list[Listed]:
    """Images of `<split>/<class>/<image>`; without split folders all belong to train.

    Other folders may lie around and between. Raises DatasetError for folders that are not in `labels`.
    """
    listed: list[Listed] = []
    unknown = Counter[str]()
    for file in files.images():
        *folders, name = PurePosixPath(file).parts
        folders = [folder.lower() for folder in folders]
        label = next((labels[folder] for folder in reversed(folders) if folder in labels), None)
        if label is None:
            unknown[str(PurePosixPath(file).parent)] += 1
        elif label != IGNORE:
            match = KAGGLE_SPLIT.match(name)
            names = [match[1].lower()] if match else folders
            split = next((SPLIT_NAMES[part] for part in names if part in SPLIT_NAMES), "train")
            listed.append(Listed(file, EMOTIONS.index(label), name, (split,)))
    if unknown and listed:
        first = ", ".join(f"{folder} ({count} pictures)" for folder, count in unknown.most_common(5))
        raise DatasetError(f"{files.path}: folders that name no known emotion: {first}; map them in a label map")
    if not listed:
        raise DatasetError(f"{files.path}: no picture under a folder named after an emotion: {', '.join(sorted(labels))}")
    return listed


def read_folders(
    path: Path, source: str, labels: Mapping[str, str] = LABEL_NAMES, crop: Cropper | None = None, seed: int = 0,
    people: re.Pattern[str] | None = None,
) -> Reading:  # fmt: skip
    """Read a folder or an archive of class folders with the names in `labels`.

    Splits without a folder are taken from the training images by a hash: of the person, matched by the first group of `people`
    in an image's path, so that no person is in two splits; else of the file, so that no copy is. Raises DatasetError.
    """
    with Files(path) as files:
        listed = list_folders(files, labels)
        people_of = _people(listed, people)
        listed = [replace(entry, name=entry.file, group=group) for entry, group in zip(listed, people_of, strict=True)]
        listed = fill_missing_splits(listed, SPLITS)
        reading = read_images(files, listed, source, crop or Cropper(), seed)
    ignored = len(files.images()) - len(listed)
    people_count = len({entry.group for entry in listed if entry.group})
    counts = {"pictures": len(listed), "pictures in folders that the label map ignores": ignored, "people": people_count}
    return Reading(reading.faces, {what: count for what, count in counts.items() if count} | reading.counts)


def fill_missing_splits(listed: list[Listed], wanted: Sequence[str]) -> list[Listed]:
    """Let training images go to each of the `wanted` splits that has no image."""
    given = {entry.splits[0] for entry in listed}
    cut = ("train", *(split for split in wanted if split not in given and split != "train"))
    return [replace(entry, splits=cut if entry.splits[0] == "train" else entry.splits) for entry in listed]


def _people(listed: list[Listed], people: re.Pattern[str] | None) -> list[str]:
    if people is None:
        return [""] * len(listed)
    found = []
    for entry in listed:
        match = people.search(entry.file)
        if match is None:
            raise DatasetError(f"{entry.file}: the pattern for people finds none in it")
        found.append(match[1])
    return found
