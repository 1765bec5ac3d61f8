"""Report of `scripts.evaluate.heads`: benchmarks/heads.md."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..common.metrics import confusion
from ..synthetic.heads.dataset.reader import LEVELS, NEUTRAL, bin_numbers
from .heads_results import (
    MISSED,
    STRENGTHS,
    HeadResults,
    character_recalls,
    family_masks,
    masked_recall,
    percent,
    strength_curve,
)

MARKS = {"test": "held out", "validation": "validation"}
"""Names of the splits whose families no published model is trained on."""
YAWS, PITCHES = (0, 10, 20, 30, 90), (-90, -10, -3, 3, 10, 90)
"""Edges of bins, in degrees."""
QUANTILES = (0, 0.1, 0.5, 0.9, 1)
WORST = 10
"""Characters with the lowest recall that are named."""
GOALS = {"full": 0.8, "half": 0.6}
FOUND_GOAL = 0.95


def report_text(report: HeadResults, name: str) -> str:
    """Text of the report; `name` is the name of its pictures without ending."""
    goals = " / ".join(f"{GOALS[level]:.0%}" for level in LEVELS)
    return f"""{_opening(report)}
## Summary

Goals: {FOUND_GOAL:.0%} found; held-out families, families left out: {goals}.

{_summary(report)}

## Families

{_families(report)}

## Emotions

{_emotions(report)}

## Strength

Mean recall over the six emotions other than neutral, and how often `{_first(report)}` takes the expression for a neutral one.

![Recall against strength]({name}.svg)

{_strengths(report)}

## Pose

{_poses(report)}

## Recipes

Most frequent error at full strength of `{_first(report)}`.

{_recipes(report)}

## Characters

{_characters(report)}

{_whole(report, name)}## Confusion

Rows are true classes, columns predicted ones.

{_confusions(report)}
"""


def _opening(report: HeadResults) -> str:
    """Title, command and set, and what the figures mean."""
    heads = report.heads
    levels = " and ".join(f"{name} ({low:.0%} to {high:.0%})" for name, (low, high) in LEVELS.items())
    counts = [len(np.unique(values)) for values in (heads.faces.groups, heads.families, heads.recipes)]
    designs = " and ".join(dict.fromkeys(title.split(",")[0] for title in report.learned))
    return f"""# Rendered heads: backbone {report.title}

`{report.command}`

The set: {report.about_set}.

{len(heads):,} pictures of {counts[0]:,} characters in {counts[1]} families of style, {counts[2]} recipes of expressions.
Cells with two figures are at {levels} strength; a neutral face belongs to both.
Figures are balanced recall (mean over the emotions) unless another is named. *Held out* marks the families that nothing is
trained on or chosen with, *validation* those that serve choices.

`served` heads are the published ones, trained on {report.trained_on}.
The other heads ({designs} design) learn the features of rendered faces and of {report.human:,} photographs with FER2013's
labels. *Families left out*: a face is classified by a head that saw all other families. *Characters left out*: by a head that
saw other characters of all families ({report.folds} folds of whole characters, each with its share of every family).
"""


def _first(report: HeadResults) -> str:
    return next(iter(report.served))


def _summary(report: HeadResults) -> str:
    heads, rows = report.heads, []
    splits: tuple[str | None, ...] = (*MARKS, "train", None)
    for part in splits:
        masks = family_masks(heads, part).values()
        if masks:
            name = "all" if part is None else MARKS.get(part, "others")
            pairs = ([report.family_means(one, level, part) for level in LEVELS] for one in report.columns.values())
            found = float(np.mean([heads.found[mask].mean() for mask in masks]))
            rows.append((name, len(masks), percent(found), *(" / ".join(map(percent, pair)) for pair in pairs)))
    return table(("mean over families", "families", "found", *report.columns), "lr", rows)


def _families(report: HeadResults) -> str:
    heads, rows = report.heads, []
    for family, mask in family_masks(heads).items():
        split = str(heads.faces.splits[mask][0])
        mark = f" ({MARKS[split]})" if split in MARKS else ""
        rows.append((f"{family}{mark}", f"{mask.sum():,}", percent(heads.found[mask].mean()), *report.levels(mask)))
    return table(("family", "pictures", "found", *report.columns), "lr", rows)


def _emotions(report: HeadResults) -> str:
    heads = report.heads
    masks = {emotion: heads.emotions == number for number, emotion in enumerate(EMOTIONS)}
    rows = [
        (emotion, f"{mask.sum():,}", percent(heads.found[mask].mean()), *report.levels(mask))
        for emotion, mask in masks.items()
        if mask.any()
    ]
    return table(("recall of", "pictures", "found", *report.columns), "lr", rows)


def _strengths(report: HeadResults) -> str:
    heads, first = report.heads, next(iter(report.served.values()))
    numbers, shown = bin_numbers(heads.strengths, STRENGTHS), heads.emotions != NEUTRAL
    curves, rows = [strength_curve(heads, predicted) for predicted in report.columns.values()], []
    for number, (low, high) in enumerate(zip(STRENGTHS, STRENGTHS[1:], strict=False)):
        mask = shown & (numbers == number)
        neutral = percent(float((first[mask] == NEUTRAL).mean())) if mask.any() else "–"
        rows.append((f"{low:.1f} to {high:.1f}", f"{mask.sum():,}", neutral, *(percent(curve[number]) for curve in curves)))
    return table(("strength", "pictures", "called neutral", *report.columns), "lr", rows)


def _poses(report: HeadResults) -> str:
    heads, rows = report.heads, []
    for name, values, edges in (
        ("yaw to either side", np.abs(heads.poses[:, 0]), YAWS),
        ("pitch (up)", heads.poses[:, 1], PITCHES),
    ):
        numbers = bin_numbers(values, edges)
        for number, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
            mask = numbers == number
            if mask.any():
                limits = f"below {high}°" if low == -90 else f"above {low}°" if high == 90 else f"{low}° to {high}°"
                rows.append((name, limits, f"{mask.sum():,}", percent(heads.found[mask].mean()), *report.levels(mask)))
    return table(("pose", "degrees", "pictures", "found", *report.columns), "llr", rows)


def _recipes(report: HeadResults) -> str:
    heads, first = report.heads, next(iter(report.served.values()))
    rows = []
    for emotion, name in enumerate(EMOTIONS):
        for recipe in np.unique(heads.recipes[heads.emotions == emotion]):
            mask = (heads.recipes == recipe) & (heads.emotions == emotion)
            error = _commonest_error(emotion, first[mask & heads.at_level("full")])
            rows.append((name, recipe, f"{mask.sum():,}", percent(heads.found[mask].mean()), *report.levels(mask), error))
    return table(("emotion", "recipe", "pictures", "found", *report.columns, "taken for"), "llr", rows)


def _commonest_error(emotion: int, predicted: np.ndarray) -> str:
    counts = np.bincount(predicted[predicted != emotion], minlength=len(EMOTIONS))
    return f"{EMOTIONS[counts.argmax()]} ({counts.max() / len(predicted):.0%})" if counts.any() else ""


def _characters(report: HeadResults) -> str:
    first = character_recalls(report, next(iter(report.served.values())))
    left_out = {title: one for title, one in report.learned.items() if "characters left out" in title}
    learned = character_recalls(report, next(iter(left_out.values()))) if left_out else {}
    rows = []
    for family in sorted({family for family, _, _ in first.values()}):
        counts = [count for name, count, _ in first.values() if name == family]
        cells = []
        for recalls in filter(None, (first, learned)):
            values = [recall for name, _, recall in recalls.values() if name == family]
            cells.append(" / ".join(f"{value:.0%}" for value in np.quantile(values, QUANTILES)))
        rows.append((family, len(counts), f"{np.median(counts):.0f}", *cells))
    columns = ("family", "characters", "faces of one (median)", _first(report), *list(left_out)[:1])
    worst = sorted(first.items(), key=lambda item: item[1][2])[:WORST]
    named = ", ".join(f"{character} {recall:.0%} of {count}" for character, (_, count, recall) in worst)
    return (
        "Balanced recall of a character over its labelled faces of all strengths: minimum / 10th percentile / median / 90th\n"
        f"percentile / maximum.\n\n{table(columns, 'lr', rows)}\n\nLowest with `{_first(report)}`: {named}."
    )


def _whole(report: HeadResults, name: str) -> str:
    if report.whole is None:
        return ""
    whole, rows = report.whole, []
    heads = report.heads.where(whole.rows)
    everything = {"**all**": np.ones(len(heads), bool)}
    for family, mask in (family_masks(heads) | everything).items():
        found, full = heads.found[mask].mean(), mask & heads.at_level("full")
        cells: list[float | None] = []
        for title, predicted in whole.predicted.items():
            seen = np.where(heads.found, predicted, MISSED)
            cells += [masked_recall(heads, one, full) for one in (seen, report.served[title][whole.rows])]
        rows.append((family, f"{mask.sum():,}", percent(whole.detected[mask].mean()), percent(found), *map(percent, cells)))
    columns = [f"{title}: {kind}" for title in whole.predicted for kind in ("whole picture", "crop of the table")]
    made = table(("family", "pictures", "any face detected", "face found", *columns), "lr", rows)
    return f"""## Whole pictures

Pictures as a user would upload them. A face counts as found if the crop of a detection agrees with the head's own landmarks.
The heads' figures are at full strength, and a face that was not found counts as wrong. Crops of the table are jittered and
degraded; where no face was found they are framed by the landmarks.

{made}

![Right and wrong predictions]({name}.jpg)

"""


def _confusions(report: HeadResults) -> str:
    shown = [next(iter(report.served.items())), *list(report.learned.items())[:1]]
    return "\n\n".join(part for title, predicted in shown for part in _confusion_tables(report, title, predicted))


def _confusion_tables(report: HeadResults, title: str, predicted: np.ndarray) -> Iterator[str]:
    for level in LEVELS:
        mask = report.heads.at_level(level)
        matrix = confusion(report.heads.emotions[mask], predicted[mask])
        rows = [
            (f"**{name}**", *(f"{count:,}" for count in row), percent(row[number] / row.sum()))
            for number, (name, row) in enumerate(zip(EMOTIONS, matrix, strict=True))
            if row.any()
        ]
        yield f"### {title}, {level} strength\n\n{table(('', *EMOTIONS, 'recall'), 'lr', rows)}"
