"""muxspace/facial_expressions: `data/legend.csv` names a picture and one rater's word for it, `images/` holds the pictures.

The file names carry people's names, from Labeled Faces in the Wild and from Indian films. Words come in upper and lower case,
pictures are listed twice, some with two words; a person in two splits would be recognised instead of read.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from emotions.labels import EMOTIONS

from ..dataset import LABEL_NAMES, DatasetError
from .files import Files, table_rows, text
from .pictures import Cropper, Listed, Reading, read_pictures, some

NOT_OURS = {"contempt"}
"""Emotions of the legend that this project does not tell apart: nine pictures."""
PERSON = re.compile(r"(.+?)_\d+k?$")
"""`Colin_Powell_0001`, `Dwarakish_12`, `facial-expressions_2868582k`: all before the number."""


def person(file: str) -> str:
    """Whose picture it is, by its name: `Colin_Powell_0001.jpg` is one of `Colin_Powell`."""
    stem = PurePosixPath(file).stem
    match = PERSON.match(stem)
    return match[1] if match else stem


def read_facial_expressions(path: Path, crop: Cropper | None = None, seed: int = 0, most: int | None = None) -> Reading:
    """Read the repository as a folder or an archive; `groups` are the people, whom a hash of their name puts in one split.

    Each picture counts once; one with two different words is left out, as are those labelled contempt. `most`: read
    only so many pictures, drawn at random. Raises DatasetError.
    """
    with Files(path) as files:
        listed, counts = list_pictures(files)
        reading = read_pictures(files, some(listed, most, seed), "facial_expressions", crop or Cropper(), seed)
    return Reading(reading.faces, counts | reading.counts)


def list_pictures(files: Files) -> tuple[list[Listed], dict[str, int]]:
    """The pictures with one clear label, and counts of what the legend holds and what was cleaned."""
    legend = files.called("legend.csv")
    if legend is None:
        raise DatasetError(f"{files.path}: no legend.csv in it: is this muxspace/facial_expressions?")
    pictures = {place.name: str(place) for name in files.pictures() if (place := PurePosixPath(name)).parent.name == "images"}
    words, rows = _legend(files, legend)
    conflicting = {name for name, said in words.items() if len(said) > 1}
    others = {name for name, said in words.items() if said <= NOT_OURS}
    missing = words.keys() - pictures.keys()
    listed = [
        Listed(pictures[name], EMOTIONS.index(LABEL_NAMES[next(iter(said))]), name, group=person(name))
        for name, said in sorted(words.items())
        if name not in conflicting | others | missing
    ]
    return listed, {
        "rows in the legend": rows,
        "rows that list a picture again": rows - len(words),
        "pictures with two different labels, left out": len(conflicting),
        "pictures labelled contempt, left out": len(others),
        "listed pictures that are not there": len(missing),
        "pictures that no row lists, left out": len(pictures.keys() - words.keys()),
        "pictures with one label": len(listed),
        "people": len({entry.group for entry in listed}),
    }


def _legend(files: Files, name: str) -> tuple[dict[str, set[str]], int]:
    """The words said of each picture, in lower case, and the number of rows."""
    words: dict[str, set[str]] = {}
    number = 0
    with text(files.path, files, name) as lines:
        rows = table_rows(lines, ("image", "emotion"), f"{files.path}: {name}")
        for number, row in enumerate(rows, 1):  # noqa: B007 - used below
            word = (row["emotion"] or "").strip().lower()
            if word not in LABEL_NAMES.keys() | NOT_OURS:
                raise DatasetError(f"{files.path}: {name}, line {rows.line_num}: unknown emotion {row['emotion']!r}")
            words.setdefault((row["image"] or "").strip(), set()).add(word)
    return words, number
