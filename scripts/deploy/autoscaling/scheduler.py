"""Discrete-event simulation (SimPy) of App Engine's automatic scaling: a pending queue, and instances that start and end.

Documented by Google (app.yaml reference, "automatic_scaling", and "How instances are managed"):
- requests that no instance can take wait in the pending queue; an instance takes up to max_concurrent_requests at once;
- a new instance is started if the requests in the instances reach max_concurrent_requests x target_throughput_utilization, if the
  CPU utilization exceeds target_cpu_utilization, and for pending requests: never before min_pending_latency, always after
  max_pending_latency;
- min_instances and min_idle_instances are kept, idle instances above max_idle_instances are ended, max_instances is a hard limit;
- with warm-up requests an instance gets traffic once it is warm; it is billed from its start until 15 minutes after its last
  request.

Assumptions (not documented):
- the scheduler runs every TICK_SECONDS and on each arrival without free capacity; at most one instance is starting for each
  max_concurrent_requests pending requests, and between the two pending latencies one is started if the queue would take longer
  than a start;
- utilization is the mean of the last WINDOW_SECONDS, and at most one instance per tick is started for it; instances beyond the
  needed number count as idle;
- a request is sent to the instance with the fewest requests, the oldest of several; an instance processes requests one at a time,
  in order of arrival, as it has less than one core; starting takes the measured time;
- a request is rejected after QUEUE_TIMEOUT seconds in the queue, as reported by users of App Engine
  (https://github.com/catapult-project/catapult/issues/4408);
- an idle instance is ended when it is no longer billed.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import simpy

from .demand import Day

TICK_SECONDS = 1.0
WINDOW_SECONDS = 60.0
QUEUE_TIMEOUT = 10.0
IDLE_SECONDS = 900.0


@dataclass(frozen=True)
class Scaling:
    """Keys of `automatic_scaling` in app.yaml, latencies in seconds.

    Defaults are App Engine's, except for max_instances (there 20 in projects since March 2025, none before) and the pending
    latencies, which are the least and greatest permitted values.
    """

    min_instances: int = 0
    max_instances: int = 100
    min_idle_instances: int = 0
    max_idle_instances: int = 100
    target_cpu_utilization: float = 0.6
    target_throughput_utilization: float = 0.6
    max_concurrent_requests: int = 10
    min_pending_latency: float = 0.03
    max_pending_latency: float = 10.0


@dataclass(eq=False)
class Instance:
    """An instance: times at which billing started and ended, at which its work is done (`free_at`), and of its last response."""

    started: float
    ready: bool = False
    requests: int = 0
    free_at: float = 0.0
    last_active: float = 0.0
    ended: float | None = None


@dataclass
class Outcome:
    """Result of a simulated day: latencies in seconds of the served requests in order of completion, counts, and instances."""

    latencies: list[float] = field(default_factory=list)
    rejected: int = 0
    in_flight: int = 0
    cold_starts: int = 0
    instances: list[Instance] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def instance_hours(self) -> float:
        """Instance-hours of the simulated time."""
        return (
            sum((self.seconds if instance.ended is None else instance.ended) - instance.started for instance in self.instances)
            / 3600
        )


class Scheduler:
    """Simulation of a day under `scaling` with instances that are ready `start_seconds` after their start."""

    def __init__(self, scaling: Scaling, start_seconds: float, day: Day) -> None:
        self.scaling, self.start_seconds, self.day = scaling, start_seconds, day
        self.env = simpy.Environment()
        self.pending: deque[tuple[float, float]] = deque()  # arrival, service
        self.running: list[Instance] = []
        self.outcome = Outcome(seconds=day.seconds)
        self.assigned_work = 0.0  # seconds of work assigned since the last tick
        self.samples: deque[tuple[float, float]] = deque(
            maxlen=max(1, round(WINDOW_SECONDS / TICK_SECONDS))
        )  # (work, requests in instances) of each tick

    def run(self) -> Outcome:
        for _ in range(max(self.scaling.min_instances, self.scaling.min_idle_instances)):
            self._start_instance(warm=True)
        self.env.process(self._arrivals())
        self.env.process(self._control_loop())
        self.env.run(self.day.seconds)
        self.outcome.in_flight = len(self.pending) + sum(instance.requests for instance in self.running)
        return self.outcome

    def _arrivals(self):
        for arrival, service in zip(self.day.arrivals.tolist(), self.day.service.tolist(), strict=True):
            yield self.env.timeout(arrival - self.env.now)
            self.pending.append((arrival, service))
            self._dispatch()
            if self.pending:
                self._start_for_pending()

    def _dispatch(self) -> None:
        """Assign pending requests to instances with free capacity, in order of arrival."""
        while self.pending:
            capacity = [
                instance
                for instance in self.running
                if instance.ready and instance.requests < self.scaling.max_concurrent_requests
            ]
            if not capacity:
                return
            chosen = min(
                capacity, key=lambda instance: instance.requests
            )  # the oldest of several, so that the others become idle
            arrival, service = self.pending.popleft()
            chosen.requests += 1
            chosen.free_at = max(chosen.free_at, self.env.now) + service
            self.assigned_work += service
            done = self.env.timeout(chosen.free_at - self.env.now)
            done.callbacks.append(lambda _, instance=chosen, arrival=arrival: self._complete(instance, arrival))

    def _complete(self, instance: Instance, arrival: float) -> None:
        instance.requests -= 1
        instance.last_active = self.env.now
        self.outcome.latencies.append(self.env.now - arrival)
        self._dispatch()

    def _control_loop(self):
        while True:
            yield self.env.timeout(TICK_SECONDS)
            now, scaling = self.env.now, self.scaling
            while self.pending and now - self.pending[0][0] >= QUEUE_TIMEOUT:
                self.pending.popleft()
                self.outcome.rejected += 1
            if self.pending:
                self._start_for_pending()
            ready = [instance for instance in self.running if instance.ready]
            self.samples.append((self.assigned_work / TICK_SECONDS, sum(instance.requests for instance in ready)))
            self.assigned_work = 0.0
            work_rate, inside = np.mean(self.samples, axis=0).tolist()
            capacity = scaling.max_concurrent_requests * scaling.target_throughput_utilization
            needed = math.ceil(max(work_rate / scaling.target_cpu_utilization, inside / capacity))
            if len(self.running) < needed:
                self._start_instance()
            for _ in range(needed + scaling.min_idle_instances - max(needed, len(self.running))):
                self._start_instance()
            self._end_idle([instance for instance in ready if not instance.requests], needed)

    def _start_for_pending(self) -> None:
        """Start an instance if the queue takes longer than a start, and in any case after max_pending_latency."""
        scaling, waited = self.scaling, self.env.now - self.pending[0][0]
        ready = [instance for instance in self.running if instance.ready]
        starting = len(self.running) - len(ready)
        if starting * scaling.max_concurrent_requests >= len(self.pending):
            return
        if ready and waited < scaling.max_pending_latency:
            queue = sum(max(0.0, instance.free_at - self.env.now) for instance in ready) + sum(
                service for _, service in self.pending
            )
            if waited < scaling.min_pending_latency or queue / len(ready) < self.start_seconds:
                return
        self._start_instance()

    def _start_instance(self, warm: bool = False) -> None:
        if len(self.running) >= self.scaling.max_instances:
            return
        instance = Instance(self.env.now, last_active=self.env.now)
        self.running.append(instance)
        self.outcome.instances.append(instance)
        if warm:
            instance.ready = True
            return
        self.outcome.cold_starts += 1
        started = self.env.timeout(self.start_seconds)
        started.callbacks.append(lambda _: self._mark_ready(instance))

    def _mark_ready(self, instance: Instance) -> None:
        instance.ready, instance.last_active = True, self.env.now
        self._dispatch()

    def _end_idle(self, idle: list[Instance], needed: int) -> None:
        """End idle instances above max_idle_instances at once and others after IDLE_SECONDS, but keep the configured minimum."""
        scaling = self.scaling
        minimum = max(scaling.min_instances, needed + scaling.min_idle_instances)
        for instance in sorted(idle, key=lambda instance: instance.last_active):
            too_many = len(self.running) - needed > scaling.max_idle_instances
            if len(self.running) > minimum and (too_many or self.env.now - instance.last_active >= IDLE_SECONDS):
                instance.ended = self.env.now
                self.running.remove(instance)


def simulate(scaling: Scaling, start_seconds: float, day: Day) -> Outcome:
    """Simulate a day."""
    return Scheduler(scaling, start_seconds, day).run()
