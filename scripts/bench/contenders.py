"""A contestant of the benchmark: how its server is started, asked and ended, and the figures that it collects."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..deploy import sandbox
from ..deploy.appengine import read_config
from ..deploy.traffic import Request
from .figures import Measured

ROOT = Path(__file__).resolve().parents[2]
CONFIG = read_config(ROOT)
_, _, _, *GUNICORN, APP = CONFIG["entrypoint"].split()  # gunicorn --bind :$PORT OPTIONS main:app
"""As app.yaml starts this project's server; every contestant is started with the same options."""
CLIENTS = 4
TIMEOUT = 120.0


@dataclass(frozen=True)
class Contestant:
    """A server to measure: the Python of its virtual environment and what gunicorn serves."""

    key: str
    title: str
    python: Path
    app: str
    environment: dict[str, str] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)


@dataclass
class Server:
    """A contestant's running server."""

    contestant: Contestant
    process: subprocess.Popen
    port: int
    log: Path
    begun: float

    @property
    def worker(self) -> int:
        """Id of the process that answers: gunicorn's only child."""
        return max(sandbox.descendants(self.process.pid), default=self.process.pid)

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept alive, once the server listens. RuntimeError with the end of its log if it never does."""
        until = time.perf_counter() + TIMEOUT
        while time.perf_counter() < until and self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
            try:
                connection.connect()
                return connection
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise RuntimeError(f"{self.contestant.title} does not listen; the end of its log:\n{self.log.read_text()[-2000:]}")

    def ask(self, connection: http.client.HTTPConnection, request: Request) -> tuple[float, dict[str, Any]]:
        """Milliseconds until the whole answer is here, and the answer. RuntimeError for anything but a 200."""
        begun = time.perf_counter()
        connection.request("POST", request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
        taken = (time.perf_counter() - begun) * 1e3
        if response.status != 200:
            raise RuntimeError(f"{self.contestant.title} answers {response.status}: {body[:300]!r}")
        return taken, json.loads(body)

    def sequence(self, request: Request, seconds: float, least: int) -> list[tuple[float, dict[str, Any]]]:
        """Answers to `request` on one connection for `seconds`, `least` or more. The first is not counted: caches are cold."""
        with closing(self.connect()) as connection:
            self.ask(connection, request)
            answers: list[tuple[float, dict[str, Any]]] = []
            until = time.perf_counter() + seconds
            while len(answers) < least or time.perf_counter() < until:
                answers.append(self.ask(connection, request))
        return answers

    def rate(self, request: Request, seconds: float) -> float:
        """Answers a second to CLIENTS that each send `request` for `seconds`, a new one as soon as the last is answered."""
        begun = time.perf_counter()

        def client(_: int) -> int:
            count = 0
            with closing(self.connect()) as connection:
                while time.perf_counter() - begun < seconds:
                    self.ask(connection, request)
                    count += 1
            return count

        with ThreadPoolExecutor(CLIENTS) as pool:
            total = sum(pool.map(client, range(CLIENTS)))
        return total / (time.perf_counter() - begun)


@contextmanager
def serving(contestant: Contestant, folder: Path, core: int | None = None) -> Iterator[Server]:
    """Start the contestant's server on a free port of 127.0.0.1, on `core` alone if one is given; it is ended afterwards."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    command = [str(contestant.python), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *GUNICORN, contestant.app]
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TF_CPP_MIN_LOG_LEVEL": "2", **contestant.environment}
    log, begun = folder / f"{contestant.key}.log", time.perf_counter()
    process = sandbox.start_unsandboxed([*pinned, *command], group=None, log=log, folder=ROOT, environment=environment)
    try:
        yield Server(contestant, process, port, log, begun)
    finally:
        sandbox.stop(process)


def peak_bytes(pid: int) -> int:
    """The most memory that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
