"""The measurement of speed and memory in the browser, shortened, in a process of its own: Playwright runs once in each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.evaluate.device import live

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(live.CHROMIUM is None, reason="no Chromium on this machine")
def test_speed_and_memory_are_measured(tmp_path):
    report = tmp_path / "speed.md"
    words = ["--rounds", "2", "--seconds", "1", "--frames", "60", "--out", str(report)]
    command = [sys.executable, "-m", "scripts.evaluate.device.live", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    text = report.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z ,]+) \| ([0-9.]+) \| ([0-9.]+) \| ([0-9.]+) \|$", text, re.MULTILINE)
    assert [name for name, *_ in rows] == [
        "answers a second on this device", "answers a second of the server", "ratio", "first answer on this device, seconds",
    ]  # fmt: skip
    assert all(0 < float(least) <= float(median) <= float(most) for _, median, least, most in rows)
    memory = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)]
    assert memory[-1][0] == 60 and all(50 < size < 1024 for _, *sizes in memory for size in sizes)
