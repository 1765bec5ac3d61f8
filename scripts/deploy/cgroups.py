"""Control groups, versions 1 and 2: cap the memory and CPU of processes, and read what they took."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

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
            for _ in range(100):  # a killed process leaves its group a moment later
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
        """The most the group held at once, file cache that the kernel could have dropped included; None before Linux 5.19 on v2."""
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
