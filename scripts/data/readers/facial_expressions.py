"""muxspace/facial_expressions: `data/legend.csv` has an image and one rater's label in each row, `images/` the images.

File names contain people's names, from Labeled Faces in the Wild and from Indian films. Labels come in upper and lower case, and
images are listed twice, some with two labels. Splits are by person, since a model would recognise a person seen in training.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from emotions.labels import EMOTIONS

from ..dataset import LABEL_NAMES, DatasetError
from .files import Files, table_rows, text
from .images import Cropper, Listed, Reading, read_images, some

NOT_OURS = {"contempt"}
"""Labels of the legend outside of the seven emotions: nine images."""
PERSON = re.compile(r"(.+?)_\d+k?$")
"""Person in a file name, the part before the number: `Colin_Powell_0001`, `Dwarakish_12`, `facial-expressions_2868582k`."""


def person(file: str) -> str:
    """Person of an image by its file name: `Colin_Powell_0001.jpg` shows `Colin_Powell`."""
    stem = PurePosixPath(file).stem
    match = PERSON.match(stem)
    return match[1] if match else stem


def read_facial_expressions(path: Path, crop: Cropper | None = None, seed: int = 0, max_images: int | None = None) -> Reading:
    """Read a folder or an archive of the repository; `groups` are the people, assigned to splits by a hash of their names.

    Images with two different labels and those labelled contempt are dropped.

    Args:
        path: folder or archive.
        crop: cropper of the faces.
        seed: seed of the hash and of the random choice.
        max_images: number of images to read, drawn at random; all by default.

    Raises:
        DatasetError: if the folder or archive is not in the published form.
    """
    with Files(path) as files:
        listed, counts = list_images(files)
        reading = read_images(files, some(listed, max_images, seed), "facial_expressions", crop or Cropper(), seed)
    return Reading(reading.faces, counts | reading.counts)


def list_images(files: Files) -> tuple[list[Listed], dict[str, int]]:
    """Images with one unambiguous label, and counts of the rows and of what was dropped."""
    legend = files.called("legend.csv")
    if legend is None:
        raise DatasetError(f"{files.path}: no legend.csv in it: is this muxspace/facial_expressions?")
    images = {place.name: str(place) for name in files.images() if (place := PurePosixPath(name)).parent.name == "images"}
    words, rows = _legend(files, legend)
    conflicting = {name for name, said in words.items() if len(said) > 1}
    others = {name for name, said in words.items() if said <= NOT_OURS}
    missing = words.keys() - images.keys()
    listed = [
        Listed(images[name], EMOTIONS.index(LABEL_NAMES[next(iter(said))]), name, group=person(name))
        for name, said in sorted(words.items())
        if name not in conflicting | others | missing
    ]
    return listed, {
        "rows in the legend": rows,
        "rows that list a picture again": rows - len(words),
        "pictures with two different labels, left out": len(conflicting),
        "pictures labelled contempt, left out": len(others),
        "listed pictures that are not there": len(missing),
        "pictures that no row lists, left out": len(images.keys() - words.keys()),
        "pictures with one label": len(listed),
        "people": len({entry.group for entry in listed}),
    }


def _legend(files: Files, name: str) -> tuple[dict[str, set[str]], int]:
    """Labels of each image, in lower case, and the number of rows."""
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
