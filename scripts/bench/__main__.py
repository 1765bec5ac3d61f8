"""Benchmark of this project against a usual Keras stack, the same at 48 px, and the package fer, on one machine.

    make bench                         all measurements, under six minutes: benchmarks/<date>.md and .svg
    python -m scripts.bench --quick    one minute, to check that it works: build/<date>.md

Runs in .venv-bench (requirements-bench.txt and fer); this project's server runs in .venv. The contenders
are measured alternately in several rounds and compared by ratios within a round, which cancels most noise.
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

from ..common.machine import processor
from ..deploy.appengine import ROOT
from ..deploy.serving import APP, ENVIRONMENT
from . import runner
from .chart import draw
from .contenders import CLIENTS, Contender
from .report import report, targets
from .runner import Schedule

VERSIONS_CODE = """import sys
from importlib.metadata import version
print(sys.version.split()[0], *(f"{name} {version(name)}" for name in sys.argv[1:]), sep=", ")"""
OWN_PACKAGES = ("ai-edge-litert", "Flask", "gunicorn", "numpy", "opencv-python-headless", "pillow")
BASELINE_PACKAGES = ("tensorflow-cpu", "keras", "fer", "Flask", "gunicorn", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class BenchmarkPlan:
    """Rounds and durations; `one_core_contenders` are also measured on one core."""

    starts: int
    photos: Schedule
    concurrent: Schedule
    sweeps: int
    faces: tuple[int, ...]
    sizes: tuple[float, ...]
    one_core: Schedule
    one_core_contenders: tuple[str, ...]


FULL = BenchmarkPlan(
    starts=3,
    photos=Schedule(15, 1.2, 6),
    concurrent=Schedule(3, 2.5),
    sweeps=3,
    faces=(1, 2, 5, 10, 20, 50),
    sizes=tuple(runner.SCENES),
    one_core=Schedule(5, 1.2, 4),
    one_core_contenders=("ours", "usual", "small", "fer"),
)
QUICK = BenchmarkPlan(1, Schedule(3, 0.6, 2), Schedule(1, 1.0), 1, (1, 10), (0.3, 3.1), Schedule(2, 0.6), ("ours",))


def build_contenders(own_python: Path, models: Path) -> list[Contender]:
    """Return the four contenders; `own_python` runs this project's server, `models` holds the baselines' networks."""
    environment = {"BENCH_MODELS": str(models)}
    baselines = [("usual", "usual stack"), ("small", "usual at 48 px"), ("fer", "fer")]
    here, app = Path(sys.executable), "scripts.bench.baselines:create_app('{}')".format
    return [
        Contender("ours", "this project", own_python, APP, ENVIRONMENT),
        *(Contender(key, title, here, app(key), environment) for key, title in baselines),
    ]


def measure(columns: list[Contender], plan: BenchmarkPlan, folder: Path) -> None:
    """Run all measurements of all contenders; logs are written to `folder`."""
    photo, saliency = runner.photo(), runner.saliency()
    with ExitStack() as stack:
        log(f"starts, {plan.starts} each")
        servers = runner.start_all(stack, columns, plan.starts, folder, photo)
        log(f"photos, {plan.photos.rounds} rounds")
        runner.measure_photos(servers, plan.photos, photo)
        log(f"photos of {CLIENTS} concurrent clients, {plan.concurrent.rounds} rounds")
        runner.measure_concurrent(servers, plan.concurrent, photo)
        log("more faces")
        runner.sweep(servers, plan.sweeps, "faces", runner.crowds(plan.faces))
        log("larger pictures")
        runner.sweep(servers, plan.sweeps, "sizes", runner.scenes(plan.sizes))
        log("saliency maps")
        for server in servers:
            if server.contender.key == runner.OURS:
                server.contender.measured.saliency = runner.measure_saliency(server, runner.SALIENCY, saliency)
        runner.record_peak_memory(servers)
    log(f"one core, {plan.one_core.rounds} rounds")
    one_core = [column for column in columns if column.key in plan.one_core_contenders]
    runner.measure_on_one_core(one_core, plan.one_core, folder, photo, saliency)


def log(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def facts(command: str, own_python: Path, load: float) -> dict[str, str]:
    """Return date, command, commit, machine and versions as text."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.now().date().isoformat(),
        "command": f"`{command}`",
        "commit": git("rev-parse", "--short=12", "HEAD") + (" and uncommitted changes" if changed else ""),
        "processor": f"{processor()}, {len(os.sched_getaffinity(0))} cores; {memory:.0f} GB of memory",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.1f} processes" + (": the machine was busy, these figures are not reliable" if load > 0.5 else ""),
        "this project": "Python " + versions(own_python, OWN_PACKAGES),
        "the others": "Python " + versions(Path(sys.executable), BASELINE_PACKAGES),
    }


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def versions(python: Path, packages: tuple[str, ...]) -> str:
    return subprocess.run([python, "-c", VERSIONS_CODE, *packages], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds and pictures, to check that it works")
    parser.add_argument("--out", type=Path, help="folder of the report and chart (default benchmarks, or build with --quick)")
    parser.add_argument("--ours", type=Path, default=ROOT / ".venv/bin/python", help="Python of this project's server")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that every server is stopped
    out = options.out or ROOT / ("build" if options.quick else "benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    about = facts("python -m scripts.bench --quick" if options.quick else "make bench", options.ours, os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        log("networks of the baselines")
        subprocess.run([sys.executable, "-m", "scripts.bench.baselines", folder], cwd=ROOT, check=True, capture_output=True)
        columns = build_contenders(options.ours, folder)
        measure(columns, QUICK if options.quick else FULL, folder)
    titles, measured = {column.key: column.title for column in columns}, {column.key: column.measured for column in columns}
    path = out / f"{about['date']}.md"
    draw(measured, titles, path.with_suffix(".svg"))
    path.write_text(report(measured, titles, about, path.with_suffix(".svg").name), encoding="utf-8")
    for target, got, reached in targets(measured, titles):
        print(f"{'reached' if reached else 'NOT REACHED':12} {target}: {got}")
    log(f"written: {path}")


if __name__ == "__main__":
    main()
