"""Sandbox like a small cloud instance: read-only files (bubblewrap), limited memory and CPU (control groups).

Both need root and a kernel or container that permits them; `missing_features()` reports what is unavailable.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CPU_PERIOD_US = 100_000  # period of the CPU quota; the kernel's default
GROUP_PREFIX = "emotion-sandbox-"


class ControlGroupError(RuntimeError):
    """A control group cannot be created; the message says why."""


class ControlGroup:
    """Control group (version 1 or 2) that limits its processes to `memory` bytes (tmpfs included, no swap) and `cpus` cores."""

    def __init__(self, memory: int, cpus: float) -> None:
        self.version = 2 if (ROOT / "cgroup.controllers").exists() else 1
        name, quota = f"{GROUP_PREFIX}{os.getpid()}", int(cpus * CPU_PERIOD_US)
        if self.version == 2:
            self._memory = self._cpu = ROOT / name
            self._limits = {"memory.max": memory, "memory.swap.max": 0, "cpu.max": f"{quota} {CPU_PERIOD_US}"}
        else:
            self._memory, self._cpu = ROOT / "memory" / name, ROOT / "cpu" / name
            # In this order: the limit with swap must not be below that of memory.
            self._limits = {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory,
                            "cpu.cfs_period_us": CPU_PERIOD_US, "cpu.cfs_quota_us": quota}  # fmt: skip

    @property
    def _folders(self) -> list[Path]:
        return list(dict.fromkeys([self._memory, self._cpu]))

    def __enter__(self) -> ControlGroup:
        try:
            self._remove_stale_groups()
            if self.version == 2:
                (ROOT / "cgroup.subtree_control").write_text("+memory +cpu")
            for folder in self._folders:
                folder.mkdir()
            for name, value in self._limits.items():
                path = (self._cpu if name.startswith("cpu") else self._memory) / name
                if path.exists() or "sw" not in name:  # kernels without swap accounting lack the swap files
                    path.write_text(str(value))
        except OSError as error:
            self.__exit__()
            raise ControlGroupError(f"{error.filename or ROOT}: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self._folders:
            for _attempt in range(100):  # a killed process leaves its group with a delay
                try:
                    for pid in self.processes(folder):
                        os.kill(pid, signal.SIGKILL)
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.05)
                else:
                    break

    @staticmethod
    def _remove_stale_groups() -> None:
        """Remove groups left behind by killed runs."""
        for folder in [*ROOT.glob(f"{GROUP_PREFIX}*"), *ROOT.glob(f"[mc]*/{GROUP_PREFIX}*")]:
            owner = folder.name.removeprefix(GROUP_PREFIX)
            if not Path("/proc", owner).exists() and not ControlGroup.processes(folder):
                folder.rmdir()

    @staticmethod
    def processes(folder: Path) -> list[int]:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]

    def enter(self) -> None:
        """Move the calling process into the group; meant for `preexec_fn`, so that limits apply from the program's start."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak_bytes(self) -> int | None:
        """Peak memory including reclaimable file cache; None on version 2 before Linux 5.19."""
        path = self._memory / ("memory.peak" if self.version == 2 else "memory.max_usage_in_bytes")
        return int(path.read_text()) if path.exists() else None

    @property
    def held_bytes(self) -> int:
        """Current memory that cannot be reclaimed: anonymous memory and tmpfs."""
        names = ("anon", "shmem") if self.version == 2 else ("total_rss", "total_shmem")
        return sum(self._table("memory.stat").get(name, 0) for name in names)

    @property
    def oom_kills(self) -> int:
        """Number of processes killed because of the memory limit."""
        return self._table("memory.events" if self.version == 2 else "memory.oom_control").get("oom_kill", 0)

    def _table(self, name: str) -> dict[str, int]:
        lines = (self._memory / name).read_text().splitlines()
        return {key: int(value) for key, value in map(str.split, lines)}


CLONE_NEWNET = 0x40000000  # linux/sched.h
SYSTEM = ("/usr", "/etc", "/bin", "/lib", "/lib64", "/sbin")


def bubblewrap(
    command: Sequence[str], *, folder: Path, readable: Sequence[Path], environment: dict[str, str], tmp_bytes: int, info_fd: int
) -> list[str]:
    """Return the bwrap command that runs `command` in `folder` with a /tmp of `tmp_bytes` in memory as the only writable place.

    Only the system's folders, `folder` and those of `readable` are visible; the network namespace has only a loopback interface.
    """
    words = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--info-fd", str(info_fd)]
    words += [
        "--unshare-user",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-net",
    ]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in (folder, *readable):
        words += ["--ro-bind", str(path), str(path)]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(tmp_bytes), "--tmpfs", "/tmp"]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(folder)]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return [*words, *command]


def missing_features() -> dict[str, str]:
    """Features that this machine lacks, with the reason: `files` (read-only file system), `caps` (memory and CPU)."""
    if os.geteuid() != 0:
        return dict.fromkeys(("files", "caps"), "needs root")
    reasons = {}
    if shutil.which("bwrap") is None:
        reasons["files"] = "bubblewrap is not installed"
    else:
        probe = bubblewrap(["true"], folder=Path("/usr"), readable=[], environment={}, tmp_bytes=2**20, info_fd=1)
        done = subprocess.run(probe, capture_output=True, text=True)
        if done.returncode != 0:
            reasons["files"] = f"bubblewrap cannot run: {done.stderr.strip()}"
    try:
        with ControlGroup(memory=2**26, cpus=0.5):
            pass
    except ControlGroupError as error:
        reasons["caps"] = str(error)
    return reasons


def describe_missing(missing: dict[str, str]) -> str:
    """Return a line for each missing sandbox feature."""
    things = {"files": "the read-only file system", "caps": "the limits of memory and CPU"}
    return "".join(f"Skipped: {things[what]} ({reason}).\n" for what, reason in missing.items())


def start_unsandboxed(
    command: Sequence[str], *, group: ControlGroup | None, log: Path, folder: Path, environment: dict[str, str]
) -> subprocess.Popen:
    """Start `command` without a sandbox, for machines without bubblewrap."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=group.enter if group else None,
        )  # fmt: skip


def start(command: Sequence[str], *, group: ControlGroup | None, log: Path, **options) -> tuple[subprocess.Popen, int]:
    """Start `command` in a sandbox inside of `group`; returns bwrap and the id of its first child. `options`: see
    `bubblewrap`."""
    readable, writable = os.pipe()
    with open(readable) as info, log.open("wb") as output:
        try:
            process = subprocess.Popen(
                bubblewrap(command, info_fd=writable, **options), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, pass_fds=[writable], preexec_fn=group.enter if group else None,
            )  # fmt: skip
        finally:
            os.close(writable)
        return process, json.loads(info.read())["child-pid"]


def stop(process: subprocess.Popen, seconds: float = 10.0) -> None:
    """Kill `process` and its descendants; return when their memory is freed, after `seconds` at the latest."""
    below = descendants(process.pid)
    for pid in [process.pid, *below]:  # the parent first: it might replace a killed worker
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    # Only direct children can be waited for, and killed processes end with a delay on a busy machine.
    until = time.monotonic() + seconds
    while any(resident_bytes(pid) for pid in below) and time.monotonic() < until:
        time.sleep(0.01)


@contextmanager
def join_network(pid: int) -> Iterator[None]:
    """Switch this thread, and those it starts, to the network namespace of process `pid`. Raises OSError unless run as root."""
    libc = ctypes.CDLL(None, use_errno=True)

    def join(namespace) -> None:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    with open("/proc/thread-self/ns/net") as home, open(f"/proc/{pid}/ns/net") as theirs:
        join(theirs)
        try:
            yield
        finally:
            join(home)


def descendants(pid: int) -> list[int]:
    """Return the ids of all descendants of `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, queue = [], [pid]
    while queue:
        queue += (below := children.get(queue.pop(), []))
        found += below
    return found


def parents(pids: Sequence[int]) -> dict[int, int]:
    """Return the parent of each of `pids` that still runs."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def resident_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return the resident memory of a process in bytes, shared libraries included; 0 if it has ended. Field VmHWM: its peak."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field)), 0)


def processor_seconds(pid: int) -> float:
    """Return the processor seconds of `pid` and its running descendants so far."""
    ticks = 0
    for each in (pid, *descendants(pid)):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def drop_file_cache(folder: Path) -> None:
    """Drop the files under `folder` from the file cache, so that a start reads them from disk."""
    os.sync()  # only written pages can be dropped
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
