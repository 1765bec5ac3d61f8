"""Model card of the text model: Markdown rendered from its manifest entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emotions.labels import EMOTIONS

from ..common.git import commit
from ..report.card import render

TITLES = {
    "goemotions_dev": "GoEmotions dev (thresholds were chosen on it)",
    "goemotions_test": "GoEmotions test",
    "meld_test": "MELD test, not trained on",
}
"""Titles of the test sets."""


def write_card(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Write the card that the manifest entry names into `folder`; return its path."""
    reports = {TITLES.get(name, name): report for name, report in entry["evaluation"].items()}
    context = {
        "entry": entry,
        "commit": commit(),
        "summary_rows": [summary_row(title, report) for title, report in reports.items()],
        "class_rows": [(title, list(class_rows(report, entry["thresholds"]))) for title, report in reports.items()],
        "single_label_rows": list(single_label_rows(reports)),
        "behavior_rows": [(name, f"{count}", f"{passed / count:.0%}") for name, (passed, count) in entry["behavior"].items()],
        "quantisation": entry["quantisation"],
    }
    path = folder / entry["card"]
    path.write_text(render("text_card.md.j2", context), encoding="utf-8")
    return path


def summary_row(title: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    """Row of a test set in the table of macro-F1."""
    low, high = report["interval"]
    return title, f"{report['count']:,}", f"{report['macro_f1']:.3f}", f"{low:.3f} to {high:.3f}", f"{report['refused']:.2%}"


def class_rows(report: Mapping[str, Any], thresholds: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    """Rows of a test set's table by class: threshold, number of texts, precision, recall and F1."""
    for emotion in EMOTIONS:
        metrics = (f"{report[metric][emotion]:.3f}" for metric in ("precision", "recall", "f1"))
        yield emotion, f"{thresholds[emotion]:.2f}", f"{report['texts'][emotion]:,}", *metrics


def single_label_rows(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Rows of the metrics of the predicted `emotion`, for test sets with one label a text."""
    for title, report in reports.items():
        if one := report.get("single"):
            yield title, f"{one['accuracy']:.1%}", f"{one['macro_f1']:.3f}", f"{one['weighted_f1']:.3f}"
