"""Run a server as a small cloud instance would: read-only files (bubblewrap), capped memory and CPU (control groups).

Both need root, and a kernel or container that lets them: `missing()` says what is not there.
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

# Control groups, versions 1 and 2: cap the memory and CPU of processes, and read what they took.

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds over which the CPU quota is counted; the kernel's default
PREFIX = "emotion-rehearsal-"


class ControlGroupError(RuntimeError):
    """The machine gives no control group; the message says why."""


class ControlGroup:
    """A group whose processes share `memory` bytes (files in RAM included, no swap) and `cpus` cores; removed on exit."""

    def __init__(self, memory: int, cpus: float) -> None:
        self.version = 2 if (ROOT / "cgroup.controllers").exists() else 1
        name, quota = f"{PREFIX}{os.getpid()}", int(cpus * PERIOD)
        if self.version == 2:
            self._memory = self._cpu = ROOT / name
            self._limits = {"memory.max": memory, "memory.swap.max": 0, "cpu.max": f"{quota} {PERIOD}"}
        else:
            self._memory, self._cpu = ROOT / "memory" / name, ROOT / "cpu" / name
            # The order matters: memory with swap may not be less than memory.
            self._limits = {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory,
                            "cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": quota}  # fmt: skip

    @property
    def _folders(self) -> list[Path]:
        return list(dict.fromkeys([self._memory, self._cpu]))

    def __enter__(self) -> ControlGroup:
        try:
            self._sweep()
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
            for _attempt in range(100):  # a killed process leaves its group a moment later
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
    def _sweep() -> None:
        """Remove the groups of runs that were killed before they could."""
        for folder in [*ROOT.glob(f"{PREFIX}*"), *ROOT.glob(f"[mc]*/{PREFIX}*")]:
            owner = folder.name.removeprefix(PREFIX)
            if not Path("/proc", owner).exists() and not ControlGroup.processes(folder):
                folder.rmdir()

    @staticmethod
    def processes(folder: Path) -> list[int]:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]

    def enter(self) -> None:
        """Move the calling process in; meant for `preexec_fn`, so that a program is capped from its first instruction."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak_bytes(self) -> int | None:
        """The most the group held at once, file cache that the kernel could have dropped included; None before Linux 5.19 on
        v2.
        """
        path = self._memory / ("memory.peak" if self.version == 2 else "memory.max_usage_in_bytes")
        return int(path.read_text()) if path.exists() else None

    @property
    def held_bytes(self) -> int:
        """What the group holds now that cannot be dropped: memory of its own and files in RAM."""
        names = ("anon", "shmem") if self.version == 2 else ("total_rss", "total_shmem")
        return sum(self._table("memory.stat").get(name, 0) for name in names)

    @property
    def kills(self) -> int:
        """Processes that the kernel ended for going over the memory cap."""
        return self._table("memory.events" if self.version == 2 else "memory.oom_control").get("oom_kill", 0)

    @property
    def throttled(self) -> float:
        """Share of the periods with work in which the CPU quota ran out."""
        counts = self._table("cpu.stat", self._cpu)
        return counts.get("nr_throttled", 0) / max(counts.get("nr_periods", 0), 1)

    def _table(self, name: str, folder: Path | None = None) -> dict[str, int]:
        lines = ((folder or self._memory) / name).read_text().splitlines()
        return {key: int(value) for key, value in map(str.split, lines)}


CLONE_NEWNET = 0x40000000  # linux/sched.h
SYSTEM = ("/usr", "/etc", "/bin", "/lib", "/lib64", "/sbin")


def bubblewrap(
    command: Sequence[str], *, folder: Path, readable: Sequence[Path], environment: dict[str, str], tmp_bytes: int, info_fd: int
) -> list[str]:
    """The bwrap command that runs `command` in `folder` with nothing to write to but a RAM `/tmp` of `tmp_bytes`.

    Only the system's folders, `folder` and those in `readable` are seen; the network is a loopback of its own.
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


def missing() -> dict[str, str]:
    """What this machine does not give, with the reason: `files` (read-only file system), `caps` (memory and CPU)."""
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


def left_out(missing: dict[str, str]) -> str:
    """A line for each thing of `missing()` that a rehearsal goes without."""
    things = {"files": "the read-only file system", "caps": "the caps on memory and CPU"}
    return "".join(f"Left out: {things[what]} ({reason}).\n" for what, reason in missing.items())


def start_plain(
    command: Sequence[str], *, group: ControlGroup | None, log: Path, folder: Path, environment: dict[str, str]
) -> subprocess.Popen:
    """Start `command` without a sandbox: all that a machine without bubblewrap can do."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=group.enter if group else None,
        )  # fmt: skip


def start(command: Sequence[str], *, group: ControlGroup | None, log: Path, **options) -> tuple[subprocess.Popen, int]:
    """Start `command` in a sandbox (`options` as for `bubblewrap`) inside `group`; gives bwrap and the id of its first child."""
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
    """End `process` and all it started; return when their memory is free, after `seconds` at the latest."""
    below = descendants(process.pid)
    for pid in [*below, process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    # They are not ours to wait for, and on a busy machine a killed process lives on for a moment.
    until = time.monotonic() + seconds
    while any(resident_bytes(pid) for pid in below) and time.monotonic() < until:
        time.sleep(0.01)


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """Let this thread, and those it starts, use the network of process `pid`. Root only; OSError otherwise."""
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
    """Ids of the processes under `pid`, itself left out."""
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


def resident_bytes(pid: int, field: str = "VmRSS") -> int:
    """Resident memory of a process, shared libraries included (VmHWM: the most it ever was); 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field)), 0)


def processor_seconds(pid: int) -> float:
    """Processor time that `pid` and the processes under it have taken so far, in seconds; those that ended are left out."""
    ticks = 0
    for each in (pid, *descendants(pid)):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def forget(folder: Path) -> None:
    """Drop the files under `folder` from the file cache, so that a start reads them as on a machine that never ran them."""
    os.sync()  # only what is written can be dropped
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
