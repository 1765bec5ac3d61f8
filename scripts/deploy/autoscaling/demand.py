"""A day of visitors, and how long the answer to each takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

DAY = 86_400.0
SWING = 0.8
"""The rate is the mean at six in the morning and the evening, 1 + SWING of it at noon, 1 - SWING at midnight: assumed."""
BURSTS, BURST_SECONDS, BURST_TIMES = 6, 60.0, 5.0
"""Bursts a day at random, each so many seconds of so many times the rate: a link that is shared, a lesson that begins."""


@dataclass(frozen=True)
class Day:
    """Times of arrivals in seconds, and what each asks for: seconds of an idle instance's work.

    `share`: the part of a day that is simulated; its curve passes that much faster, which is harder on a scheduler.
    """

    arrivals: np.ndarray
    service: np.ndarray
    share: float

    @property
    def seconds(self) -> float:
        return DAY * self.share


def rate(mean: float, share: float, bursts: np.ndarray | Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Requests a second at each time."""

    def at(times: np.ndarray) -> np.ndarray:
        wave = 1 - SWING * np.cos(2 * np.pi * times / (DAY * share))
        burst = np.any([(times >= begin) & (times < begin + BURST_SECONDS) for begin in bursts], axis=0)
        return mean * wave * np.where(burst, BURST_TIMES, 1.0)

    return at


def day(mean: float, service: np.ndarray | Sequence[float], seed: int, share: float = 1.0) -> Day:
    """A day with `mean` requests a second: a Poisson process whose rate changes (thinning, Lewis and Shedler 1979).

    Each request's service time is drawn from the measured `service`.
    """
    random = np.random.default_rng(seed)
    length = DAY * share
    at = rate(mean, share, random.uniform(0, length, max(1, round(BURSTS * share))))
    most = mean * (1 + SWING) * BURST_TIMES
    candidates = np.sort(random.uniform(0, length, random.poisson(most * length)))
    arrivals = candidates[random.uniform(0, most, len(candidates)) < at(candidates)]
    return Day(arrivals, random.choice(np.asarray(service, float), len(arrivals)), share)
