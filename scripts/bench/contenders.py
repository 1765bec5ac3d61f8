"""Contenders of the benchmark: start and stop of their servers, HTTP client, and measurements."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..deploy import sandbox
from ..deploy.serving import run_gunicorn
from ..deploy.traffic import Request
from .figures import Measurements

CLIENTS = 4
TIMEOUT = 120.0


@dataclass(frozen=True)
class Contender:
    """A server to measure: the Python of its virtual environment and what gunicorn serves."""

    key: str
    title: str
    python: Path
    app: str
    environment: Mapping[str, str] = field(default_factory=dict)
    measured: Measurements = field(default_factory=Measurements)


@dataclass
class Server:
    """The running server of a contender."""

    contender: Contender
    process: subprocess.Popen
    port: int
    log: Path
    started: float

    @property
    def worker(self) -> int:
        """Id of the worker process: gunicorn's only child."""
        return max(sandbox.descendants(self.process.pid), default=self.process.pid)

    def connect(self) -> http.client.HTTPConnection:
        """Open a keep-alive connection as soon as the server listens. Raises RuntimeError with the end of its log if it does
        not."""
        until = time.perf_counter() + TIMEOUT
        while time.perf_counter() < until and self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
            try:
                connection.connect()
                return connection
            except ConnectionRefusedError:
                time.sleep(0.01)
        log = self.log.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{self.contender.title} does not listen; the end of its log:\n{log[-2000:]}")

    def send(self, connection: http.client.HTTPConnection, request: Request) -> tuple[float, dict[str, Any]]:
        """Send a request; returns milliseconds until the end of the response, and its JSON. Raises RuntimeError unless it is a
        200."""
        started = time.perf_counter()
        connection.request("POST", request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
        milliseconds = (time.perf_counter() - started) * 1e3
        if response.status != 200:
            raise RuntimeError(f"{self.contender.title} answers {response.status}: {body[:300]!r}")
        return milliseconds, json.loads(body)

    def sequence(self, request: Request, seconds: float, min_requests: int) -> list[tuple[float, dict[str, Any]]]:
        """Send `request` for `seconds`, at least `min_requests` times, on one connection. A first request is sent for warm-up."""
        with closing(self.connect()) as connection:
            self.send(connection, request)
            responses: list[tuple[float, dict[str, Any]]] = []
            until = time.perf_counter() + seconds
            while len(responses) < min_requests or time.perf_counter() < until:
                responses.append(self.send(connection, request))
        return responses

    def rate(self, request: Request, seconds: float) -> float:
        """Return responses per second to CLIENTS concurrent clients that send `request` one after another for `seconds`."""
        started = time.perf_counter()

        def client(_: int) -> int:
            count = 0
            with closing(self.connect()) as connection:
                while time.perf_counter() - started < seconds:
                    self.send(connection, request)
                    count += 1
            return count

        with ThreadPoolExecutor(CLIENTS) as pool:
            total = sum(pool.map(client, range(CLIENTS)))
        return total / (time.perf_counter() - started)


@contextmanager
def run_server(contender: Contender, folder: Path, core: int | None = None) -> Iterator[Server]:
    """Run the contender's server with the options of app.yaml, pinned to `core` if one is given."""
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **contender.environment}
    log, started = folder / f"{contender.key}.log", time.perf_counter()
    with run_gunicorn(contender.python, contender.app, environment, log, pinned) as (process, port):
        yield Server(contender, process, port, log, started)


def peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
