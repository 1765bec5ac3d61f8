"""Tables of a model card: accuracy by head and data set, confusion, quantization, reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..common.metrics import class_recall
from ..data.labels import VOTES
from ..data.sources import SOURCES, source_of
from .through_api import through_api

Entry = Mapping[str, Any]


def set_title(name: str) -> str:
    """Title of a test set, a key of `evaluation`."""
    if name == f"{VOTES}_test":
        return f"{source_of(VOTES).title} test, faces where one emotion has more than half of all votes"
    title = f"{source_of(name.removesuffix('_unseen').removesuffix('_test')).title} test"
    return f"{title} without faces repeated from an earlier split" if name.endswith("_unseen") else f"{title}, labels"


def accuracy_table(heads: Sequence[Entry]) -> str:
    """Metrics of every head on every set, with the accuracy through the API where any was measured."""
    measured = any(entry.get("through_api") for entry in heads)
    rows = []
    for entry in heads:
        for name, row in entry["evaluation"].items():
            served = through_api(entry, name)
            answered = [f"{served['accuracy']:.2%}" if served else "–"] if measured else []
            interval = f"{row['interval'][0]:.2%} to {row['interval'][1]:.2%}"
            scores = (f"{_balanced_recall(row):.1%}", f"{row['macro_f1']:.3f}", f"{row['ece']:.3f}")
            rows.append(
                (entry["name"], set_title(name), f"{row['count']:,}", f"{row['accuracy']:.2%}", interval, *answered, *scores)
            )
    columns = ("head", "test set", "faces", "accuracy", "95 % interval", *(["through the API"] if measured else []),
               "balanced recall", "macro-F1", "calibration error")  # fmt: skip
    return table(columns, "llrrlr", rows)


def _balanced_recall(row: Entry) -> float:
    """Balanced recall of a set; figures of earlier versions have it for sets with groups alone."""
    return row["balanced_recall"] if "balanced_recall" in row else float(np.nanmean(class_recall(np.array(row["confusion"]))))


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


def covered_table(head: Entry) -> str:
    """Share of the test faces that the covered-face head calls covered, and accuracy, by what was painted on them."""
    rows = [
        (kind, f"{row['faces']:,}", f"{row['covered']:.1%}", f"{row['accuracy']:.1%}")
        for kind, row in head["evaluation"]["test"].items()
    ]
    return table(("painted", "faces", "called covered", "accuracy"), "lrrr", rows)


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
