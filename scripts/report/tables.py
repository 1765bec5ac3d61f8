"""The tables of a model card: accuracy by head and data set, confusion, what smaller weights changed, reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..data.labels import VOTES
from ..data.sources import SOURCES, source_of
from .failures import served
from .reliability import FEW, chart_of

Entry = Mapping[str, Any]


def set_title(name: str) -> str:
    """A key of a manifest's `evaluation` in words."""
    if name == f"{VOTES}_test":
        return f"{source_of(VOTES).title} test, faces where one emotion has more than half of all votes"
    title = f"{source_of(name.removesuffix('_unseen').removesuffix('_test')).title} test"
    return f"{title} without faces repeated from an earlier split" if name.endswith("_unseen") else f"{title}, labels"


def accuracy_table(heads: Sequence[Entry]) -> str:
    """A row for every head on every set."""
    lines = ["| head | measured on | faces | accuracy | 95 % interval | macro-F1 | calibration error |",
             "| --- | --- | ---: | ---: | --- | ---: | ---: |"]  # fmt: skip
    for entry in heads:
        for name, row in entry["evaluation"].items():
            low, high = row["interval"]
            lines.append(f"| {entry['name']} | {set_title(name)} | {row['count']:,} | {row['accuracy']:.2%} | "
                         f"{low:.2%} to {high:.2%} | {row['macro_f1']:.3f} | {row['ece']:.3f} |")  # fmt: skip
    return "\n".join(lines)


def by_group(heads: Sequence[Entry]) -> Iterator[str]:
    """Balanced recall of every group of the sets that have such, and the mean over groups."""
    for name in [name for name, row in heads[0]["evaluation"].items() if "groups" in row]:
        kind = SOURCES[name.removesuffix("_test")].groups
        groups = list(heads[0]["evaluation"][name]["groups"])
        lines = [
            f"Balanced recall of {set_title(name)}, by {kind}, over the classes that each has:\n",
            "| head | " + " | ".join(groups) + " | mean |", "| --- |" + " ---: |" * (len(groups) + 1),
        ]  # fmt: skip
        for entry in heads:
            row = entry["evaluation"][name]
            cells = [*(row["groups"][group] for group in groups), row["balanced_recall"]]
            lines.append(f"| {entry['name']} | " + " | ".join(f"{value:.1%}" for value in cells) + " |")
        yield "\n".join(lines)


def support_table(heads: Sequence[Entry]) -> str:
    """How many test faces of each emotion every set has."""
    lines = ["| set | " + " | ".join(EMOTIONS) + " |", "| --- |" + " ---: |" * len(EMOTIONS)]
    for name, row in heads[0]["evaluation"].items():
        lines.append(f"| {set_title(name)} | " + " | ".join(f"{sum(counts):,}" for counts in row["confusion"]) + " |")
    return "\n".join(lines)


def quantisation_table(heads: Sequence[Entry]) -> str:
    """What int8 and float16 weights changed."""
    lines = ["| head | answers changed | accuracy, float32 | as stored |", "| --- | ---: | ---: | ---: |"]
    for entry in heads:
        row = entry["quantisation"]
        lines.append(f"| {entry['name']} | {1 - row['same_answers']:.2%} | {row['float32']:.2%} | {row['stored']:.2%} |")
    return "\n".join(lines)


def confusion_table(figures: Entry) -> str:
    """Markdown of an evaluation's confusion matrix with recall and F1 of each emotion; a dash where no face has it."""
    matrix = np.array(figures["confusion"])
    lines = ["| | " + " | ".join(EMOTIONS) + " | recall | F1 |", "| --- |" + " ---: |" * (len(EMOTIONS) + 2)]
    for index, name in enumerate(EMOTIONS):
        counts, total = matrix[index], matrix[index].sum()
        measures = f"{counts[index] / total:.0%} | {figures['f1'][index]:.2f}" if total else "– | –"
        lines.append(f"| **{name}** | " + " | ".join(map(str, counts.tolist())) + f" | {measures} |")
    return "\n".join(lines)


def reliability(base: Entry, heads: Sequence[Entry]) -> Iterator[str]:
    """The calibration plot of all heads, and the bins of the served one as a table."""
    if chart_of(base) in base.get("pictures", ()):
        yield f"![Reliability diagrams: accuracy against confidence on validation, a head each]({chart_of(base)})"
        yield ("Measured on validation, where the temperature was fitted. Columns: the share that was right, pale for fewer\n"
               f"than {FEW} faces; dots: at the mean confidence; dashed: where words and deeds agree.")  # fmt: skip
    entry = served(heads)
    lines = [f"Head `{entry['name']}`, temperature {entry['temperature']}:\n",
             "| confidence | answers | mean confidence | right |", "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for row in entry["reliability"]:
        shares = f"{row['confidence']:.1%} | {row['accuracy']:.1%}"
        lines.append(f"| {row['low']:.0%} to {row['high']:.0%} | {row['count']} | {shares} |")
    yield "\n".join(lines)
