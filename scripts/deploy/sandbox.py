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

from .cgroups import ControlGroup, ControlGroupError

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
