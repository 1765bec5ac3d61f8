"""Rehearse Heroku: start Procfile's web command on what a push leaves there, as a small dyno would, and send it real photos.

    python -m scripts.deploy.heroku                        some minutes, most of them for the environment
    python -m scripts.deploy.heroku --json report.json     what was measured, for a program too

The committed files less `.slugignore`, an environment from requirements.txt with the Python of `.python-version` (where there
is one), PORT set, 512 MB, one core. What the machine lacks the rights for is said and left out. Ends with 1 where an answer is
wrong or takes longer than Heroku waits (30 s), memory runs out, or the slug is too large.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pathspec

from . import sandbox
from .appengine import MEGABYTE, find_python, free_port, install, limited
from .load_test import Rehearsal, Requests, quantiles

ROOT = Path(__file__).resolve().parents[2]
LIMITS = (512 * MEGABYTE, 1.0)
"""Memory in bytes of the small dynos (Eco, Basic, Standard-1X), and cores: theirs are shared, one is ours."""
PATIENCE = 30.0
"""Seconds after which Heroku's router gives up on an answer (its error H12)."""
SLUG_BYTES = 500 * MEGABYTE
"""Most that a slug may weigh: files, environment and Python, packed; Python itself is not weighed here."""


def web_command(root: Path) -> str:
    """The command of Procfile's process type `web`, the one that Heroku sends requests to."""
    types = dict(line.split(": ", 1) for line in (root / "Procfile").read_text().splitlines() if line)
    return types["web"]


def python_version(root: Path) -> str:
    """ "3.13" of `.python-version`: the buildpack takes its newest patch release."""
    return (root / ".python-version").read_text().strip()


def pushed(root: Path) -> list[Path]:
    """The files that git knows, relative to `root`, sorted."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name)


def slug_files(root: Path) -> list[Path]:
    """The files that a push leaves on Heroku, relative to `root`: what git knows, less `.slugignore`."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / ".slugignore").read_text().splitlines())
    return [file for file in pushed(root) if not ignored.match_file(file)]


def environment(port: int) -> dict[str, str]:
    """The variables that a dyno and the Python buildpack set."""
    return {
        "PORT": str(port), "DYNO": "web.1", "HOME": "/app", "LANG": "en_US.UTF-8", "PYTHONUNBUFFERED": "true",
        "PYTHONHASHSEED": "random", "WEB_CONCURRENCY": "2",
    }  # fmt: skip


def use(rehearsal: Rehearsal, requests: Requests) -> dict[str, Any]:
    """Send `requests` to a server that was just started; gives times and memory. Wrong answers end in `rehearsal.wrong`."""
    rehearsal.wait()
    rehearsal.ask(requests.photo)  # nobody warms a dyno up: the first visitor does
    first = time.perf_counter() - rehearsal.begun
    times = rehearsal.at_once(requests.mixed) + rehearsal.at_once(requests.large)
    group, worker = rehearsal.group, rehearsal.worker
    return {
        "first_answer_s": first,
        "mixed": quantiles(times),
        "slowest_s": max(times) / 1000,
        "workers": rehearsal.log.read_text().count("Booting worker"),
        "resident_bytes": sandbox.resident_bytes(worker),
        "most_resident_bytes": sandbox.resident_bytes(worker, "VmHWM"),
        "group": group and {"peak_bytes": group.peak_bytes, "held_bytes": group.held_bytes, "kills": group.kills},
    }


def rehearse(count: int) -> dict[str, Any]:
    """The whole rehearsal with `count` mixed requests; gives what was measured, and under `wrong` what should not be so."""
    missing = sandbox.missing()
    requests = Requests.of(ROOT / "static" / "samples" / "obama.jpg", count)
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir="/var/tmp") as name:  # not in /tmp, which the sandbox hides
        folder = Path(name)
        for file in slug_files(ROOT):
            (folder / "app" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / "app" / file)
        version, home = install(find_python(python_version(ROOT)), folder / "venv")
        packed = subprocess.run(f"tar -cz -C {folder} . | wc -c", shell=True, check=True, capture_output=True).stdout
        sandbox.forget(folder)
        port = free_port()
        with limited(web_command(ROOT), port, environment(port), LIMITS, folder, home, missing) as rehearsal:
            report = use(rehearsal, requests)
    report |= {"python": version, "missing": missing, "slug_bytes": int(packed)}
    return report | {"wrong": rehearsal.wrong + broken_limits(report)}


def broken_limits(report: dict[str, Any]) -> list[str]:
    """The limits of Heroku that `report` breaks, a sentence each."""
    first, slowest = report["first_answer_s"], report["slowest_s"]
    rules = [
        (max(first, slowest) > PATIENCE, f"an answer took {max(first, slowest):.1f} s, more than {PATIENCE:.0f}"),
        (bool(report["group"] and report["group"]["kills"]), "a process was killed for memory"),
        (report["most_resident_bytes"] > LIMITS[0], f"the worker held {report['most_resident_bytes'] / MEGABYTE:.0f} MB"),
        (report["workers"] != 1, f"{report['workers']} workers were started"),
        (report["slug_bytes"] > SLUG_BYTES, f"the slug weighs {report['slug_bytes'] / MEGABYTE:.0f} MB"),
    ]
    return [sentence for broken, sentence in rules if broken]


def describe(report: dict[str, Any]) -> str:
    """The report for people. MB are 2**20 bytes."""
    memory, cores = LIMITS
    caps = "no caps" if "caps" in report["missing"] else f"{memory // MEGABYTE} MB, {cores:.0f} core"
    now, most = (report[name] / MEGABYTE for name in ("resident_bytes", "most_resident_bytes"))
    kills = "not counted" if report["group"] is None else report["group"]["kills"]
    return "\n".join([
        f"dyno ({caps}), Python {report['python']}",
        f"slug           {report['slug_bytes'] / MEGABYTE:.0f} MB packed, without Python",
        f"first answer   {report['first_answer_s']:.2f} s after the start: a scored photo",
        f"{report['mixed']['count']} requests   p50 {report['mixed']['p50_ms']:.0f} ms, slowest {report['slowest_s']:.1f} s",
        f"memory         {now:.0f} MB at the end, never more than {most:.0f} MB; killed for memory: {kills}",
        *(f"WRONG: {sentence}" for sentence in report["wrong"]),
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="how many mixed requests (default 100)")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    report = rehearse(options.requests)
    print(sandbox.left_out(report["missing"]) + describe(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
