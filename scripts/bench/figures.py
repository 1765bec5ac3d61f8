"""The figures of the benchmark and their arithmetic.

Ratios are taken within a round, in which all contestants met the same noise, and their median is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

MEGABYTE = 2**20
STAGES = ("decode", "detect", "classify", "HTTP and the rest")


@dataclass
class Measured:
    """All figures of one contestant, raw: seconds, bytes, milliseconds (a list a round), answers a second."""

    starts: list[float] = field(default_factory=list)
    first_bytes: int = 0
    last_bytes: int = 0
    peak_bytes: int = 0
    photos: list[list[float]] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    one_core: list[list[float]] = field(default_factory=list)
    explained: list[float] = field(default_factory=list)
    explained_alone: list[float] = field(default_factory=list)
    faces: dict[float, list[float]] = field(default_factory=dict)
    sizes: dict[float, list[float]] = field(default_factory=dict)
    found: dict[str, dict[float, int]] = field(default_factory=dict)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [median(values) for values in rounds]


def times_better(ours: Sequence[float], theirs: Sequence[float], more_is_better: bool = False) -> float:
    """How many times better ours is: the median over rounds of the ratio within a round."""
    pairs = zip(ours, theirs, strict=True)
    return median(our / their if more_is_better else their / our for our, their in pairs)


def shares(stages: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """Stage -> median milliseconds, and its share of the sum of all stages' medians."""
    spent = {name: median(stages[name]) for name in STAGES}
    return {name: (value, value / sum(spent.values())) for name, value in spent.items()}


def short(value: float) -> str:
    """Three significant digits: 0.123, 1.23, 12.3, 123, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"
