"""Data sets that this project knows, their terms, and the data statement of a model.

A data statement is a list of rows, one a data set: {"source", "title", "licence", "research", "train", "validation", "test",
"learnt_by"}, the splits as counts of faces. `scripts.release.export` puts it into the manifest; cards and licences are made of
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .dataset import SPLITS, Faces
from .labels import VOTES

NOT_STATED = "licence not stated"


@dataclass(frozen=True)
class DatasetInfo:
    """Description of a data set.

    Attributes:
        title: name in cards and reports.
        licence: its terms.
        research: true if the terms allow research only.
        groups: meaning of the table's groups if metrics are reported by group.
        published: number of faces that the owner publishes.
        drawn: true for drawn faces, false for photographs, None if unknown.
        unaligned: true if the published files are faces that were cropped otherwise than this library crops them.
    """

    title: str
    licence: str
    research: bool = False
    groups: str = ""
    published: int = 0
    drawn: bool | None = None
    unaligned: bool = False


SOURCES = {
    "fer2013": DatasetInfo(
        "FER2013",
        "released for research in the Kaggle challenge of 2013",
        research=True,
        published=35_887,
        drawn=False,
        unaligned=True,
    ),  # fmt: skip
    VOTES: DatasetInfo("FER+", "MIT"),
    "facial_expressions": DatasetInfo("muxspace/facial_expressions", "Apache-2.0", drawn=False),
    "ferg": DatasetInfo("FERG-DB", "research only, must not be passed on", research=True, groups="characters", drawn=True),
    "dicebear": DatasetInfo(
        "drawings in DiceBear's styles", "each style its own, in its file", groups="families of styles", drawn=True
    ),
    "heads": DatasetInfo(
        "rendered 3D characters", "CC BY 4.0, made with the head model ICT-FaceKit, MIT", groups="characters", drawn=True
    ),
    "smiles": DatasetInfo(
        "smiles warped into neutral faces of the photographs", "that of the photographs", research=True, drawn=False
    ),
}


def source_of(name: str, licence: str = "") -> DatasetInfo:
    """The data set called `name`; a `licence` that was stated with the table replaces the known one."""
    known = SOURCES.get(name, DatasetInfo(name, NOT_STATED))
    return replace(known, licence=licence) if licence else known


def data_statement(faces: Faces, learnt_by: str) -> list[dict[str, Any]]:
    """Rows for the data sets of a table, and one for the raters' votes if there are any.

    `learnt_by` names the parts of the model that were trained on the table.
    """
    rows = []
    for name in dict.fromkeys(faces.sources.tolist()):
        part = faces.where(faces.sources == name)
        stated = dict.fromkeys(filter(None, part.licences.tolist()))
        rows.append(_row(name, "; ".join(stated), part.splits, learnt_by))
    voted = faces.raters > 0
    return [*rows, _row(VOTES, "", faces.splits[voted], learnt_by)] if voted.any() else rows


def _row(name: str, licence: str, splits: np.ndarray, learnt_by: str) -> dict[str, Any]:
    source = source_of(name, licence)
    counts = {split: int((splits == split).sum()) for split in SPLITS}
    terms = {"source": name, "title": source.title, "licence": source.licence, "research": source.research}
    return {**terms, **counts, "learnt_by": learnt_by}


def licence_of(rows: Sequence[dict[str, Any]]) -> str:
    """The terms of a data statement in one line."""
    named = list(dict.fromkeys(f"{row['title']} ({row['licence']})" for row in rows))
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"trained on {listed}{': research use' if any(row['research'] for row in rows) else ''}"
