"""Calibration plot of a model card: an SVG with a reliability diagram for each head, reproducible byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from emotions.runtime.manifest import ModelRegistry

from ..common.manifest import put_entry

SIDE, MARGIN, TOP, GAP = 200, 34, 30, 24  # pixels of a diagram, left of and above it, and between two
MIN_BIN = 20
"""Faces in a bin below which its accuracy has a standard error of more than 10 points: such bars are pale."""


def draw_reliability(folder: Path, base: str) -> None:
    """Write the plot of a backbone's heads and add it to the backbone's `pictures` in the manifest."""
    registry = ModelRegistry(folder)
    entry = registry.entry("expression-base", base).metadata
    heads = [one.metadata for one in registry.entries("expression-head") if one.base == base and one.reliability]
    if heads:
        name = chart_of(entry)
        (folder / name).write_text(reliability_svg(heads), encoding="utf-8")
        put_entry(folder, {**entry, "pictures": sorted({*entry.get("pictures", ()), name})}, folder / entry["file"])


def chart_of(base: Mapping[str, Any]) -> str:
    """File name of the plot."""
    return f"{base['name']}-{base['version']}-reliability.svg"


def reliability_svg(heads: Sequence[Mapping[str, Any]]) -> str:
    """SVG of the heads' `reliability`: bars for accuracy, dots at each bin's mean confidence."""
    width, height = len(heads) * (SIDE + MARGIN + GAP), TOP + SIDE + 52
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="10" fill="#222">',
        "<title>Reliability: accuracy against confidence on validation faces</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for place, entry in enumerate(heads):
        parts.append(f'<g transform="translate({place * (SIDE + MARGIN + GAP) + MARGIN} {TOP})">')
        parts += _diagram(entry)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def calibration_of(bins: Sequence[dict[str, float]]) -> float:
    """Expected calibration error: mean |confidence - accuracy| of the bins, weighted by their counts."""
    total = sum(row["count"] for row in bins)
    return sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in bins) / total


def _diagram(entry: Mapping[str, Any]) -> Iterator[str]:
    bins = entry["reliability"]
    yield f'<text x="0" y="-16" font-size="12" font-weight="bold">{escape(entry["name"])}</text>'
    yield f'<text x="0" y="-4">calibration error {calibration_of(bins):.3f}, temperature {entry["temperature"]:.2f}</text>'
    for tick in (0, 25, 50, 75, 100):
        at = SIDE * tick // 100
        yield f'<path d="M{at} 0V{SIDE}M0 {SIDE - at}H{SIDE}" stroke="#ddd"/>'
        yield f'<text x="{at}" y="{SIDE + 13}" text-anchor="middle">{tick}</text>'
        yield f'<text x="-5" y="{SIDE - at + 3}" text-anchor="end">{tick}</text>'
    for row in bins:
        left, tall, wide = SIDE * row["low"], SIDE * row["accuracy"], SIDE * (row["high"] - row["low"])
        opacity = 0.35 if row["count"] < MIN_BIN else 0.9
        yield (f'<rect x="{left + 0.5:.1f}" y="{SIDE - tall:.1f}" width="{wide - 1:.1f}" height="{tall:.1f}" '
               f'fill="#0072b2" opacity="{opacity}"/>')  # fmt: skip
    yield f'<path d="M0 {SIDE}L{SIDE} 0" stroke="#d55e00" stroke-dasharray="4 3"/>'
    for row in bins:
        yield f'<circle cx="{SIDE * row["confidence"]:.1f}" cy="{SIDE * (1 - row["accuracy"]):.1f}" r="2.2" fill="#222"/>'
    yield f'<text x="{SIDE // 2}" y="{SIDE + 28}" text-anchor="middle">confidence, %</text>'
    yield f'<text x="{SIDE // 2}" y="{SIDE + 41}" text-anchor="middle">up: accuracy, %</text>'
