"""Simulated scheduler: conservation of requests, reproducibility, Erlang's formula, and the effect of each scaling key."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scripts.deploy.autoscaling.__main__ import SETTINGS, Row, app_yaml_keys, plot, recommend, summarize
from scripts.deploy.autoscaling.demand import Day, sample_day
from scripts.deploy.autoscaling.scheduler import Outcome, Scaling, simulate

SERVICE = [0.1, 0.15, 0.2]


def poisson(rate: float, seconds: float, mean: float, seed: int = 3) -> Day:
    """Constant rate, exponential service times, and a period without arrivals at the end."""
    random = np.random.default_rng(seed)
    arrivals = np.sort(random.uniform(0, seconds, random.poisson(rate * seconds)))
    return Day(arrivals, random.exponential(mean, len(arrivals)), (seconds + 600) / 86_400)


def test_same_seed_gives_same_result():
    outcomes = [simulate(Scaling(max_instances=3), 4.0, sample_day(1.0, SERVICE, seed, share=0.02)) for seed in (7, 7, 8)]
    assert outcomes[0].latencies == outcomes[1].latencies and outcomes[0].instance_hours == outcomes[1].instance_hours
    assert outcomes[0].latencies != outcomes[2].latencies


@pytest.mark.parametrize("scaling", [
    Scaling(max_instances=1, max_concurrent_requests=4), Scaling(max_concurrent_requests=1),
    Scaling(min_idle_instances=2), Scaling(max_idle_instances=0),
])  # fmt: skip
def test_every_request_is_served_rejected_or_in_flight(scaling):
    sampled = sample_day(6.0, SERVICE, 5, share=0.01)
    outcome = simulate(scaling, 6.0, sampled)
    assert len(sampled.arrivals) == len(outcome.latencies) + outcome.rejected + outcome.in_flight
    assert len(outcome.latencies) > 100 and min(outcome.latencies) >= min(SERVICE) - 1e-9


def test_overload_of_one_instance_is_rejected():
    outcome = simulate(Scaling(max_instances=1), 1.0, poisson(20.0, 300, 0.1))
    assert outcome.rejected > 1000 and len(outcome.instances) == 1
    assert max(outcome.latencies) < 10 + 1 + 10 * 1.5  # queue timeout, a tick, and the requests in the instance before it


def test_mean_wait_is_erlang_c():
    """With a fixed number of instances of one request each (M/M/c), within 10 %."""
    count, rate, mean = 4, 15.0, 0.2
    load = rate * mean
    blocked = load**count / math.factorial(count) * count / (count - load)
    waits = blocked / (sum(load**k / math.factorial(k) for k in range(count)) + blocked)
    expected = waits * mean / (count - load)
    fixed = Scaling(min_instances=count, max_instances=count, max_concurrent_requests=1)
    outcome = simulate(fixed, 1.0, poisson(rate, 4000, mean))
    assert outcome.rejected == 0 and outcome.cold_starts == 0
    sampled = poisson(rate, 4000, mean)
    assert np.mean(outcome.latencies) - np.mean(sampled.service) == pytest.approx(expected, rel=0.1)


def test_idle_instances_avoid_cold_starts():
    """For requests far apart: each waits for a start without idle instances, none with one."""
    sampled = Day(np.arange(100.0, 20_000.0, 1000.0), np.full(20, 0.1), 20_100 / 86_400)
    slow = [simulate(Scaling(min_idle_instances=idle), 5.0, sampled) for idle in (0, 1, 2)]
    late = [sum(latency > 1.0 for latency in one.latencies) for one in slow]
    assert late[0] == 20 and late[1] == late[2] == 0
    assert slow[0].instance_hours < slow[1].instance_hours < slow[2].instance_hours


def test_billing_ends_15_minutes_after_the_last_request():
    outcome = simulate(Scaling(), 5.0, Day(np.array([100.0]), np.array([1.0]), 3600 / 86_400))
    assert outcome.instance_hours * 3600 == pytest.approx(5 + 1 + 900, abs=2)
    assert outcome.latencies == pytest.approx([6.0])


def test_min_and_max_instances():
    sampled = sample_day(30.0, SERVICE, 2, share=0.005)
    for maximum in (2, 5):
        outcome = simulate(Scaling(max_instances=maximum, max_concurrent_requests=4), 3.0, sampled)
        ends = [(one.started, 1) for one in outcome.instances] + [
            (one.ended, -1) for one in outcome.instances if one.ended is not None
        ]
        assert max(np.cumsum([step for _, step in sorted(ends)])) == maximum
    quiet = simulate(Scaling(min_instances=3), 3.0, Day(np.array([10.0]), np.array([0.1]), 0.1))
    assert quiet.instance_hours * 3600 == pytest.approx(3 * 8640)


def test_sampled_day_has_the_given_mean_and_daily_curve():
    sampled = sample_day(2.0, SERVICE, 1)
    assert len(sampled.arrivals) / 86_400 == pytest.approx(2.0, rel=0.05) and set(sampled.service) == set(SERVICE)
    hourly = np.histogram(sampled.arrivals, 24, (0, 86_400))[0]
    assert hourly[11] > 4 * hourly[0] and np.all(np.diff(sampled.arrivals) >= 0)


def test_recommendation_keys_and_plot(tmp_path):
    rows = [
        Row(1.0, "F2", 0.1, 0.5, 0.9, 0.0, 2, 40.0),
        Row(1.0, "high utilization", 0.2, 0.9, 2.0, 0.0005, 3, 30.0),
        Row(1.0, "shipped configuration", 0.2, 0.4, 1.0, 0.2, 1, 24.0),
    ]
    assert recommend(rows).setting == "high utilization" and recommend(rows[2:]).setting == "shipped configuration"
    assert (
        app_yaml_keys("shipped configuration")
        == "instance_class: F1\nautomatic_scaling:\n  max_instances: 1\n  max_concurrent_requests: 4"
    )
    assert "  min_pending_latency: 1s" in app_yaml_keys("high utilization") and set(SETTINGS) >= {"F2", "high utilization"}
    outcome = Outcome(latencies=[1.0, 3.0], rejected=2, cold_starts=5, seconds=7200)
    assert summarize(1.0, "F2", outcome, 0.5, 2) == Row(1.0, "F2", 2.0, pytest.approx(2.9), pytest.approx(2.98), 0.5, 10.0, 0.0)
    for name in ("one.svg", "two.svg"):
        plot([vars(row) for row in rows], tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
