"""benchmarks/drawn.md: what `scripts.evaluate.drawn_faces` measured, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..common.metrics import balanced_recall
from ..synthetic.generate import TEST_FAMILIES, split_of

WAYS = ("crop", "alone", "canvas")
"""The drawing read as one face; uploaded as it is; uploaded as part of a larger picture."""
MARKS = {"test": "kept out", "validation": "validation"}
"""What the report calls the splits that the base never learnt from."""
ALONE = ("avataaars", "adventurer", "critters")
"""The families with all seven expressions."""


@dataclass
class Views:
    """What the service saw of pictures, each in the ways of WAYS: crops (N, ways, S, S) uint8, found (N, ways) bool.

    labels (N,) int; groups (N,) str: family or emoji set; features (N, ways, F) float32 of the crops, once they are made.
    """

    crops: np.ndarray
    found: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    features: np.ndarray = field(init=False, repr=False)


@dataclass
class Measured:
    """One kind of head: its answers (N, ways) to drawings and, where there were any, to emoji, and its accuracy on human
    validation faces.

    `alone`: that accuracy of the same head without drawings, None where there is no such head.
    """

    drawings: np.ndarray
    emoji: np.ndarray | None
    human: float
    alone: float | None = None


def report(
    command: str, count: int, base: Mapping[str, Any], seen: Views, glyphs: Views | None, measured: Mapping[str, Measured]
) -> str:
    """The Markdown text."""
    return "\n".join([
        f"# Drawn faces: base {base['name']} {base['version']}\n\n`{command}`\n",
        f"{len(seen.labels):,} pictures of {len(set(seen.groups))} families (X and X-neutral together) in {len(EMOTIONS)} "
        "expressions, of which a family has three to seven. Heads learn the base's features of "
        f"{count:,} other pictures, none of the family that is measured; `shipped` is the head as it is served. "
        "What the base itself learnt is in its card: *kept out* marks the families that nothing published ever learns, "
        "*validation* those that only chose; of the others neither the base nor the shipped head is innocent.\n",
        "## One family left out: balanced recall of the drawing read as one face\n",
        *_families(seen, measured),
        "\n## Uploaded pictures: share found, and share found and right\n",
        "The face counts as found where the crop of a detected face shows at least 80 % of what tells the expression.\n",
        *_uploads(seen, measured),
        *(["\n## Emoji (never learnt from): accuracy\n", *_emoji(glyphs, measured)] if glyphs else []),
        "\n## Human faces: accuracy on FER2013 validation, original labels\n",
        "Without drawings: a head that learnt none, on the same base. That base learnt drawings too; what it would read without them was\n"
        "not measured.\n",
        *_human(measured),
        "",
    ])  # fmt: skip


def _head(columns: list[str]) -> list[str]:
    return ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]


def _families(seen: Views, measured: Mapping[str, Measured]) -> Iterator[str]:
    yield from _head(["family", "expressions", *measured])
    table = []
    for group in np.unique(seen.groups):
        here = seen.groups == group
        values = [balanced_recall(seen.labels[here], one.drawings[here, 0]) for one in measured.values()]
        table.append(values)
        mark = f" ({MARKS[split]})" if (split := split_of(group)) in MARKS else ""
        yield f"| {group}{mark} | {len(set(seen.labels[here]))} | {_shares(values)} |"
    splits = np.array([split_of(group) for group in np.unique(seen.groups)])
    for split, mark in MARKS.items():
        if (splits == split).any():
            yield f"| **mean, {mark}** | | {_shares(np.mean(np.array(table)[splits == split], axis=0))} |"
    yield f"| **mean of all families** | | {_shares(np.mean(table, axis=0))} |"


def _uploads(seen: Views, measured: Mapping[str, Measured]) -> Iterator[str]:
    yield from _head(["pictures of", "way", "found", *measured])
    groups = {"all families, mean": np.unique(seen.groups)} | {name: [name] for name in (*TEST_FAMILIES, *ALONE)}
    for title, chosen in groups.items():
        masks = [seen.groups == group for group in chosen if (seen.groups == group).any()]
        for way, name in enumerate(WAYS[1:], 1):
            if masks:
                found = np.mean([seen.found[mask, way].mean() for mask in masks])
                right = [(one.drawings[:, way] == seen.labels) & seen.found[:, way] for one in measured.values()]
                shares = [np.mean([part[mask].mean() for mask in masks]) for part in right]
                yield f"| {title} | {name} | {_shares([found, *shares])} |"


def _emoji(glyphs: Views, measured: Mapping[str, Measured]) -> Iterator[str]:
    titles = [f"{title}: {way}" for title in measured for way in ("as one face", "found and right")]
    yield from _head(["set", "found", *titles])
    masks = {group: glyphs.groups == group for group in dict.fromkeys(glyphs.groups)} | {"**all**": glyphs.groups != ""}
    for group, mask in masks.items():
        values = [glyphs.found[mask, 1].mean()]
        for one in measured.values():
            assert one.emoji is not None  # measured where glyphs are
            right = one.emoji[mask] == glyphs.labels[mask, None]
            values += [right[:, 0].mean(), (right[:, 1] & glyphs.found[mask, 1]).mean()]
        yield f"| {group} | {_shares(values)} |"


def _human(measured: Mapping[str, Measured]) -> Iterator[str]:
    yield from _head(["head", "accuracy", "without drawings"])
    for title, one in measured.items():
        yield f"| {title} | {one.human:.1%} | {'' if one.alone is None else f'{one.alone:.1%}'} |"


def _shares(values) -> str:
    return " | ".join(f"{value:.1%}" for value in values)
