"""The real server within the limits of its App Engine instance class, watched from outside: memory, files, threads, kills."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..deploy import appengine, sandbox
from ..deploy.load_testing import LoadTest
from .verdicts import MAX_RESIDENT_BYTES

SAMPLE_SECONDS = 0.05
GROUP_TERMS = {"caps": "memory and processor time are not limited", "files": "files are not read-only"}


@dataclass(frozen=True)
class State:
    """State of the worker between requests: resident memory, open file descriptors, threads, and names in its /tmp.

    Descriptors of model files are not counted: the runtime keeps one for each model that is loaded.
    """

    resident_bytes: int
    descriptors: int
    threads: int
    tmp: tuple[str, ...]


def open_descriptors(pid: int) -> int:
    """Count the open file descriptors of a process, without those of model files. Raises OSError where it has ended."""
    count = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            count += not os.readlink(f"/proc/{pid}/fd/{number}").endswith(".tflite")
    return count


@dataclass
class Server:
    """A running server. `timeline`: (seconds since the start, resident bytes) a second; `events`: (seconds, what happened)."""

    test: LoadTest
    missing: dict[str, str]
    limits: tuple[int, float]
    timeline: list[tuple[float, int]] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    peak_bytes: int = 0
    restarts: int = 0
    current: set[int] = field(default_factory=set)
    ended: list[int] = field(default_factory=list)
    heavy: dict[int, int] = field(default_factory=dict)
    """`current`: numbers of the inputs under way; `ended`: of those that ended since the last sample; `heavy`: number of an input
    -> resident bytes above the bar to which the peak rose while it was under way."""
    _worker: int = 0
    _depth: int = 0
    _mark: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return self.test.port

    @property
    def alive(self) -> bool:
        return self.test.process.poll() is None

    @property
    def oom_kills(self) -> int:
        return self.test.group.oom_kills if self.test.group else 0

    @property
    def worker(self) -> int:
        """Id of the worker; a new one after a restart."""
        return self._worker

    def state(self) -> State:
        try:
            descriptors = open_descriptors(self.worker)
            status = Path(f"/proc/{self.worker}/status").read_text()
        except OSError:  # it has just ended
            return State(0, 0, 0, ())
        threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
        tmp = tuple(sorted(os.listdir(self.test.tmp))) if self.test.tmp else ()
        return State(sandbox.resident_bytes(self.worker), descriptors, threads, tmp)

    def settled_state(self, before: State, seconds: float = 20.0) -> State:
        """Return the state once it has no more files and threads than `before`, or after `seconds`."""
        until = time.monotonic() + seconds
        while True:
            now = self.state()
            if (
                now.descriptors <= before.descriptors and now.threads <= before.threads and not now.tmp
            ) or time.monotonic() > until:
                return now
            time.sleep(0.2)

    def wait_for_worker(self, seconds: float = 60.0) -> bool:
        """Return True once the port accepts connections and a worker runs; False if the server is gone."""
        self.test.started = time.perf_counter()
        try:
            self.test.wait_until_listening(seconds)
        except RuntimeError:
            return False
        return True

    def reset_peak(self) -> None:
        """Reset the kernel's count of the worker's peak memory."""
        with suppress(OSError):  # it has just ended, or this needs root
            Path(f"/proc/{self.worker}/clear_refs").write_text("5")
        self._mark, self.heavy = 0, {}

    def watch(self) -> None:
        """Sample the worker until `stop`; runs in a thread of its own."""
        started, last, next_search = time.monotonic(), 0.0, 0.0
        while not self._stopped.wait(SAMPLE_SECONDS):
            now = time.monotonic() - started
            resident = sandbox.resident_bytes(self._worker) if self._worker else 0
            if self._worker and not resident:
                self.restarts += 1
                self.events.append((now, f"worker {self._worker} ended; kills for memory so far: {self.oom_kills}"))
                self._worker = 0
            if not self._worker or now > next_search:
                next_search = now + 1
                self._worker = self._find_worker() or self._worker
            if not resident:
                continue
            highest = sandbox.resident_bytes(self._worker, "VmHWM")
            under_way = (*self.current, *self.ended)
            self.ended.clear()
            if highest > max(MAX_RESIDENT_BYTES, self._mark):
                self.heavy |= dict.fromkeys(under_way, highest)
            self._mark = highest
            self.peak_bytes = max(self.peak_bytes, highest)
            if now - last >= 1:
                self.timeline.append((now, resident))
                last = now

    def _find_worker(self) -> int:
        """Return the youngest of the deepest processes below the one that was started; 0 while only shallower ones run.

        gunicorn's worker is a child of its first process, which alone is left when a worker was killed.
        """
        if not self.alive:
            return 0
        parents = sandbox.parents(sandbox.descendants(self.test.process.pid))
        depths = {pid: depth_of(pid, parents) for pid in parents}
        self._depth = max([self._depth, *depths.values()])
        deepest = [pid for pid, depth in depths.items() if depth == self._depth and sandbox.resident_bytes(pid)]
        return max(deepest, default=0)

    def stop(self) -> None:
        self._stopped.set()


def depth_of(pid: int, parents: dict[int, int]) -> int:
    """Return the number of ancestors of `pid` among the keys of `parents`."""
    depth = 0
    while (pid := parents.get(pid, 0)) in parents:
        depth += 1
    return depth


def virtual_environment() -> tuple[Path, Path]:
    """Return the running environment, which serves, and the installation folder of its Python."""
    return Path(sys.prefix), Path(sys.base_prefix)


@contextmanager
def running_server(cpus: float | None = None, memory: int | None = None) -> Iterator[Server]:
    """Start the entrypoint of app.yaml on the files that would be uploaded, within the limits of its instance class.

    Args:
        cpus: cores; by default those of the instance class.
        memory: bytes; by default those of the instance class.
    """
    config, missing = appengine.read_config(appengine.ROOT), sandbox.missing_features()
    class_memory, class_cpus = appengine.CLASSES[config["instance_class"]]
    limits = memory or class_memory, cpus or class_cpus
    venv, home = virtual_environment()
    if any(path.is_relative_to("/tmp") for path in (venv, home)):
        missing = missing | {"files": "the environment lies in /tmp, which the sandbox replaces"}
    with tempfile.TemporaryDirectory(prefix="hostile-", dir="/var/tmp") as name:  # the sandbox hides /tmp
        folder = Path(name)
        appengine.copy_upload(appengine.ROOT, folder / "app")
        port = appengine.free_port()
        variables = appengine.environment(config, port)
        with appengine.run_limited(config["entrypoint"], port, variables, limits, folder, home, missing, venv) as test:
            server = Server(test, missing, limits)
            test.wait_until_listening()
            watcher = threading.Thread(target=server.watch, daemon=True)
            watcher.start()
            try:
                yield server
            finally:
                server.stop()
                watcher.join()


def describe(server: Server) -> str:
    """Return a sentence on the limits and versions of a run."""
    memory, cpus = server.limits
    if server.missing:
        return "; ".join(f"{GROUP_TERMS[what]} ({reason})" for what, reason in server.missing.items())
    return f"{memory // 2**20} MB with /tmp in it, {cpus:g} cores, read-only files, Python {platform.python_version()}"
