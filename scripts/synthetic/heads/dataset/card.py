"""Data card and terms of the rendered heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from emotions.labels import EMOTIONS

from ....data.dataset import SPLITS
from ..expressions import LABEL_STRENGTH
from ..families import FAMILIES
from .plan import FULL_FROM, LEAST, split_of
from .record import Record

NOTICE = Path(__file__).with_name("ICT-FaceKit-LICENSE.txt")
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Edges of the classes of strength that the card counts."""
YAWS = (0, 10, 20, 30, 40)
"""Edges of the classes of the angle by which a head is turned, in degrees."""
TERMS = """# Terms of the rendered heads

The pictures and their labels are by the Emotion Detector contributors, under the Creative Commons license CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/): use, change and pass them on for any purpose, also commercial and for
training, and say where they are from ("rendered heads of Emotion Detector") and what you changed. A Creative Commons
license and not the MIT license of the code, because it is made for pictures and data and covers the rights in a
collection of them.

Their geometry is that of ICT-FaceKit, whose notice goes with them:

"""
ABOUT = """# Data card: rendered heads

{count} pictures of {characters} characters in {families} families of style, rendered by this project with known
expressions (`make heads`; seed {seed}; fingerprint `{made_by}` of the code, the head model and the face detectors).
No picture shows a person: the heads are random combinations of the principal components of ICT-FaceKit, a head model
from scans whose owners publish it under the MIT license, with proportions, skin, hair and clothes of this project.

## What it is for

Training and testing expression classifiers on animated characters, and on expressions that photographs of the web
lack: mild ones, fear and disgust, in equal numbers and with known strength. The test and validation families are
never trained on, so that their figures are those of an unseen style. It cannot replace photographs: real faces vary
in ways that no renderer has, and a recipe of action units says what an expression means by convention (Ekman and
Friesen), not what a person feels.

## How it is made

Each expression is a recipe of FACS action units with a random strength, asymmetry, gaze, blinks and mouths of speech,
each picture has a random pose, light and background. A third of the strengths is at least {full}, the others are
spread down to {least}, barely visible; below {label} an expression has the label -1. The crops are those of the
served face detectors (as when a picture is uploaded), with a little jitter, and half of them are made darker,
brighter, blurred, noisy or compressed. Where no face is found, the crop is framed by the rendering's own landmarks;
the column `found` tells.

## Files

`heads.npz` and `heads-96.npz` hold the same crops at 48 and 96 pixels as tables of faces (scripts/data/dataset.py;
groups are characters, names are family/character/emotion/number), `heads-info.csv` tells of each row what it shows
(columns below), and `heads-whole.zip` holds every tenth picture whole, at 256 pixels.

`name`, `character`, `family`, `emotion` (what the recipe means, also where it is too weak for a label), `recipe`,
`strength` (0..1), `label` (class id or -1), `yaw`, `pitch`, `roll` (degrees), `seed`, `found` (1 if the detectors
found the face in the whole picture), `whole` (its name in the zip archive, if kept).

"""


def terms() -> str:
    """Terms of the pictures in Markdown, with the notice of the head model; it accompanies them wherever they are passed on."""
    return TERMS + "\n".join(f"    {line}".rstrip() for line in NOTICE.read_text(encoding="utf-8").splitlines()) + "\n"


def data_card(records: Sequence[Record], made_by: str) -> str:
    """The data card of a set in Markdown; `made_by` is the fingerprint of everything that decides on its pictures."""
    head = ABOUT.format(
        count=f"{len(records):,}", characters=len({record.character for record in records}),
        families=len({record.family for record in records}), seed=records[0].seed, made_by=made_by, full=FULL_FROM,
        least=LEAST, label=LABEL_STRENGTH,
    )  # fmt: skip
    sections = [_families(records), _strengths(records), _poses(records), _recipes(records), terms().replace("# ", "## ", 1)]
    return head + "\n".join(sections)


def counts(records: Sequence[Record]) -> Iterator[str]:
    """Yield a line for each split, with the number of families, of characters and of labeled faces of each emotion."""
    for split in SPLITS:
        part = [record for record in records if split_of(record.family) == split]
        numbers = np.bincount([record.label for record in part if record.label >= 0], minlength=len(EMOTIONS))
        listed = "  ".join(f"{emotion} {number}" for emotion, number in zip(EMOTIONS, numbers, strict=True))
        sizes = f"{len(part):6} faces of {len({record.character for record in part}):3} characters"
        yield f"{split:10} {sizes} in {len({record.family for record in part})} families  {listed}"
    yield f"{_found(records)} of the faces found in the whole pictures"


def _found(records: Sequence[Record]) -> str:
    return f"{sum(record.found for record in records) / len(records):.1%}" if records else ""


def _markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return f"## {title}\n\n" + "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _families(records: Sequence[Record]) -> str:
    rows = []
    for family in FAMILIES:
        part = [record for record in records if record.family == family]
        if not part:
            continue
        labels = Counter(record.label for record in part)
        each = [labels[index] for index in range(len(EMOTIONS))]
        characters = len({record.character for record in part})
        rows.append([family, split_of(family), characters, len(part), *each, labels[-1], _found(part)])
    columns = ["family", "split", "characters", "faces", *EMOTIONS, "no label", "found"]
    return _markdown("Faces by family and label", columns, rows)


def _strengths(records: Sequence[Record]) -> str:
    rows = []
    for emotion in EMOTIONS:
        values = [record.strength for record in records if record.emotion == emotion]
        rows.append([emotion, *np.histogram(values, BINS)[0].tolist()])
    columns = ["emotion", *(f"{low} to {high}" for low, high in zip(BINS, BINS[1:], strict=False))]
    return _markdown("Faces by emotion and strength", columns, rows)


def _poses(records: Sequence[Record]) -> str:
    rows = []
    for low, high in zip(YAWS, YAWS[1:], strict=False):
        part = [record for record in records if low <= abs(record.yaw) < high or abs(record.yaw) == high == YAWS[-1]]
        rows.append([f"{low} to {high} degrees", len(part), _found(part)])
    return _markdown("Faces by the angle to the side", ["turned by", "faces", "found"], rows)


def _recipes(records: Sequence[Record]) -> str:
    recipes = Counter((EMOTIONS.index(record.emotion), record.recipe) for record in records)
    rows = [[EMOTIONS[emotion], recipe, number] for (emotion, recipe), number in sorted(recipes.items())]
    return _markdown("Faces by recipe", ["emotion", "recipe", "faces"], rows)
