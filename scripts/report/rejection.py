"""Report of `scripts.evaluate.rejection`: benchmarks/rejection.md and its chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..common.markdown import table
from ..common.plotting import svg_plots
from ..data.labels import LABELS, VOTES
from ..data.sources import source_of

SPLITS = ("validation", "test")
KINDS = {"plain": "unchanged", "small": "reduced", "blurred": "blurred"}
KIND_COLUMNS = ("split", "pictures", "label set", "faces", "accuracy", "coverage", "accuracy, accepted", "accuracy, rejected")
UNITS = {"turned": "more than {} degrees of yaw", "small": "less than {} pixels a side", "blurred": "sharpness below {}",
         "low_confidence": "confidence below {}"}  # fmt: skip


def title(label_set: str) -> str:
    """Title of a label set."""
    if label_set == LABELS:
        return "labels"
    return f"{source_of(label_set).title} {'majorities' if label_set == VOTES else 'labels'}"


def write_report(report: Mapping[str, Mapping[str, Any]], head: str, folder: Path) -> Path:
    """Write rejection.md, with thresholds of all heads and metrics of `head`, and rejection.svg; return the path of the
    former.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw(report[head], folder / "rejection.svg")
    path = folder / "rejection.md"
    path.write_text(markdown(report, head), encoding="utf-8")
    return path


def markdown(report: Mapping[str, Mapping[str, Any]], head: str) -> str:
    """Text of the report."""
    shown = report[head]
    titles = {name: title(name) for name in shown["test"]["plain"]}
    thresholds = [
        (f"`{name}`", *(UNITS[one].format(row["thresholds"][one]) if one in row["thresholds"] else "off" for one in UNITS))
        for name, row in report.items()
    ]
    columns = [column for name in titles.values() for column in ("faces", f"accuracy, {name}")]
    return f"""# Rejection: when a prediction is marked unsure (head `{head}`)

    python -m scripts.evaluate.rejection --write

Faces set into larger pictures and classified as served: detectors, aligned crop, int8 files. Faces that no detector found are
left out. Thresholds are chosen on validation, where predictions become more often wrong than right, or one and a half times as
often wrong as for all validation faces, whichever comes first; test is only reported. If a face has two labels, each counts
half for a head that was trained on both.

## Thresholds

{table(("head", *(f"`{name}`" for name in UNITS)), "l", thresholds)}

## Accuracy of accepted and of rejected predictions

{table(KIND_COLUMNS, "lllr", _kind_rows(shown, titles))}

## By reason (test)

Each prediction counts under the first reason that applies.

{table(("pictures", "reason", *columns), "llr", _reasons(shown, titles))}

## Accuracy against coverage

If only the most confident predictions were accepted:

![Accuracy against coverage](rejection.svg)

{table(("coverage", *(f"{split}, {name}" for split in SPLITS for name in titles.values())), "r", _curve_rows(shown, titles))}
"""


def _kind_rows(shown: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for split in SPLITS:
        for kind, meaning in KINDS.items():
            for label_set, name in titles.items():
                row = shown[split][kind][label_set]
                shares = (row["accuracy"], row["sure"]["share"], row["sure"]["accuracy"], _rejected_accuracy(row))
                yield split, meaning, name, f"{row['count']:,}", *map(percent, shares)


def _reasons(shown: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for kind, meaning in KINDS.items():
        for name in UNITS:
            cells = [shown["test"][kind][label_set]["marked"].get(name) for label_set in titles]
            if any(cells):
                pairs = ((f"{cell['count']:,}", percent(cell["accuracy"])) if cell else ("0", "–") for cell in cells)
                yield meaning, f"`{name}`", *(value for pair in pairs for value in pair)


def _curve_rows(shown: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    curves = [shown[split]["plain"][label_set]["curve"] for split in SPLITS for label_set in titles]
    for points in zip(*curves, strict=True):
        yield f"{points[0]['answered']:.0%}", *(percent(point["accuracy"]) for point in points)


def draw(shown: Mapping[str, Any], path: Path) -> None:
    """Write the chart: accuracy against coverage on both splits, and the operating point on test."""
    with svg_plots() as pyplot:
        figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
        for label_set, colour in zip(shown["test"]["plain"], ("#0072b2", "#d55e00"), strict=False):
            for split, line in (("validation", ":"), ("test", "-")):
                points = shown[split]["plain"][label_set]["curve"]
                axes.plot([100 * point["answered"] for point in points], [100 * point["accuracy"] for point in points], line,
                          color=colour, label=f"{title(label_set)}, {split}")  # fmt: skip
            sure = shown["test"]["plain"][label_set]["sure"]
            if sure["accuracy"] is not None:
                label = f"{title(label_set)}, test: answers marked sure"
                axes.plot(100 * sure["share"], 100 * sure["accuracy"], "o", color=colour, label=label)
        axes.invert_xaxis()
        axes.set_xlabel("share of faces answered, %")
        axes.set_title("right answers, %", loc="left")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=7, loc="lower right")
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _rejected_accuracy(row: Mapping[str, Any]) -> float | None:
    """Accuracy of all rejected predictions."""
    count = sum(one["count"] for one in row["marked"].values())
    return sum(one["count"] * one["accuracy"] for one in row["marked"].values()) / count if count else None


def percent(value: float | None) -> str:
    """A share in per cent, or a dash for None."""
    return "–" if value is None else f"{value:.1%}"
