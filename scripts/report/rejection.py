"""What `scripts.evaluate.rejection` measured, as benchmarks/doubts.md and its chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.plotting import svg_plots
from ..data.labels import LABELS, VOTES
from ..data.sources import source_of

SPLITS = ("validation", "test")
KINDS = {"plain": "as they are", "small": "made small", "blurred": "blurred"}
UNITS = {"turned": "more than {} degrees of yaw", "small": "less than {} pixels a side", "blurred": "sharpness below {}",
         "low_confidence": "confidence below {}"}  # fmt: skip


def title(truth: str) -> str:
    """By what answers are measured, in words."""
    if truth == LABELS:
        return "labels"
    return f"{source_of(truth).title} {'majorities' if truth == VOTES else 'labels'}"


def write_report(report: Mapping[str, Mapping[str, Any]], head: str, folder: Path) -> Path:
    """Write doubts.md, with every head's thresholds and the figures of `head`, and doubts.svg; gives the former's path."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(report[head], folder / "doubts.svg")
    path = folder / "doubts.md"
    path.write_text(markdown(report, head))
    return path


def markdown(report: Mapping[str, Mapping[str, Any]], head: str) -> str:
    """The report's text."""
    shown = report[head]
    label_sets = {name: title(name) for name in shown["test"]["plain"]}
    lines = [
        f"# When an answer is marked unsure (head `{head}`)\n",
        "    python -m scripts.evaluate.rejection --write\n",
        "Faces set into larger pictures and read by the product as it is served: detectors, aligned crop, int8 files.",
        "Those that no detector found are left out. Thresholds are chosen on validation, where answers become more often wrong",
        "than right, or one and a half times as often wrong as those for all validation faces, whichever comes first; all that",
        "is told of test is only reported. Where a face has two label_sets, each counts half for a head that learned both.\n",
        "## Thresholds\n",
        "| head | " + " | ".join(f"`{name}`" for name in UNITS) + " |",
        "| --- |" + " --- |" * len(UNITS),
    ]
    for name, row in report.items():
        limits = (UNITS[doubt].format(row["thresholds"][doubt]) if doubt in row["thresholds"] else "off" for doubt in UNITS)
        lines.append(f"| `{name}` | " + " | ".join(limits) + " |")
    lines += [
        "\n## What the marks are worth\n",
        "| split | pictures | truth | faces | all | answered as sure | right among them | right among the marked |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for split in SPLITS:
        for kind, meaning in KINDS.items():
            for truth, name in label_sets.items():
                row = shown[split][kind][truth]
                lines.append(f"| {split} | {meaning} | {name} | {row['count']:,} | {told(row['accuracy'])} | "
                             f"{told(row['sure']['share'])} | {told(row['sure']['accuracy'])} | "
                             f"{told(_marked(row))} |")  # fmt: skip
    lines += [
        "\n## Reason by reason (test)\n",
        "Each answer counts under the first reason that applies.\n",
        "| pictures | reason | " + " | ".join(f"faces | right by {name}" for name in label_sets.values()) + " |",
        "| --- | --- |" + " ---: | ---: |" * len(label_sets),
    ]
    for kind, meaning in KINDS.items():
        for name in UNITS:
            cells = [shown["test"][kind][truth]["marked"].get(name) for truth in label_sets]
            if any(cells):
                shares = (f"{cell['count']:,} | {told(cell['accuracy'])}" if cell else "0 | –" for cell in cells)
                lines.append(f"| {meaning} | `{name}` | " + " | ".join(shares) + " |")
    lines += [
        "\n## Accuracy against share answered\n",
        "If only the most confident answers counted:\n",
        "![Accuracy against the share of faces that are answered](doubts.svg)\n",
        "| share answered | " + " | ".join(f"{split}, {name}" for split in SPLITS for name in label_sets.values()) + " |",
        "| ---: |" + " ---: |" * 2 * len(label_sets),
    ]
    curves = [shown[split]["plain"][truth]["curve"] for split in SPLITS for truth in label_sets]
    for points in zip(*curves, strict=True):
        lines.append(f"| {points[0]['answered']:.0%} | " + " | ".join(told(point["accuracy"]) for point in points) + " |")
    return "\n".join(lines) + "\n"


def draw(shown: Mapping[str, Any], path: Path) -> None:
    """Write the chart: both splits' curves by both label_sets, and where the marks put the product on test."""
    with svg_plots() as pyplot:
        figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
        for truth, colour in zip(shown["test"]["plain"], ("#0072b2", "#d55e00"), strict=False):
            for split, line in (("validation", ":"), ("test", "-")):
                points = shown[split]["plain"][truth]["curve"]
                axes.plot([100 * point["answered"] for point in points], [100 * point["accuracy"] for point in points], line,
                          color=colour, label=f"{title(truth)}, {split}")  # fmt: skip
            sure = shown["test"]["plain"][truth]["sure"]
            if sure["accuracy"] is not None:
                label = f"{title(truth)}, test: answers marked sure"
                axes.plot(100 * sure["share"], 100 * sure["accuracy"], "o", color=colour, label=label)
        axes.invert_xaxis()
        axes.set_xlabel("share of faces answered, %")
        axes.set_title("right answers, %", loc="left")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=7, loc="lower right")
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _marked(row: Mapping[str, Any]) -> float | None:
    """Accuracy among all marked answers of one truth's figures."""
    count = sum(one["count"] for one in row["marked"].values())
    return sum(one["count"] * one["accuracy"] for one in row["marked"].values()) / count if count else None


def told(value: float | None) -> str:
    """A share in per cent, or a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"
