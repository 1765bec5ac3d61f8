"""The simulated scheduler: nothing lost, the same from the same seed, queueing theory's formula, keys that do what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scripts.deploy.autoscaling.__main__ import SETTINGS, Row, keys, plot, recommended, summed_up
from scripts.deploy.autoscaling.demand import Day, day
from scripts.deploy.autoscaling.scheduler import Outcome, Scaling, simulate

SERVICE = [0.1, 0.15, 0.2]


def poisson(rate: float, seconds: float, mean: float, seed: int = 3) -> Day:
    """Constant rate, exponential service, and a quiet end in which all is answered."""
    random = np.random.default_rng(seed)
    arrivals = np.sort(random.uniform(0, seconds, random.poisson(rate * seconds)))
    return Day(arrivals, random.exponential(mean, len(arrivals)), (seconds + 600) / 86_400)


def test_the_same_seed_gives_the_same_day():
    outcomes = [simulate(Scaling(max_instances=3), 4.0, day(1.0, SERVICE, seed, share=0.02)) for seed in (7, 7, 8)]
    assert outcomes[0].latencies == outcomes[1].latencies and outcomes[0].hours == outcomes[1].hours
    assert outcomes[0].latencies != outcomes[2].latencies


@pytest.mark.parametrize("scaling", [
    Scaling(max_instances=1, max_concurrent_requests=4), Scaling(max_concurrent_requests=1),
    Scaling(min_idle_instances=2), Scaling(max_idle_instances=0),
])  # fmt: skip
def test_every_request_is_served_refused_or_under_way(scaling):
    today = day(6.0, SERVICE, 5, share=0.01)
    outcome = simulate(scaling, 6.0, today)
    assert len(today.arrivals) == len(outcome.latencies) + outcome.refused + outcome.in_flight
    assert len(outcome.latencies) > 100 and min(outcome.latencies) >= min(SERVICE) - 1e-9


def test_too_much_for_one_instance_is_refused():
    outcome = simulate(Scaling(max_instances=1), 1.0, poisson(20.0, 300, 0.1))
    assert outcome.refused > 1000 and len(outcome.instances) == 1
    assert max(outcome.latencies) < 10 + 1 + 10 * 1.5  # the queue's patience, a look, and those inside before it


def test_erlang_s_formula():
    """M/M/c: with a fixed number of instances of one request each, the mean wait is Erlang C's, within 10 %."""
    count, rate, mean = 4, 15.0, 0.2
    load = rate * mean
    blocked = load**count / math.factorial(count) * count / (count - load)
    waits = blocked / (sum(load**k / math.factorial(k) for k in range(count)) + blocked)
    expected = waits * mean / (count - load)
    fixed = Scaling(min_instances=count, max_instances=count, max_concurrent_requests=1)
    outcome = simulate(fixed, 1.0, poisson(rate, 4000, mean))
    assert outcome.refused == 0 and outcome.cold == 0
    today = poisson(rate, 4000, mean)
    assert np.mean(outcome.latencies) - np.mean(today.service) == pytest.approx(expected, rel=0.1)


def test_idle_instances_spare_visitors_the_start():
    """Single visitors far apart: without idle instances each waits for a start, with one none does."""
    today = Day(np.arange(100.0, 20_000.0, 1000.0), np.full(20, 0.1), 20_100 / 86_400)
    slow = [simulate(Scaling(min_idle_instances=idle), 5.0, today) for idle in (0, 1, 2)]
    late = [sum(latency > 1.0 for latency in one.latencies) for one in slow]
    assert late[0] == 20 and late[1] == late[2] == 0
    assert slow[0].hours < slow[1].hours < slow[2].hours


def test_billing_ends_a_quarter_of_an_hour_after_the_last_request():
    outcome = simulate(Scaling(), 5.0, Day(np.array([100.0]), np.array([1.0]), 3600 / 86_400))
    assert outcome.hours * 3600 == pytest.approx(5 + 1 + 900, abs=2)
    assert outcome.latencies == pytest.approx([6.0])


def test_fewest_and_most_are_kept():
    today = day(30.0, SERVICE, 2, share=0.005)
    for most in (2, 5):
        outcome = simulate(Scaling(max_instances=most, max_concurrent_requests=4), 3.0, today)
        ends = [(one.begun, 1) for one in outcome.instances] + [
            (one.ended, -1) for one in outcome.instances if one.ended is not None
        ]
        assert max(np.cumsum([step for _, step in sorted(ends)])) == most
    quiet = simulate(Scaling(min_instances=3), 3.0, Day(np.array([10.0]), np.array([0.1]), 0.1))
    assert quiet.hours * 3600 == pytest.approx(3 * 8640)


def test_a_day_has_its_mean_its_swing_and_its_services():
    today = day(2.0, SERVICE, 1)
    assert len(today.arrivals) / 86_400 == pytest.approx(2.0, rel=0.05) and set(today.service) == set(SERVICE)
    hours = np.histogram(today.arrivals, 24, (0, 86_400))[0]
    assert hours[11] > 4 * hours[0] and np.all(np.diff(today.arrivals) >= 0)


def test_the_report_s_parts(tmp_path):
    rows = [
        Row(1.0, "F2", 0.1, 0.5, 0.9, 0.0, 2, 40.0),
        Row(1.0, "lean", 0.2, 0.9, 2.0, 0.0005, 3, 30.0),
        Row(1.0, "as it ships", 0.2, 0.4, 1.0, 0.2, 1, 24.0),
    ]
    assert recommended(rows).setting == "lean" and recommended(rows[2:]).setting == "as it ships"
    assert keys("as it ships") == "instance_class: F1\nautomatic_scaling:\n  max_instances: 1\n  max_concurrent_requests: 4"
    assert "  min_pending_latency: 1s" in keys("lean") and set(SETTINGS) >= {"F2", "lean"}
    outcome = Outcome(latencies=[1.0, 3.0], refused=2, cold=5, seconds=7200)
    assert summed_up(1.0, "F2", outcome, 0.5, 2) == Row(1.0, "F2", 2.0, pytest.approx(2.9), pytest.approx(2.98), 0.5, 10.0, 0.0)
    for name in ("one.svg", "two.svg"):
        plot([vars(row) for row in rows], tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
