"""The requests of a rehearsal, and what is measured while a started server answers them."""

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

from . import sandbox, traffic
from .sandbox import ControlGroup

MEDIA_ROUNDS = 5
CLIENTS = 4
"""Requests under way at once: as many as app.yaml lets App Engine send to an instance."""


@dataclass(frozen=True)
class Requests:
    """What is sent: the standard photo again and again, two large ones at once, a mix of all that photos can be, and then texts,
    voices and films."""

    photo: traffic.Request
    large: list[traffic.Request]
    mixed: list[traffic.Request]
    media: list[traffic.Request] = field(default_factory=list)

    @classmethod
    def of(cls, portrait: Path, count: int) -> Requests:
        kinds = traffic.mixed(portrait)
        photos = [kinds[index % len(kinds)] for index in range(count)]
        return cls(traffic.photo(portrait), traffic.large(portrait), photos, traffic.media())


@dataclass
class Rehearsal:
    """A server that was just started: bwrap or its shell, its port and log, its control group, and its /tmp if it can be seen."""

    process: subprocess.Popen
    port: int
    log: Path
    group: ControlGroup | None
    tmp: Path | None = None
    begun: float = field(default_factory=time.perf_counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, requests: Requests) -> dict[str, Any]:
        """Send `requests`; gives what was measured."""
        report: dict[str, Any] = {"wrong": self.wrong, "requests": len(requests.mixed), "start": self.start(requests.photo)}
        worker = self.worker
        resident = report["resident_bytes"] = {"first": sandbox.resident_bytes(worker)}
        report["photo"] = quantiles(self.ask(requests.photo) for _ in range(max(20, len(requests.mixed) // 5)))
        report["large_together_s"] = max(self.at_once(requests.large)) / 1000
        middle, times = len(requests.mixed) // 2, []
        for name, part in (("half", requests.mixed[:middle]), ("end", requests.mixed[middle:])):
            times += self.at_once(part)
            self.at_once(requests.large)
            resident[name] = sandbox.resident_bytes(worker)
        report["mixed"] = quantiles(times)
        for _ in range(MEDIA_ROUNDS if requests.media else 0):
            self.at_once([*requests.media, *requests.mixed[: len(requests.media)]])
        resident["everything"] = sandbox.resident_bytes(worker)
        report["left_in_tmp"] = sorted(os.listdir(self.tmp)) if self.tmp else None
        report["group"] = self.group and {
            "peak_bytes": self.group.peak_bytes,
            "held_bytes": self.group.held_bytes,
            "kills": self.group.kills,
        }
        if self.worker != worker:
            self.wrong.append("the worker was replaced: it died or was killed")
        if "Traceback" in self.log.read_text(errors="replace"):
            self.wrong.append(f"a traceback in the server's log:\n{self.tail()}")
        return report

    def start(self, photo: traffic.Request) -> dict[str, float]:
        """Seconds from the start until it listens, is warm and has scored its first photo; and the processor time of all that."""
        since = {}
        self.wait()
        since["listens_s"] = time.perf_counter() - self.begun
        self.ask(traffic.Request("warm-up", "/_ah/warmup"))
        since["warm_s"] = time.perf_counter() - self.begun
        self.ask(photo)
        since["first_photo_s"] = time.perf_counter() - self.begun
        since["processor_s"] = sandbox.processor_seconds(self.process.pid)
        return since

    def wait(self, seconds: float = 120.0) -> None:
        """Until the port answers; RuntimeError with the end of the log if it does not."""
        while time.perf_counter() - self.begun < seconds and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the server does not answer; the end of its log:\n{self.tail()}")

    def ask(self, request: traffic.Request) -> float:
        """Send `request` and hold its answer against what was expected; gives milliseconds."""
        begun = time.perf_counter()
        try:
            answer = traffic.send(self.port, request)
        except OSError as error:
            self.wrong.append(f"{request.name}: {type(error).__name__} {error}")
            return (time.perf_counter() - begun) * 1000
        found = len(json.loads(answer.body)["faces"]) if request.faces and answer.status == 200 else 0
        if answer.status not in request.statuses or found < request.faces:
            self.wrong.append(f"{request.name}: status {answer.status}, {found} faces: {answer.body[:200]!r}")
        return answer.seconds * 1000

    def at_once(self, requests: Iterable[traffic.Request]) -> list[float]:
        """Send `requests` with CLIENTS under way at a time; gives milliseconds each."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self.ask, requests))

    @property
    def worker(self) -> int:
        """Id of the process that answers: the youngest one."""
        return max(sandbox.descendants(self.process.pid), default=self.process.pid)

    def tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def quantiles(milliseconds: Iterable[float]) -> dict[str, float]:
    """Count, median and 99th percentile."""
    ordered = sorted(milliseconds)
    return {"count": len(ordered), "p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[int(len(ordered) * 0.99)]}
