"""LiteRT runner: CPU quotas, standard error, thread safety."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emotions.runtime.litert import available_cpus

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import numpy as np
from emotions.runtime.manifest import ModelRegistry
registry = ModelRegistry()
head = registry.entry("expression-head", "mixed")
registry.model(head)(np.zeros((1, head.metadata["input"]["size"]), np.float32))
"""


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


def v1(group: str, quota: int) -> dict[str, str]:
    """The files of a control group of version 1; a quota of -1 is none."""
    return {f"sys/fs/cgroup/{group}/cpu.cfs_{name}_us": f"{value}\n" for name, value in (("quota", quota), ("period", 100_000))}


V2, V1 = {"proc/self/cgroup": "0::/app/worker\n"}, {"proc/self/cgroup": "9:memory:/app\n4:cpu,cpuacct:/app\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        (V2, 8),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "max 100000\n"}, 8),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "200000 100000\n"}, 2),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "150000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "30000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "400000 100000\n", "sys/fs/cgroup/app/cpu.max": "300000 100000\n"}, 3),
        (V2 | {"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),  # a container that sees its own group as the root
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "9900000 100000\n"}, 8),
        (V2 | {"sys/fs/cgroup/app/worker/cpu.max": "nonsense\n"}, 8),
        (V1, 8),
        (V1 | v1("cpu,cpuacct/app", -1), 8),
        (V1 | v1("cpu,cpuacct/app", 200_000), 2),
        (V1 | v1("cpu", 100_000), 1),
    ],
)  # fmt: skip
def test_cpu_quotas_limit_the_available_cpus(tmp_path, monkeypatch, files, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert available_cpus(tree(tmp_path, files)) == cpus


def test_affinity_limits_the_available_cpus(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert available_cpus(tmp_path) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cpus(tmp_path) == 1


def run(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def test_nothing_is_written_to_standard_error():
    done = run(LOAD)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_lines_on_standard_error_are_kept():
    """Another thread writes to the file descriptor while the first model is loaded."""
    code = f"""
import os, threading
stop = threading.Event()
count = 0
def write():
    global count
    while not stop.is_set():
        os.write(2, b"line\\n")
        count += 1
        stop.wait(0.0005)
thread = threading.Thread(target=write)
thread.start()
{LOAD}
stop.set()
thread.join()
print(count)
"""
    done = run(code)
    assert done.returncode == 0 and set(done.stderr.split("\n")) == {"line", ""}
    assert done.stderr.count("line\n") == int(done.stdout)


def test_a_closed_standard_error_is_no_error():
    done = subprocess.run(["bash", "-c", '"$0" -c "$1" 2>&-', sys.executable, LOAD], cwd=ROOT, timeout=120)
    assert done.returncode == 0
