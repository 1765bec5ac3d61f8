"""A data set of one's own: a folder for each class, in folders for train, validation and test or not."""

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
from .pictures import Cropper, Listed, Reading, read_pictures

IGNORE = "ignore"
KAGGLE_SPLIT = re.compile(r"(training|publictest|privatetest)_\d+", re.IGNORECASE)
"""Class folders made of FER2013 for Kaggle put PublicTest and PrivateTest in one folder; the names still tell."""


def read_label_map(path: Path) -> dict[str, str]:
    """A TOML or JSON table: folder name -> one of the seven emotions, or "ignore". Raises DatasetError."""
    with readable(path):
        content = Path(path).read_bytes()
    try:
        parsed = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except ValueError as error:
        raise DatasetError(f"{path} is not {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    known = (*EMOTIONS, IGNORE)  # a tuple: what is compared with it may be a list or a table
    if not isinstance(parsed, dict) or not parsed:
        raise DatasetError(f"{path}: a table expected, from folder names to emotions")
    for folder, emotion in parsed.items():
        if emotion not in known:
            raise DatasetError(f"{path}: {folder} = {emotion!r}, but it must be one of {', '.join(EMOTIONS)} or {IGNORE}")
    return {folder.lower(): emotion for folder, emotion in parsed.items()}


def list_folders(files: Files, labels: Mapping[str, str] = LABEL_NAMES) -> list[Listed]:
    """The pictures of `<split>/<class>/<picture>`; without split folders all are for training.

    Other folders may lie around and between. DatasetError names folders that `labels` does not know.
    """
    listed: list[Listed] = []
    unknown = Counter[str]()
    for file in files.pictures():
        *folders, name = PurePosixPath(file).parts
        folders = [folder.lower() for folder in folders]
        label = next((labels[folder] for folder in reversed(folders) if folder in labels), None)
        if label is None:
            unknown[str(PurePosixPath(file).parent)] += 1
        elif label != IGNORE:
            told = KAGGLE_SPLIT.match(name)
            names = [told[1].lower()] if told else folders
            split = next((SPLIT_NAMES[part] for part in names if part in SPLIT_NAMES), "train")
            listed.append(Listed(file, EMOTIONS.index(label), name, (split,)))
    if unknown and listed:
        first = ", ".join(f"{folder} ({count} pictures)" for folder, count in unknown.most_common(5))
        raise DatasetError(f"{files.path}: folders that name no known emotion: {first}; say what they are in a label map")
    if not listed:
        raise DatasetError(f"{files.path}: no picture under a folder named after an emotion: {', '.join(sorted(labels))}")
    return listed


def read_folders(
    path: Path, source: str, labels: Mapping[str, str] = LABEL_NAMES, crop: Cropper | None = None, seed: int = 0,
    people: re.Pattern[str] | None = None,
) -> Reading:  # fmt: skip
    """Read a folder or an archive of class folders, named by `labels`.

    Splits that have no folder are cut from the training pictures by a hash: of the person, whom the first group of `people`
    finds in a picture's path, so that nobody is in two of them; else of the file, so that no copy is. Raises DatasetError.
    """
    with Files(path) as files:
        listed = list_folders(files, labels)
        people_of = _people(listed, people)
        listed = [replace(entry, name=entry.file, group=group) for entry, group in zip(listed, people_of, strict=True)]
        listed = cut_missing(listed, SPLITS)
        reading = read_pictures(files, listed, source, crop or Cropper(), seed)
    ignored = len(files.pictures()) - len(listed)
    people_count = len({entry.group for entry in listed if entry.group})
    counts = {"pictures": len(listed), "pictures in folders that the label map ignores": ignored, "people": people_count}
    return Reading(reading.faces, {what: count for what, count in counts.items() if count} | reading.counts)


def cut_missing(listed: list[Listed], wanted: Sequence[str]) -> list[Listed]:
    """The same pictures, those to train with also open to each of the `wanted` splits that none is in."""
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
