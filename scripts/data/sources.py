"""Where faces come from and on what terms: the data sets that are known here, and what people say of their own.

What a model learnt is a list of rows, one a data set: {"source", "title", "licence", "research", "train", "validation", "test",
"learnt_by"}, the splits as counts of faces. `scripts.release.export` puts it into the manifest, from which cards and licences are made.
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
class Source:
    """A data set: `research` if its terms allow research only; `groups`: what its groups are, where figures are to be told by
    group; `published`: how many faces its owner gives; `drawn`: whether its faces are, None where that is not known."""

    title: str
    licence: str
    research: bool = False
    groups: str = ""
    published: int = 0
    drawn: bool | None = None


SOURCES = {
    "fer2013": Source("FER2013", "released for research in the Kaggle challenge of 2013", research=True, published=35_887, drawn=False),
    VOTES: Source("FER+", "MIT"),
    "facial_expressions": Source("muxspace/facial_expressions", "Apache-2.0", drawn=False),
    "ferg": Source("FERG-DB", "research only, must not be passed on", research=True, groups="characters", drawn=True),
    "dicebear": Source("drawings in DiceBear's styles", "each style its own, in its file", groups="families of styles", drawn=True),
}


def source_of(name: str, licence: str = "") -> Source:
    """The data set called `name`; `licence`, where one was stated with the table, wins over what is known here."""
    known = SOURCES.get(name, Source(name, NOT_STATED))
    return replace(known, licence=licence) if licence else known


def described(faces: Faces, learnt_by: str) -> list[dict[str, Any]]:
    """Rows for the data sets of a table, and one for the raters' votes where there are any."""
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
    """One line on the terms of everything that was learnt from."""
    named = list(dict.fromkeys(f"{row['title']} ({row['licence']})" for row in rows))
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"trained on {listed}{': research use' if any(row['research'] for row in rows) else ''}"
