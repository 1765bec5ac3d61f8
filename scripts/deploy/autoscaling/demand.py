"""Demand of a day: arrival times and service times of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

DAY = 86_400.0
SWING = 0.8
"""Amplitude of the daily curve (assumed): the rate is 1 + SWING times the mean at noon, 1 - SWING times at midnight."""
BURSTS, BURST_SECONDS, BURST_FACTOR = 6, 60.0, 5.0
"""Bursts per day at random times, with their length and the factor of the rate, as after a shared link."""


@dataclass(frozen=True)
class Day:
    """Arrival times and service times in seconds.

    `share` is the simulated part of a day: the daily curve is compressed to it, which is harder for a scheduler.
    """

    arrivals: np.ndarray
    service: np.ndarray
    share: float

    @property
    def seconds(self) -> float:
        return DAY * self.share


def arrival_rate(mean: float, share: float, bursts: np.ndarray | Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of requests per second over time."""

    def at(times: np.ndarray) -> np.ndarray:
        wave = 1 - SWING * np.cos(2 * np.pi * times / (DAY * share))
        burst = np.any([(times >= start) & (times < start + BURST_SECONDS) for start in bursts], axis=0)
        return mean * wave * np.where(burst, BURST_FACTOR, 1.0)

    return at


def sample_day(mean: float, service: np.ndarray | Sequence[float], seed: int, share: float = 1.0) -> Day:
    """Sample a day with `mean` requests per second: a non-homogeneous Poisson process by thinning (Lewis and Shedler 1979).

    Each request's service time is sampled from the measured `service`.
    """
    random = np.random.default_rng(seed)
    length = DAY * share
    at = arrival_rate(mean, share, random.uniform(0, length, max(1, round(BURSTS * share))))
    max_rate = mean * (1 + SWING) * BURST_FACTOR
    candidates = np.sort(random.uniform(0, length, random.poisson(max_rate * length)))
    arrivals = candidates[random.uniform(0, max_rate, len(candidates)) < at(candidates)]
    return Day(arrivals, random.choice(np.asarray(service, float), len(arrivals)), share)
