"""Parts of a model card that were measured through the API: recall by emotion, detection, and groups of people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..common.metrics import class_recall
from ..data.labels import VOTES

Entry = Mapping[str, Any]


def through_api(head: Entry, name: str) -> Entry | None:
    """Metrics of a head on a test set through the API; None where they were not measured."""
    return head.get("through_api", {}).get(name)


def views_text(row: Entry) -> str:
    """Number of views of each face over which the server averaged."""
    return "one view" if row["views"] == 1 else f"the mean of {row['views']} views"


def quoted(head: Entry, name: str) -> Entry:
    """Metrics to quote of a head on a test set: those through the API where they were measured, else those of the table."""
    return through_api(head, name) or head["evaluation"][name]


def served_table(heads: Sequence[Entry], title: Callable[[str], str]) -> str:
    """Metrics through the API of every head on every set that was measured so; "" without. `title` names a set."""
    rows = [
        (entry["name"], title(name), f"{row['accuracy']:.2%}", f"{row['interval'][0]:.2%} to {row['interval'][1]:.2%}",
         f"{row['balanced_recall']:.1%}", f"{row['macro_f1']:.3f}", f"{row['ece']:.3f}")
        for entry in heads for name, row in entry.get("through_api", {}).items()
    ]  # fmt: skip
    columns = ("head", "test set", "accuracy", "95 % interval", "balanced recall", "macro-F1", "calibration error")
    return table(columns, "llr", rows) if rows else ""


def recall_table(head: Entry) -> str:
    """Recall by emotion of a head on each set that was measured through the API, beside that of the table; "" without."""
    rows = []
    for name in head.get("through_api", {}):
        if name.endswith("_unseen"):
            continue
        labels = "FER+ majorities" if name == f"{VOTES}_test" else "labels"
        for where, row in (("as they lie", head["evaluation"].get(name)), ("through the API", through_api(head, name))):
            if row:
                recalls = class_recall(np.array(row["confusion"]))
                cells = ("–" if np.isnan(recall) else f"{recall:.1%}" for recall in recalls)
                rows.append((labels, where, *cells, f"{np.nanmean(recalls):.1%}"))
    return table(("test faces by", "measured", *EMOTIONS, "mean"), "llr", rows) if rows else ""


def detection_text(head: Entry) -> str:
    """What the default detector makes of the test faces of a head, in a sentence; "" where it was not measured."""
    found = {name: row["found"] for name, row in head.get("through_api", {}).items() if "found" in row}
    parts = [
        f"{row['faces']['share']:.1%} of the {row['faces']['count']:,} faces with "
        f"{'a clear FER+ majority' if name == f'{VOTES}_test' else 'a label'} (right on {row['right']['share']:.1%})"
        for name, row in found.items()
        if not name.endswith("_unseen")
    ]
    if not parts:
        return ""
    return (
        f"The default detector, for which a face that fills its picture is hard, finds {' and '.join(parts)}; in brackets the "
        f"accuracy of `{head['name']}` with faces that are not found counted as wrong."
    )


def group_table(portraits: Entry) -> str:
    """Share of the photographs of each label that are called so, and of the faces found, by group of people."""
    labels = list(portraits["rows"][0]["labels"])
    rows = [
        (row["by"], row["group"], row["people"], *(shown(row["labels"].get(label)) for label in labels), shown(row["found"]))
        for row in portraits["rows"]
    ]
    return table(("by", "group", "people", *map(called, labels), "faces found"), "llr", rows)


def called(label: str) -> str:
    """Title of the share of one label, such as "smiles called happy"."""
    return "smiles called happy" if label == "happy" else f"{label} called {label}"


def shown(share: Entry | None) -> str:
    """A share with its interval, such as "82.0% (69% to 90%)"; a dash without one."""
    if share is None:
        return "–"
    low, high = share["interval"]
    return f"{share['share']:.1%} ({low:.0%} to {high:.0%})"


def row_of(portraits: Entry, by: str, group: str) -> Entry:
    """The row of a group. Raises LookupError if it was not measured."""
    return next(row for row in portraits["rows"] if (row["by"], row["group"]) == (by, group))


def has_sexes(portraits: Entry) -> bool:
    """True if smiles of women and of men were measured."""
    return "happy" in portraits.get("differences", {})


def smiles_text(portraits: Entry) -> str:
    """Sentence on smiles of women and men, if `has_sexes`."""
    women, men = (row_of(portraits, "sex", group)["labels"]["happy"]["share"] for group in ("women", "men"))
    return (
        f"In frontal studio photographs of {portraits['people']} adults (Face Research Lab London Set) {women:.0%} of the "
        f"women's smiles and {men:.0%} of the men's are called happy"
    )


def p_value(difference: Entry) -> str:
    """The p-value of a difference, such as "p = 0.012"."""
    return "p < 0.001" if difference["p"] < 0.001 else f"p = {difference['p']:.3f}"


def difference_lines(portraits: Entry) -> Iterator[str]:
    """A line on the difference between women and men for each label."""
    for label, row in portraits["differences"].items():
        yield (
            f"{called(label)[0].upper()}{called(label)[1:]}, women minus men: {100 * row['difference']:+.1f} points, "
            f"{p_value(row)} (two-sided permutation test over people, {row['draws']:,} draws)."
        )


def calibration_table(portraits: Entry) -> str:
    """Mean confidence, accuracy and calibration error of women and of men, and the accuracy in each bin of confidence."""
    bins = sorted({(one["low"], one["high"]) for row in portraits["calibration"] for one in row["reliability"]})
    rows = []
    for row in portraits["calibration"]:
        cells = {(one["low"], one["high"]): f"{one['accuracy']:.0%} of {one['count']}" for one in row["reliability"]}
        rows.append(
            (row["group"], row["count"], f"{row['confidence']:.1%}", f"{row['accuracy']:.1%}", f"{row['ece']:.3f}",
             *(cells.get(place, "–") for place in bins))
        )  # fmt: skip
    titles = [f"right at {low:.0%} to {high:.0%}" for low, high in bins]
    return table(("photographs of", "faces", "mean confidence", "accuracy", "calibration error", *titles), "lr", rows)
