"""Load test of a started server: the requests, and latency and memory while it answers them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from web.server.worker import RESTING_SECONDS

from . import sandbox, traffic
from .sandbox import ControlGroup

MEDIA_ROUNDS = 5
CLIENTS = 4
"""Concurrent requests: max_concurrent_requests of app.yaml."""
REST_SECONDS = RESTING_SECONDS + 3
"""Pause before memory is compared: only then has the worker freed the memory that it keeps for the next requests."""


@dataclass(frozen=True)
class RequestPlan:
    """Requests of a load test: the standard photo, two large photos sent at once, mixed photos, and texts, recordings and
    videos."""

    photo: traffic.Request
    large: list[traffic.Request]
    mixed: list[traffic.Request]
    media: list[traffic.Request] = field(default_factory=list)

    @classmethod
    def build(cls, portrait: Path, count: int) -> RequestPlan:
        kinds = traffic.mixed_requests(portrait)
        photos = [kinds[index % len(kinds)] for index in range(count)]
        return cls(traffic.standard_photo(portrait), traffic.large_photos(portrait), photos, traffic.media_requests())


@dataclass
class LoadTest:
    """A load test of a server that was just started.

    `process` is bwrap or the shell around the server; `tmp` is the server's /tmp if it is visible from outside.
    """

    process: subprocess.Popen
    port: int
    log: Path
    group: ControlGroup | None
    tmp: Path | None = None
    started: float = field(default_factory=time.perf_counter)
    failures: list[str] = field(default_factory=list)

    def run(self, requests: RequestPlan) -> dict[str, Any]:
        """Send `requests` and return the measurements."""
        report: dict[str, Any] = {
            "failures": self.failures,
            "requests": len(requests.mixed),
            "start": self.measure_start(requests.photo),
        }
        worker = self.worker
        resident = report["resident_bytes"] = {"first": sandbox.resident_bytes(worker)}
        report["photo"] = latency_summary(self.send(requests.photo) for _ in range(max(20, len(requests.mixed) // 5)))
        report["large_together_s"] = max(self.send_concurrently(requests.large)) / 1000
        middle, times = len(requests.mixed) // 2, []
        for name, part in (("half", requests.mixed[:middle]), ("end", requests.mixed[middle:])):
            times += self.send_concurrently(part)
            self.send_concurrently(requests.large)
            resident[name] = sandbox.resident_bytes(worker)
            time.sleep(REST_SECONDS)
            resident[f"{name}_at_rest"] = sandbox.resident_bytes(worker)
        report["mixed"] = latency_summary(times)
        for _ in range(MEDIA_ROUNDS if requests.media else 0):
            self.send_concurrently([*requests.media, *requests.mixed[: len(requests.media)]])
        resident["everything"] = sandbox.resident_bytes(worker)
        report["left_in_tmp"] = sorted(os.listdir(self.tmp)) if self.tmp else None
        report["group"] = self.group and {
            "peak_bytes": self.group.peak_bytes,
            "held_bytes": self.group.held_bytes,
            "oom_kills": self.group.oom_kills,
        }
        if self.worker != worker:
            self.failures.append("the worker was replaced: it died or was killed")
        if "Traceback" in self.log.read_text(encoding="utf-8", errors="replace"):
            self.failures.append(f"a traceback in the server's log:\n{self.log_tail()}")
        return report

    def measure_start(self, photo: traffic.Request) -> dict[str, float]:
        """Measure seconds until the server listens, is warm and has classified a first photo, and the processor time until
        then."""
        since = {}
        self.wait_until_listening()
        since["listens_s"] = time.perf_counter() - self.started
        self.send(traffic.Request("warm-up", "/_ah/warmup"))
        since["warm_s"] = time.perf_counter() - self.started
        self.send(photo)
        since["first_photo_s"] = time.perf_counter() - self.started
        since["processor_s"] = sandbox.processor_seconds(self.process.pid)
        return since

    def wait_until_listening(self, seconds: float = 120.0) -> None:
        """Wait for the port to accept connections. Raises RuntimeError with the end of the log if it does not."""
        while time.perf_counter() - self.started < seconds and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the server does not answer; the end of its log:\n{self.log_tail()}")

    def send(self, request: traffic.Request) -> float:
        """Send `request`, check the response and return milliseconds. Mismatches are added to `failures`."""
        started = time.perf_counter()
        try:
            response = traffic.send(self.port, request)
        except OSError as error:
            self.failures.append(f"{request.name}: {type(error).__name__} {error}")
            return (time.perf_counter() - started) * 1000
        found = len(json.loads(response.body)["faces"]) if request.faces and response.status == 200 else 0
        if response.status not in request.statuses or found < request.faces:
            self.failures.append(f"{request.name}: status {response.status}, {found} faces: {response.body[:200]!r}")
        return response.seconds * 1000

    def send_concurrently(self, requests: Iterable[traffic.Request]) -> list[float]:
        """Send `requests`, CLIENTS at a time, and return the milliseconds of each."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self.send, requests))

    @property
    def worker(self) -> int:
        """Id of the worker process: the youngest descendant."""
        return max(sandbox.descendants(self.process.pid), default=self.process.pid)

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def latency_summary(milliseconds: Iterable[float]) -> dict[str, float]:
    """Return count, median and 99th percentile."""
    ordered = sorted(milliseconds)
    return {"count": len(ordered), "p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[int(len(ordered) * 0.99)]}
