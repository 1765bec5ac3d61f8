"""Clients that send one request again and again, and a summary of the answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..deploy.load_testing import latency_summary
from .client import Answer, exchange

MAX_BACKOFF = 2.0
"""Seconds that a client waits at most after a 503, less than an honest Retry-After: impatient clients are part of the load."""


@dataclass
class Sample:
    """Answers of one kind of request: (status, seconds) each, and the 503s that lack a Retry-After."""

    answers: list[tuple[int | None, float]] = field(default_factory=list)
    without_retry: int = 0

    def enter(self, answer: Answer) -> None:
        self.answers.append((answer.status, answer.seconds))
        if answer.status == 503 and "retry-after" not in answer.responses[0].headers:
            self.without_retry += 1

    def times(self) -> list[float]:
        """Return the seconds of the answers other than refusals."""
        return [seconds for status, seconds in self.answers if status is not None and status < 400]

    def count(self, status: int | None) -> int:
        return sum(one == status for one, _ in self.answers)

    def cells(self) -> list[str]:
        """Return p50, p99 and longest seconds, and the number of answers."""
        if not self.times():
            return ["", "", "", "0"]
        summary = latency_summary(1000 * second for second in self.times())
        return [f"{summary['p50_ms'] / 1000:.2f}", f"{self.p99:.2f}", f"{max(self.times()):.2f}", str(int(summary["count"]))]

    @property
    def p99(self) -> float:
        """99th percentile in seconds; infinite without an answer."""
        return latency_summary(1000 * second for second in self.times())["p99_ms"] / 1000 if self.times() else float("inf")


@contextmanager
def repeating(port: int, requests: Sequence[bytes], samples: Sequence[Sample], pause: float = 0.0) -> Iterator[None]:
    """Send each of `requests` again and again during the block, from a client of its own, into its sample."""
    stopped = threading.Event()

    def client(data: bytes, sample: Sample) -> None:
        while not stopped.is_set():
            answer = exchange(port, data)
            sample.enter(answer)
            if answer.status == 503:
                retry = answer.responses[0].headers.get("retry-after", "1")
                stopped.wait(min(MAX_BACKOFF, float(retry) if retry.isdecimal() else 1.0))
            elif pause or answer.status is None:
                stopped.wait(pause or 0.2)

    threads = [threading.Thread(target=client, args=pair, daemon=True) for pair in zip(requests, samples, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
