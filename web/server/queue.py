"""Admission queue: complete requests wait for a thread, or are refused at once where the wait would be too long.

Two groups of threads take requests: one those that run models, the other everything else, so that `/health` and pages never wait
behind photos. How long a request will wait is estimated from what the requests before it will take: processor time per byte, as
measured for their address.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import Any

LOGGER = logging.getLogger("web")
MAX_WAIT = 30.0
"""Seconds that a request may wait; longer ones are refused with 503."""
BASE_BYTES = 2**19
"""Bytes added to each body for the estimate: a small photo takes about as long as this much of a large one."""
FIRST_RATE = 0.1 / BASE_BYTES
"""Seconds per byte that the first requests of an address are expected to take."""
SLACK = 1.2
"""Share of the longest wait after which a request in the queue is refused: estimates vary."""
WEIGHT = 0.25
"""Weight of the newest request in the moving average of seconds per byte."""
API = ("image", "images", "video", "text", "speech")
WORK = frozenset(("/", "/share", "/text", "/speech", *(f"/api/v1/{name}" for name in API)))
"""Addresses whose posts run models."""


@dataclass(eq=False)
class Ticket:
    """A request in the queue: waitress' channel, what it is expected to take in seconds, and when it came."""

    channel: Any
    path: str
    size: int
    arrived: float
    seconds: float = 0.0


class Lane:
    """One queue with its threads.

    Args:
        name: Name of the threads.
        threads: Number of threads.
        max_wait: Seconds that a request may wait.
    """

    def __init__(self, name: str, threads: int, max_wait: float = MAX_WAIT) -> None:
        self.name, self.threads, self.max_wait = name, threads, max_wait
        self.waiting: deque[Ticket] = deque()
        self.running: dict[Ticket, float] = {}
        self._rates: dict[str, float] = {}  # seconds per byte by address
        self.finished_bytes, self.last_finished = 0, time.monotonic()
        self._changed = threading.Condition()
        self._ending = False
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True).start()

    def add(self, ticket: Ticket, always: bool = False) -> float | None:
        """Queue a request.

        Args:
            ticket: The request.
            always: Queue it even if it will wait too long.

        Returns:
            None, or the seconds that it would have to wait if they are too many; it is not queued then.
        """
        with self._changed:
            ticket.seconds = self._expected(ticket)
            wait = self._expected_wait()
            if wait > self.max_wait and not always:
                return wait
            self.waiting.append(ticket)
            self._changed.notify()
            return None

    def overdue(self) -> list[tuple[Ticket, float]]:
        """Remove and return the requests that would wait too long as is known by now, each with the expected rest of the wait."""
        with self._changed:
            now, rest = time.monotonic(), self._rest_of_running() / self.threads
            kept: deque[Ticket] = deque()
            found = []
            for ticket in self.waiting:
                if kept and now - ticket.arrived + rest > self.max_wait * SLACK:
                    found.append((ticket, rest))
                else:
                    kept.append(ticket)
                    rest += ticket.seconds / self.threads
            self.waiting = kept
            return found

    def expected_wait(self) -> float:
        """Seconds that a new request would have to wait."""
        with self._changed:
            return self._expected_wait()

    def starved_by(self, seconds: float) -> list[Any]:
        """Return the channels that are answered while a request has waited for `seconds` for one of their threads."""
        with self._changed:
            if not self.waiting or time.monotonic() - self.waiting[0].arrived < seconds:
                return []
            return [ticket.channel for ticket in self.running]

    def remove_all(self) -> list[Ticket]:
        """Remove and return the requests that wait."""
        with self._changed:
            left = list(self.waiting)
            self.waiting.clear()
            return left

    @property
    def idle(self) -> bool:
        """True if no request waits or runs."""
        with self._changed:
            return not (self.waiting or self.running)

    def end(self) -> None:
        """End the threads when they have finished their requests."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def _expected(self, ticket: Ticket) -> float:
        """Seconds that a request is expected to take."""
        return self._rates.get(_key(ticket), FIRST_RATE) * (ticket.size + BASE_BYTES)

    def _expected_wait(self) -> float:
        """Seconds until a new request gets a thread, if all before it take as long as expected."""
        if len(self.running) + len(self.waiting) < self.threads:
            return 0.0
        return (self._rest_of_running() + sum(ticket.seconds for ticket in self.waiting)) / self.threads

    def _rest_of_running(self) -> float:
        """Seconds that the running requests are expected to take still, all together."""
        now = time.monotonic()
        return sum(max(0.0, ticket.seconds - (now - started)) for ticket, started in self.running.items())

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self.waiting and not self._ending:
                    self._changed.wait()
                if not self.waiting:
                    return
                ticket = self.waiting.popleft()
                started = self.running[ticket] = time.monotonic()
            try:
                ticket.channel.waited = started - ticket.arrived
                ticket.channel.service()
            except Exception:  # such as a connection that was closed by the event loop in this moment: the thread must go on
                LOGGER.exception("answering a request failed")
            finally:
                with self._changed:
                    del self.running[ticket]
                    self.finished_bytes, self.last_finished = self.finished_bytes + ticket.size, time.monotonic()
                    self._learn(ticket, self.last_finished - started)

    def _learn(self, ticket: Ticket, seconds: float) -> None:
        measured = seconds / (ticket.size + BASE_BYTES)
        known = self._rates.get(_key(ticket))
        self._rates[_key(ticket)] = measured if known is None else known + WEIGHT * (measured - known)


def _key(ticket: Ticket) -> str:
    """Address under which the time of a request is learned: one for all that run no model, since clients choose addresses."""
    return ticket.path if ticket.path in WORK else ""


class AdmissionQueue:
    """waitress' task dispatcher: sorts complete requests into two lanes and refuses those that would wait too long.

    Args:
        threads: Threads for requests that run models, and as many for the others.
        max_wait: Seconds that a request may wait.
    """

    def __init__(self, threads: int, max_wait: float = MAX_WAIT) -> None:
        self.work, self.quick = Lane("work", threads, max_wait), Lane("quick", threads, max_wait)

    def add_task(self, channel: Any) -> None:
        """Queue the first request of a channel; `channel.service()` will answer it."""
        request = channel.requests[0]
        ticket = Ticket(channel, request.path, request.body_bytes_received, time.monotonic())
        lane = self.quick if request.error or is_quick(request.command, request.path) else self.work
        wait = lane.add(ticket)
        if wait is not None:
            self._refuse(ticket, wait)
        for late, rest in self.work.overdue():
            self._refuse(late, rest)

    def refuse_waiting(self, code: str) -> None:
        """Answer all requests that wait for a model with the problem `code`."""
        for ticket in self.work.remove_all():
            self._refuse(ticket, 1.0, code)

    @property
    def idle(self) -> bool:
        """True if nothing waits or runs."""
        return self.work.idle and self.quick.idle

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads (waitress' interface)."""
        self.work.end()
        self.quick.end()
        return True

    def _refuse(self, ticket: Ticket, wait: float, code: str = "busy") -> None:
        ticket.channel.requests[0].refuse(code, retry_after=max(1, ceil(wait)))
        self.quick.add(Ticket(ticket.channel, "", 0, ticket.arrived), always=True)


def is_quick(method: str, path: str) -> bool:
    """Return True for requests that run no model."""
    return method != "POST" or path not in WORK
