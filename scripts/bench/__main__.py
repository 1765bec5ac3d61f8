"""Measure this project against the usual stack, the same made small, and the package fer, in one run on one machine.

    make bench                         all of it, under six minutes: benchmarks/<date>.md and .svg
    python -m scripts.bench --quick    a minute, to see that it works: build/<date>.md, nothing to publish

Runs in .venv-bench (requirements-bench.txt and fer); this project's server runs in .venv. Machines are noisy: the contestants
are asked in turn, round after round, and compared as ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from . import runner
from .chart import draw
from .contenders import APP, CLIENTS, CONFIG, ROOT, Contestant
from .report import report, targets
from .runner import Pace

ASK = """import sys
from importlib.metadata import version
print(sys.version.split()[0], *(f"{name} {version(name)}" for name in sys.argv[1:]), sep=", ")"""
OURS = ("ai-edge-litert", "Flask", "gunicorn", "numpy", "opencv-python-headless", "pillow")
RIVALS = ("tensorflow-cpu", "keras", "fer", "Flask", "gunicorn", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Plan:
    """How often and how long; `one_core`: who is also measured on one core."""

    starts: int
    photos: Pace
    together: Pace
    sweeps: int
    faces: tuple[int, ...]
    sizes: tuple[float, ...]
    alone: Pace
    one_core: tuple[str, ...]


FULL = Plan(
    starts=3,
    photos=Pace(15, 1.2, 6),
    together=Pace(3, 2.5),
    sweeps=3,
    faces=(1, 2, 5, 10, 20, 50),
    sizes=tuple(runner.SCENES),
    alone=Pace(5, 1.2, 4),
    one_core=("ours", "usual", "small", "fer"),
)
QUICK = Plan(1, Pace(3, 0.6, 2), Pace(1, 1.0), 1, (1, 10), (0.3, 3.1), Pace(2, 0.6), ("ours",))


def contestants(ours: Path, models: Path) -> list[Contestant]:
    """The four columns; `ours` is the Python of this project's server, `models` the folder of the rivals' networks."""
    environment = {"BENCH_MODELS": str(models)}
    rivals = [("usual", "usual stack"), ("small", "usual at 48 px"), ("fer", "fer")]
    here, app = Path(sys.executable), "scripts.bench.baselines:create_app('{}')".format
    return [
        Contestant("ours", "this project", ours, APP, CONFIG.get("env_variables", {})),
        *(Contestant(key, title, here, app(key), environment) for key, title in rivals),
    ]


def measure(columns: list[Contestant], plan: Plan, folder: Path) -> None:
    """Everything, of every contestant; logs go to `folder`."""
    photo, explained = runner.photo(), runner.explained()
    with ExitStack() as stack:
        say(f"starts, {plan.starts} each")
        servers = runner.start_all(stack, columns, plan.starts, folder, photo)
        say(f"photos, {plan.photos.rounds} rounds")
        runner.ask_photos(servers, plan.photos, photo)
        say(f"photos of {CLIENTS} clients at once, {plan.together.rounds} rounds")
        runner.ask_together(servers, plan.together, photo)
        say("more faces")
        runner.sweep(servers, plan.sweeps, "faces", runner.crowds(plan.faces))
        say("larger pictures")
        runner.sweep(servers, plan.sweeps, "sizes", runner.scenes(plan.sizes))
        say("answers explained")
        for server in servers:
            if server.contestant.key == runner.OURS:
                server.contestant.measured.explained = runner.ask_explained(server, runner.EXPLAINED, explained)
        runner.note_peaks(servers)
    say(f"one core, {plan.alone.rounds} rounds")
    alone = [column for column in columns if column.key in plan.one_core]
    runner.ask_on_one_core(alone, plan.alone, folder, photo, explained)


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def facts(command: str, ours: Path, load: float) -> dict[str, str]:
    """What, when and where, in words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.now().date().isoformat(),
        "command": f"`{command}`",
        "commit": git("rev-parse", "--short=12", "HEAD") + (" and uncommitted changes" if changed else ""),
        "processor": f"{model}, {len(os.sched_getaffinity(0))} cores; {memory:.0f} GB of memory",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.1f} processes" + (": other work was running, do not trust these figures" if load > 0.5 else ""),
        "this project": "Python " + versions(ours, OURS),
        "the others": "Python " + versions(Path(sys.executable), RIVALS),
    }


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "not known"


def versions(python: Path, packages: tuple[str, ...]) -> str:
    return subprocess.run([python, "-c", ASK, *packages], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds, few pictures: only to see that it works")
    parser.add_argument("--out", type=Path, help="folder of the report and chart (default benchmarks, or build with --quick)")
    parser.add_argument("--ours", type=Path, default=ROOT / ".venv/bin/python", help="Python of this project's server")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is ended
    out = options.out or ROOT / ("build" if options.quick else "benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    known = facts("python -m scripts.bench --quick" if options.quick else "make bench", options.ours, os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        say("the rivals' networks")
        subprocess.run([sys.executable, "-m", "scripts.bench.baselines", folder], cwd=ROOT, check=True, capture_output=True)
        columns = contestants(options.ours, folder)
        measure(columns, QUICK if options.quick else FULL, folder)
    titles, measured = {column.key: column.title for column in columns}, {column.key: column.measured for column in columns}
    path = out / f"{known['date']}.md"
    draw(measured, titles, path.with_suffix(".svg"))
    path.write_text(report(measured, titles, known, path.with_suffix(".svg").name))
    for target, got, reached in targets(measured, titles):
        print(f"{'reached' if reached else 'NOT REACHED':12} {target}: {got}")
    say(f"{path} is written")


if __name__ == "__main__":
    main()
