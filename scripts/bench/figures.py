"""Measurements of the benchmark and their statistics.

Ratios are computed within a round, as all contenders of a round met the same noise; the median over rounds is reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

MEGABYTE = 2**20
STAGES = ("decode", "detect", "classify", "HTTP and the rest")


@dataclass
class Measurements:
    """Raw measurements of a contender: seconds, bytes, milliseconds (a list per round), responses per second."""

    starts: list[float] = field(default_factory=list)
    first_bytes: int = 0
    last_bytes: int = 0
    peak_bytes: int = 0
    photos: list[list[float]] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    one_core: list[list[float]] = field(default_factory=list)
    saliency: list[float] = field(default_factory=list)
    saliency_one_core: list[float] = field(default_factory=list)
    faces: dict[float, list[float]] = field(default_factory=dict)
    sizes: dict[float, list[float]] = field(default_factory=dict)
    found: dict[str, dict[float, int]] = field(default_factory=dict)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile by nearest rank: the smallest of `values` that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [median(values) for values in rounds]


def median_ratio(ours: Sequence[float], theirs: Sequence[float], higher_is_better: bool = False) -> float:
    """Return by what factor `ours` is better: the median over rounds of the ratio within a round."""
    pairs = zip(ours, theirs, strict=True)
    return median(our / their if higher_is_better else their / our for our, their in pairs)


def shares(stages: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """Return stage -> (median milliseconds, share of the sum of all medians)."""
    spent = {name: median(stages[name]) for name in STAGES}
    return {name: (value, value / sum(spent.values())) for name, value in spent.items()}


def format_figure(value: float) -> str:
    """Format three significant digits: 0.123, 1.23, 12.3, 123, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"
