"""Hostile inputs, soak and overload in short, against the real server; times are not judged."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.deploy import sandbox
from scripts.hostile import overload, readers, soak
from scripts.hostile.campaign import warm_up
from scripts.hostile.client import exchange
from scripts.hostile.inputs import build
from scripts.hostile.server import depth_of, running_server

ROOT = Path(__file__).resolve().parents[3]
MISSING = sandbox.missing_features()


def sandboxed(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a slow test that needs a complete sandbox; it is skipped where this machine lacks a part."""
    skipped = pytest.mark.skipif(bool(MISSING), reason=f"not available on this machine: {MISSING}")
    return pytest.mark.slow(pytest.mark.sandbox(skipped(test)))


def send_inputs(count: int, seed: int, folder: Path) -> str:
    """Run `count` inputs of `seed`; returns the report. Fails with the report and the list of failed inputs."""
    words = ["--count", count, "--seed", seed, "--busy", "--keep", folder, "--out", folder / "report.md"]
    command = [sys.executable, "-m", "scripts.hostile", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr + (folder / "failed.jsonl").read_text(encoding="utf-8")
    return (folder / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_some_hostile_inputs(tmp_path):
    text = send_inputs(60, 11, tmp_path)
    assert "| image | 18 |" in text and (tmp_path / "server.log").stat().st_size > 0


@sandboxed
def test_thousand_hostile_inputs(tmp_path):
    assert "| image | 300 |" in send_inputs(1000, 12, tmp_path)


SHORT_GROWTH = 0.5
"""Bar of the growth of memory at rest in a short run: a picture leaked by each request would hold several times as much."""


def check_soak(seconds: float, round_seconds: float) -> None:
    with running_server(2.0) as server:
        warm_up(server)
        done = soak.soak(server, 13, seconds, round_seconds=round_seconds)
    assert done.broken(busy=True, max_growth=SHORT_GROWTH) == []
    assert done.statuses[200] > 20 and len(done.rounds) >= 4
    assert "file descriptors" in soak.markdown(done, "command")


@sandboxed
def test_soak():
    check_soak(90, 10)


def check_overload(seconds: float, clients: list[int]) -> None:
    done = overload.measure(None, seconds, clients, progress=lambda _: None)
    assert done.broken(overload.NO_BAR) == []
    assert all(one.health.times() for one in done.bursts) and all(health.times() for _, health, *_ in done.slow)
    (_, restart) = done.restarts[0]
    assert restart < float("inf")
    assert [row[3]["opened"] for row in done.slow] >= [200, 1500]
    assert f"| {clients[-1]} |" in overload.markdown(done, "command", overload.Bar())


@sandboxed
def test_overload():
    check_overload(4, [1, 16])


@pytest.mark.slow
def test_a_killed_worker_is_seen_and_replaced():
    photo = soak.to_bytes(soak.ordinary_requests()[0])
    with running_server(2.0) as server:
        assert exchange(server.port, photo).status == 200
        while not server.worker or server.state().threads < 2:  # the watcher looks each second
            time.sleep(0.05)
        before, state = server.worker, server.state()
        assert state.resident_bytes > 50 * 2**20 and state.descriptors > 3 and state.threads > 1
        assert overload.killed(server, photo) < float("inf")
        while server.worker in (0, before):
            time.sleep(0.05)
        assert server.restarts == 1 and server.state().resident_bytes > 0
        assert server.oom_kills == 0 and server.alive and server.events


def test_one_input_is_sent_again():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.hostile", "--seed", "11", "--only", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout.startswith("image, images.mutated: ") and "faults: none" in done.stdout


def test_depth_of_processes():
    assert [depth_of(pid, {2: 1, 3: 2, 4: 3, 5: 3}) for pid in (2, 3, 4, 5)] == [0, 1, 2, 2]


@pytest.mark.slow
def test_readers_answer_in_words_or_are_at_fault(tmp_path):
    (tmp_path / "in").mkdir()
    for name, data in {
        "1-faces.zip": b"no archive",
        "2-table.npz": b"no table",
        "3-manifest.json": b"{",
        "4-model.tflite": b"x",
    }.items():
        (tmp_path / "in" / name).write_bytes(data)
    lines, ended = readers._read_in_process(tmp_path / "in")
    assert [line["file"][0] for line in lines] == list("1234") and not any(line["faults"] for line in lines), lines
    assert ended.startswith("exit status 0")
    numbers = [number for number in range(200) if build(5, number).kind == "archive"]
    outcomes = readers.run(5, numbers)
    assert [one.number for one in outcomes] == numbers and not any("reader-died" in one.faults for one in outcomes)
    json.dumps([one.__dict__ for one in outcomes])
