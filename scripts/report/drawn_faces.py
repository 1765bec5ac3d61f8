"""Report of `scripts.evaluate.drawn_faces`: benchmarks/drawn.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..common.metrics import balanced_recall
from ..synthetic.generate import TEST_FAMILIES, split_of

FRAMINGS = ("crop", "alone", "canvas")
"""The drawing as one face; uploaded by itself; uploaded as part of a larger picture."""
MARKS = {"test": "held out", "validation": "validation"}
"""Names of the splits that the backbone is not trained on."""
COMPLETE = ("avataaars", "adventurer", "critters")
"""Families with all seven expressions."""


@dataclass
class Views:
    """Pictures as the service processes them, each in several FRAMINGS.

    Attributes:
        crops: (N, framings, S, S) uint8.
        found: (N, framings) bool, true if the drawn face was detected.
        labels: (N,) int.
        groups: (N,) str, style family or emoji set.
        features: (N, framings, F) float32 of the crops, set later.
    """

    crops: np.ndarray
    found: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    features: np.ndarray = field(init=False, repr=False)


@dataclass
class HeadPredictions:
    """Predictions of one kind of head.

    Attributes:
        drawings: class ids (N, framings) of the drawings.
        emoji: class ids of the emoji, if there are any.
        human: accuracy on human validation faces.
        alone: that accuracy of the same head trained without drawings, None if there is no such head.
    """

    drawings: np.ndarray
    emoji: np.ndarray | None
    human: float
    alone: float | None = None


def report(
    command: str, count: int, base: Mapping[str, Any], drawings: Views, glyphs: Views | None, heads: Mapping[str, HeadPredictions]
) -> str:
    """Text of the report."""
    emoji = f"## Emoji (never trained on): accuracy\n\n{_emoji(glyphs, heads)}\n\n" if glyphs else ""
    return f"""# Drawn (cartoon) faces: backbone {base["name"]} {base["version"]}

`{command}`

{len(drawings.labels):,} pictures of {len(set(drawings.groups))} style families (X and X-neutral together) in {len(EMOTIONS)}
expressions, of which a family has three to seven. Heads are trained on the backbone's features of {count:,} other pictures,
none of the family that is measured; `shipped` is the served head. The card lists the training data of the backbone: *held out*
marks the families that no published model is trained on, *validation* those that were used for selection; the backbone and the
shipped head were trained on the others.

## Leave one family out: balanced recall of the drawing as one face

{_families(drawings, heads)}

## Uploaded pictures: share detected, and share detected and correct

The face counts as detected if the crop of a detected face shows at least 80 % of the parts that carry the expression.

{_uploads(drawings, heads)}

{emoji}## Human faces: accuracy on FER2013 validation, original labels

Without drawings: a head trained without drawn faces on the same backbone. The backbone was trained on drawn faces too; its
accuracy without them was not measured.

{_human(heads)}
"""


def _families(drawings: Views, heads: Mapping[str, HeadPredictions]) -> str:
    rows, recalls, splits = [], [], []
    for group in np.unique(drawings.groups):
        here = drawings.groups == group
        values = [balanced_recall(drawings.labels[here], head.drawings[here, 0]) for head in heads.values()]
        recalls.append(values)
        splits.append(split := split_of(group))
        mark = f" ({MARKS[split]})" if split in MARKS else ""
        rows.append((f"{group}{mark}", len(set(drawings.labels[here])), *_percent(values)))
    for split, mark in MARKS.items():
        chosen = np.array(splits) == split
        if chosen.any():
            rows.append((f"**mean, {mark}**", "", *_percent(np.mean(np.array(recalls)[chosen], axis=0))))
    rows.append(("**mean of all families**", "", *_percent(np.mean(recalls, axis=0))))
    return table(("family", "expressions", *heads), "lr", rows)


def _uploads(drawings: Views, heads: Mapping[str, HeadPredictions]) -> str:
    rows = []
    groups = {"all families, mean": np.unique(drawings.groups)} | {name: [name] for name in (*TEST_FAMILIES, *COMPLETE)}
    for title, chosen in groups.items():
        masks = [drawings.groups == group for group in chosen if (drawings.groups == group).any()]
        for framing, name in enumerate(FRAMINGS[1:], 1):
            if masks:
                found = np.mean([drawings.found[mask, framing].mean() for mask in masks])
                right = [
                    (head.drawings[:, framing] == drawings.labels) & drawings.found[:, framing] for head in heads.values()
                ]  # fmt: skip
                shares = [np.mean([part[mask].mean() for mask in masks]) for part in right]
                rows.append((title, name, *_percent([found, *shares])))
    return table(("pictures of", "framing", "detected", *heads), "llr", rows)


def _emoji(glyphs: Views, heads: Mapping[str, HeadPredictions]) -> str:
    titles = [f"{title}: {kind}" for title in heads for kind in ("as one face", "detected and correct")]
    masks = {group: glyphs.groups == group for group in dict.fromkeys(glyphs.groups)} | {"**all**": glyphs.groups != ""}
    rows = []
    for group, mask in masks.items():
        values = [glyphs.found[mask, 1].mean()]
        for head in heads.values():
            assert head.emoji is not None
            right = head.emoji[mask] == glyphs.labels[mask, None]
            values += [right[:, 0].mean(), (right[:, 1] & glyphs.found[mask, 1]).mean()]
        rows.append((group, *_percent(values)))
    return table(("set", "detected", *titles), "lr", rows)


def _human(heads: Mapping[str, HeadPredictions]) -> str:
    rows = [(title, f"{one.human:.1%}", "" if one.alone is None else f"{one.alone:.1%}") for title, one in heads.items()]
    return table(("head", "accuracy", "without drawings"), "lr", rows)


def _percent(values: Iterable[float]) -> list[str]:
    return [f"{value:.1%}" for value in values]
