"""Smoke test of Heroku: run Procfile's web command on the files of the slug within a small dyno's limits and send it photos.

    python -m scripts.deploy.heroku                        some minutes, mostly for the environment
    python -m scripts.deploy.heroku --json report.json     write the measurements as JSON as well

The server gets the committed files without those of `.slugignore`, an environment from requirements.txt (with the Python of
`.python-version` if it is installed), PORT, 512 MB and one core. Limits that need missing privileges are reported and skipped.
The exit status is 1 if a response is wrong or takes longer than Heroku's timeout (30 s), memory runs out, or the slug is too
large.
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
from .appengine import MEGABYTE, find_python, free_port, install, run_limited
from .load_testing import LoadTest, RequestPlan, latency_summary

ROOT = Path(__file__).resolve().parents[2]
LIMITS = (512 * MEGABYTE, 1.0)
"""Memory in bytes of the small dynos (Eco, Basic, Standard-1X), and cores; Heroku shares cores, one is assumed here."""
ROUTER_TIMEOUT = 30.0
"""Seconds after which Heroku's router fails a request (error H12)."""
MAX_SLUG_BYTES = 500 * MEGABYTE
"""Limit of the compressed slug: files, environment and Python. Python itself is not measured here."""


def web_command(root: Path) -> str:
    """Return the command of Procfile's process type `web`, which gets the HTTP requests."""
    types = dict(line.split(": ", 1) for line in (root / "Procfile").read_text(encoding="utf-8").splitlines() if line)
    return types["web"]


def python_version(root: Path) -> str:
    """Return the version in `.python-version`, such as "3.13"; the buildpack installs its newest patch release."""
    return (root / ".python-version").read_text(encoding="utf-8").strip()


def tracked_files(root: Path) -> list[Path]:
    """List the files tracked by git, relative to `root` and sorted."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name)


def slug_files(root: Path) -> list[Path]:
    """List the files of the slug, relative to `root`: tracked by git and not in `.slugignore`."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / ".slugignore").read_text(encoding="utf-8").splitlines())
    return [file for file in tracked_files(root) if not ignored.match_file(file)]


def environment(port: int) -> dict[str, str]:
    """Return the environment variables that a dyno and the Python buildpack set."""
    return {
        "PORT": str(port), "DYNO": "web.1", "HOME": "/app", "LANG": "en_US.UTF-8", "PYTHONUNBUFFERED": "true",
        "PYTHONHASHSEED": "random", "WEB_CONCURRENCY": "2",
    }  # fmt: skip


def exercise(load_test: LoadTest, requests: RequestPlan) -> dict[str, Any]:
    """Send `requests` to a server that was just started; returns times and memory. Failed checks are in `load_test.failures`."""
    load_test.wait_until_listening()
    load_test.send(requests.photo)  # dynos have no warm-up request
    first = time.perf_counter() - load_test.started
    times = load_test.send_concurrently(requests.mixed) + load_test.send_concurrently(requests.large)
    group, worker = load_test.group, load_test.worker
    return {
        "first_answer_s": first,
        "mixed": latency_summary(times),
        "slowest_s": max(times) / 1000,
        "workers": load_test.log.read_text(encoding="utf-8").count("Booting worker"),
        "resident_bytes": sandbox.resident_bytes(worker),
        "peak_resident_bytes": sandbox.resident_bytes(worker, "VmHWM"),
        "group": group and {"peak_bytes": group.peak_bytes, "held_bytes": group.held_bytes, "oom_kills": group.oom_kills},
    }


def smoke_test(count: int) -> dict[str, Any]:
    """Run the smoke test with `count` mixed requests; returns the measurements, with failed checks under `failures`."""
    missing = sandbox.missing_features()
    requests = RequestPlan.build(ROOT / "static" / "samples" / "obama.jpg", count)
    with tempfile.TemporaryDirectory(prefix="smoke-test-", dir="/var/tmp") as name:  # the sandbox hides /tmp
        folder = Path(name)
        for file in slug_files(ROOT):
            (folder / "app" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / "app" / file)
        version, home = install(find_python(python_version(ROOT)), folder / "venv")
        slug_bytes = compressed_size(folder)
        sandbox.drop_file_cache(folder)
        port = free_port()
        with run_limited(web_command(ROOT), port, environment(port), LIMITS, folder, home, missing) as load_test:
            report = exercise(load_test, requests)
    report |= {"python": version, "missing": missing, "slug_bytes": slug_bytes}
    return report | {"failures": load_test.failures + exceeded_limits(report)}


def compressed_size(folder: Path) -> int:
    """Return the size in bytes of a gzip-compressed tar archive of `folder`. Raises CalledProcessError if tar fails."""
    command = ["tar", "-cz", "-C", str(folder), "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        size = 0
        while process.stdout and (block := process.stdout.read(2**20)):
            size += len(block)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return size


def exceeded_limits(report: dict[str, Any]) -> list[str]:
    """Return a sentence for each limit of Heroku that `report` exceeds."""
    first, slowest = report["first_answer_s"], report["slowest_s"]
    rules = [
        (max(first, slowest) > ROUTER_TIMEOUT, f"a response took {max(first, slowest):.1f} s, more than {ROUTER_TIMEOUT:.0f}"),
        (bool(report["group"] and report["group"]["oom_kills"]), "a process was killed for memory"),
        (report["peak_resident_bytes"] > LIMITS[0], f"the worker held {report['peak_resident_bytes'] / MEGABYTE:.0f} MB"),
        (report["workers"] != 1, f"{report['workers']} workers were started"),
        (report["slug_bytes"] > MAX_SLUG_BYTES, f"the slug weighs {report['slug_bytes'] / MEGABYTE:.0f} MB"),
    ]
    return [sentence for broken, sentence in rules if broken]


def format_report(report: dict[str, Any]) -> str:
    """Format the report as text. MB are 2**20 bytes."""
    memory, cores = LIMITS
    caps = "no caps" if "caps" in report["missing"] else f"{memory // MEGABYTE} MB, {cores:.0f} core"
    now, peak = (report[name] / MEGABYTE for name in ("resident_bytes", "peak_resident_bytes"))
    kills = "not counted" if report["group"] is None else report["group"]["oom_kills"]
    return "\n".join([
        f"dyno ({caps}), Python {report['python']}",
        f"slug           {report['slug_bytes'] / MEGABYTE:.0f} MB packed, without Python",
        f"first photo    classified {report['first_answer_s']:.2f} s after the start",
        f"{report['mixed']['count']} requests   p50 {report['mixed']['p50_ms']:.0f} ms, slowest {report['slowest_s']:.1f} s",
        f"memory         {now:.0f} MB at the end, peak {peak:.0f} MB; out-of-memory kills: {kills}",
        *(f"FAILED: {sentence}" for sentence in report["failures"]),
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="number of mixed requests (default 100)")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that everything is cleaned up
    report = smoke_test(options.requests)
    print(sandbox.describe_missing(report["missing"]) + format_report(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
