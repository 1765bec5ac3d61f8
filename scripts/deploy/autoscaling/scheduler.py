"""App Engine's automatic scaling as a simulation of discrete events (SimPy): a pending queue, and instances that come and go.

What Google documents (the app.yaml reference, "automatic_scaling", and "How instances are managed"):
- a request that no instance can take waits in the pending queue; an instance takes up to max_concurrent_requests at once;
- a new instance is tried for when the requests in the instances reach max_concurrent_requests x target_throughput_utilization,
  when processors are busier than target_cpu_utilization, and for requests that wait: never before min_pending_latency,
  always after max_pending_latency;
- min_instances and min_idle_instances are kept, idle ones above max_idle_instances are ended, max_instances is never passed;
- with warm-up requests an instance gets visitors when it is warm; it is billed from its start until 15 minutes after its last
  request.
What is assumed here, as nobody outside Google knows:
- the scheduler looks every LOOK seconds and on every arrival that finds no room; it has at most one instance starting for each
  max_concurrent_requests requests in the queue, and between the two pending latencies starts one where the queue would take
  longer than a start;
- utilisation is the mean over the WINDOW seconds before, and at most one instance a look is started for it; instances
  beyond those that it needs are the idle ones;
- a request goes to the instance with the fewest requests, of several to the oldest; there its work is done in the order of
  arrival, one at a time, as an instance has less than one core; starting takes as long as was measured;
- a request is refused after PATIENCE seconds in the queue, as users of App Engine report
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

LOOK = 1.0
WINDOW = 60.0
PATIENCE = 10.0
IDLE = 900.0


@dataclass(frozen=True)
class Scaling:
    """app.yaml's keys under `automatic_scaling`, latencies in seconds; defaults are App Engine's, but for max_instances (20
    there in projects since March 2025, none before), and the latencies' least and greatest."""

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
    """`begun`, `ended`: of its bill. `ready`: takes requests. `free_at`: when its work is done. `last`: its last answer."""

    begun: float
    ready: bool = False
    requests: int = 0
    free_at: float = 0.0
    last: float = 0.0
    ended: float | None = None


@dataclass
class Outcome:
    """What a day came to: latencies in seconds of the requests that were served, in order of completion; counts; instances."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    in_flight: int = 0
    cold: int = 0
    instances: list[Instance] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def hours(self) -> float:
        """Instance-hours within the simulated time."""
        return sum((self.seconds if one.ended is None else one.ended) - one.begun for one in self.instances) / 3600


class Scheduler:
    """A day under `scaling` with instances that take `start` seconds to be ready."""

    def __init__(self, scaling: Scaling, start: float, day: Day) -> None:
        self.scaling, self.start, self.day = scaling, start, day
        self.env = simpy.Environment()
        self.pending: deque[tuple[float, float]] = deque()  # arrival, service
        self.alive: list[Instance] = []
        self.outcome = Outcome(seconds=day.seconds)
        self.work = 0.0  # seconds of work given since the last look
        self.samples: deque[tuple[float, float]] = deque(
            maxlen=max(1, round(WINDOW / LOOK))
        )  # work, requests in instances each look

    def run(self) -> Outcome:
        for _ in range(max(self.scaling.min_instances, self.scaling.min_idle_instances)):
            self._begin(warm=True)
        self.env.process(self._arrive())
        self.env.process(self._look())
        self.env.run(self.day.seconds)
        self.outcome.in_flight = len(self.pending) + sum(one.requests for one in self.alive)
        return self.outcome

    def _arrive(self):
        for arrival, service in zip(self.day.arrivals.tolist(), self.day.service.tolist(), strict=True):
            yield self.env.timeout(arrival - self.env.now)
            self.pending.append((arrival, service))
            self._hand_out()
            if self.pending:
                self._start_for_pending()

    def _hand_out(self) -> None:
        """Give pending requests to instances with room, the first first."""
        while self.pending:
            room = [one for one in self.alive if one.ready and one.requests < self.scaling.max_concurrent_requests]
            if not room:
                return
            chosen = min(room, key=lambda one: one.requests)  # the oldest of several, so that the others can end
            arrival, service = self.pending.popleft()
            chosen.requests += 1
            chosen.free_at = max(chosen.free_at, self.env.now) + service
            self.work += service
            done = self.env.timeout(chosen.free_at - self.env.now)
            done.callbacks.append(lambda _, instance=chosen, since=arrival: self._answer(instance, since))

    def _answer(self, instance: Instance, since: float) -> None:
        instance.requests -= 1
        instance.last = self.env.now
        self.outcome.latencies.append(self.env.now - since)
        self._hand_out()

    def _look(self):
        while True:
            yield self.env.timeout(LOOK)
            now, scaling = self.env.now, self.scaling
            while self.pending and now - self.pending[0][0] >= PATIENCE:
                self.pending.popleft()
                self.outcome.refused += 1
            if self.pending:
                self._start_for_pending()
            ready = [one for one in self.alive if one.ready]
            self.samples.append((self.work / LOOK, sum(one.requests for one in ready)))
            self.work = 0.0
            work, inside = np.mean(self.samples, axis=0).tolist()
            room = scaling.max_concurrent_requests * scaling.target_throughput_utilization
            needed = math.ceil(max(work / scaling.target_cpu_utilization, inside / room))
            if len(self.alive) < needed:
                self._begin()
            for _ in range(needed + scaling.min_idle_instances - max(needed, len(self.alive))):
                self._begin()
            self._end([one for one in ready if not one.requests], needed)

    def _start_for_pending(self) -> None:
        """Between the pending latencies where a start is quicker than the queue, after the longer one always."""
        scaling, waited = self.scaling, self.env.now - self.pending[0][0]
        ready = [one for one in self.alive if one.ready]
        starting = len(self.alive) - len(ready)
        if starting * scaling.max_concurrent_requests >= len(self.pending):
            return
        if ready and waited < scaling.max_pending_latency:
            queue = sum(max(0.0, one.free_at - self.env.now) for one in ready) + sum(service for _, service in self.pending)
            if waited < scaling.min_pending_latency or queue / len(ready) < self.start:
                return
        self._begin()

    def _begin(self, warm: bool = False) -> None:
        if len(self.alive) >= self.scaling.max_instances:
            return
        instance = Instance(self.env.now, last=self.env.now)
        self.alive.append(instance)
        self.outcome.instances.append(instance)
        if warm:
            instance.ready = True
            return
        self.outcome.cold += 1
        started = self.env.timeout(self.start)
        started.callbacks.append(lambda _: self._ready(instance))

    def _ready(self, instance: Instance) -> None:
        instance.ready, instance.last = True, self.env.now
        self._hand_out()

    def _end(self, idle: list[Instance], needed: int) -> None:
        """End idle instances that are too many at once, and others after IDLE; never below the least numbers."""
        scaling = self.scaling
        least = max(scaling.min_instances, needed + scaling.min_idle_instances)
        for one in sorted(idle, key=lambda one: one.last):
            too_many = len(self.alive) - needed > scaling.max_idle_instances
            if len(self.alive) > least and (too_many or self.env.now - one.last >= IDLE):
                one.ended = self.env.now
                self.alive.remove(one)


def simulate(scaling: Scaling, start: float, day: Day) -> Outcome:
    """Run a day; gives what it came to."""
    return Scheduler(scaling, start, day).run()
