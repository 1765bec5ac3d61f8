"""Tables of a model card: accuracy by head and data set, confusion, quantization, reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..data.labels import VOTES
from ..data.sources import SOURCES, source_of

Entry = Mapping[str, Any]


def set_title(name: str) -> str:
    """Title of a test set, a key of `evaluation`."""
    if name == f"{VOTES}_test":
        return f"{source_of(VOTES).title} test, faces where one emotion has more than half of all votes"
    title = f"{source_of(name.removesuffix('_unseen').removesuffix('_test')).title} test"
    return f"{title} without faces repeated from an earlier split" if name.endswith("_unseen") else f"{title}, labels"


def accuracy_table(heads: Sequence[Entry]) -> str:
    """Metrics of every head on every set."""
    rows = [
        (entry["name"], set_title(name), f"{row['count']:,}", f"{row['accuracy']:.2%}",
         f"{row['interval'][0]:.2%} to {row['interval'][1]:.2%}", f"{row['macro_f1']:.3f}", f"{row['ece']:.3f}")
        for entry in heads for name, row in entry["evaluation"].items()
    ]  # fmt: skip
    columns = ("head", "test set", "faces", "accuracy", "95 % interval", "macro-F1", "calibration error")
    return table(columns, "llrrlrr", rows)


def group_tables(heads: Sequence[Entry]) -> Iterator[str]:
    """Balanced recall by group, a table for each set that has groups."""
    for name in [name for name, row in heads[0]["evaluation"].items() if "groups" in row]:
        kind = SOURCES[name.removesuffix("_test")].groups
        groups = list(heads[0]["evaluation"][name]["groups"])
        measured = [(entry["name"], entry["evaluation"][name]) for entry in heads]
        rows = [
            (head, *(f"{value:.1%}" for value in (*(row["groups"][group] for group in groups), row["balanced_recall"])))
            for head, row in measured
        ]
        text = f"Balanced recall on {set_title(name)}, by {kind}, over the classes of each:\n\n"
        yield text + table(("head", *groups, "mean"), "lr", rows)


def drawn_table(head: Entry) -> str:
    """Accuracy of the drawn-face head on each data set."""
    rows = [
        (set_title(name).removesuffix(" test, labels"), f"{row['count']:,}", "drawn" if row["drawn"] else "photographed",
         f"{row['accuracy']:.1%}", f"{row['interval'][0]:.1%} to {row['interval'][1]:.1%}")
        for name, row in head["evaluation"].items()
    ]  # fmt: skip
    return table(("test faces of", "faces", "kind", "accuracy", "95 % interval"), "lrlrl", rows)


def support_table(heads: Sequence[Entry]) -> str:
    """Number of test faces of each emotion in every set."""
    rows = [
        (set_title(name), *(f"{sum(counts):,}" for counts in row["confusion"]))
        for name, row in heads[0]["evaluation"].items()
    ]  # fmt: skip
    return table(("set", *EMOTIONS), "lr", rows)


def quantisation_table(heads: Sequence[Entry]) -> str:
    """Effect of int8 and float16 weights."""
    quantised = [(entry["name"], entry["quantisation"]) for entry in heads]
    rows = [(name, f"{1 - row['same_answers']:.2%}", f"{row['float32']:.2%}", f"{row['stored']:.2%}") for name, row in quantised]
    return table(("head", "changed predictions", "accuracy, float32", "as stored"), "lr", rows)


def confusion_table(metrics: Entry) -> str:
    """Confusion matrix with recall and F1 of each emotion; a dash for emotions without faces."""
    rows = []
    for index, (name, counts) in enumerate(zip(EMOTIONS, np.array(metrics["confusion"]), strict=True)):
        total = counts.sum()
        scores = (f"{counts[index] / total:.0%}", f"{metrics['f1'][index]:.2f}") if total else ("–", "–")
        rows.append((f"**{name}**", *counts.tolist(), *scores))
    return table(("", *EMOTIONS, "recall", "F1"), "lr", rows).replace("|  |", "| |", 1)


def reliability_table(entry: Entry) -> str:
    """Bins of a head's reliability diagram."""
    rows = [
        (f"{row['low']:.0%} to {row['high']:.0%}", row["count"], f"{row['confidence']:.1%}", f"{row['accuracy']:.1%}")
        for row in entry["reliability"]
    ]
    return table(("confidence", "predictions", "mean confidence", "accuracy"), "lr", rows)
