"""LiteRT runner: CPU quotas, standard error, thread safety."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotions.runtime.litert import available_cpus
from emotions.runtime.manifest import ModelRegistry

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


def test_an_unloaded_model_loads_again():
    registry = ModelRegistry()
    entry = registry.entry("expression-head", "mixed")
    model, batch = registry.model(entry), np.ones((1, entry.input["size"]), np.float32)
    expected = model(batch)[0]
    registry.unload(["expression-head"], idle_seconds=60)
    assert model.loaded, "it has just been used"
    registry.unload(["text"])
    assert model.loaded
    registry.unload(["expression-head"])
    assert not model.loaded
    np.testing.assert_array_equal(model(batch)[0], expected)


def resident_part(path: Path) -> float:
    """Share of the mapped bytes of the file `path` that are resident in this process."""
    sizes = {b"Size:": 0, b"Rss:": 0}
    inside = False
    for line in Path("/proc/self/smaps").read_bytes().splitlines():
        words = line.split()
        if not words[0].endswith(b":"):
            inside = line.endswith(bytes(path))
        elif inside and words[0] in sizes:
            sizes[words[0]] += int(words[1])
    return sizes[b"Rss:"] / sizes[b"Size:"]


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the memory of mappings is read from /proc/self/smaps")
def test_weights_that_were_repacked_do_not_stay_in_memory():
    registry = ModelRegistry()
    base = registry.entry("expression-base")
    model = registry.model(base)
    faces = np.ones((1, base.input["size"], base.input["size"], base.input["channels"]), np.float32)
    first = model(faces)[0]
    assert resident_part(registry.folder / base.file) < 0.5
    model.unload()
    assert not model.loaded and np.array_equal(model(faces)[0], first)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_models_load_from_folders_whose_name_is_no_text(tmp_path):
    folder = tmp_path / os.fsdecode(b"mod\xe8les")
    shutil.copytree(ModelRegistry().folder, folder)
    entry = ModelRegistry().entry("expression-head")
    batch = np.ones((3, entry.input["size"]), np.float32)
    found, expected = (registry.model(entry)(batch) for registry in (ModelRegistry(folder), ModelRegistry()))
    assert np.array_equal(found[0], expected[0])
