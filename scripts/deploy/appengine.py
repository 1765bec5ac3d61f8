"""Smoke test of App Engine: run the entrypoint of app.yaml within the limits of its instance class and send it photos.

    make smoke-appengine                                     1,000 mixed requests, some minutes
    python -m scripts.deploy.appengine --requests 30         every kind of request once, one minute
    python -m scripts.deploy.appengine --json report.json    write the measurements as JSON as well

The server gets the files that `.gcloudignore` does not exclude, a new virtual environment from requirements.txt (with app.yaml's
Python if it is installed), a read-only file system with /tmp in memory, and limited memory and CPU. Limits that need missing
privileges are reported and skipped. The exit status is 1 if a budget is exceeded or a response is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pathspec
import yaml

from . import sandbox
from .load_testing import LoadTest, RequestPlan
from .sandbox import ControlGroup

MEGABYTE = 2**20
CLASSES = {"F1": (384 * MEGABYTE, 0.3), "F2": (768 * MEGABYTE, 0.6), "F4": (1536 * MEGABYTE, 1.2)}
"""Memory in bytes and cores of each instance class. Google documents the memory and multiples of 600 MHz, which is 0.3 of a core
at 2 GHz."""


def read_config(root: Path) -> dict[str, Any]:
    """Load app.yaml as a dictionary. Tests validate the file with Google's own parser."""
    return yaml.safe_load((root / "app.yaml").read_text(encoding="utf-8"))


def python_version(config: dict[str, Any]) -> str:
    """ "3.13" of `runtime: python313`."""
    digits = config["runtime"].removeprefix("python")
    return f"{digits[0]}.{digits[1:]}"


def upload_files(root: Path) -> list[Path]:
    """List the files that `gcloud app deploy` would upload, relative to `root` and sorted, by `.gcloudignore`."""
    spec = pathspec.GitIgnoreSpec.from_lines((root / ".gcloudignore").read_text(encoding="utf-8").splitlines())
    found = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        inside = folder.relative_to(root)
        # As in git, nothing below an ignored folder can be re-included.
        folders[:] = [name for name in folders if not spec.match_file(f"{inside / name}/")]
        found += [inside / name for name in files if not spec.match_file(inside / name)]
    return sorted(found)


def copy_upload(root: Path, target: Path) -> list[Path]:
    """Copy the files to upload to the new folder `target`; returns their relative paths."""
    files = upload_files(root)
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    return files


def environment(config: dict[str, Any], port: int) -> dict[str, str]:
    """Return the environment variables of an instance: App Engine's and those of app.yaml."""
    memory, _ = CLASSES[config["instance_class"]]
    return {
        "PORT": str(port),
        "HOME": "/home/nobody",  # does not exist on purpose: the server must not depend on it
        "LANG": "C.UTF-8",
        "GAE_APPLICATION": "s~smoke-test",
        "GAE_DEPLOYMENT_ID": "1",
        "GAE_ENV": "standard",
        "GAE_INSTANCE": "smoke-test",
        "GAE_MEMORY_MB": str(memory // MEGABYTE),
        "GAE_RUNTIME": config["runtime"],
        "GAE_SERVICE": "default",
        "GAE_VERSION": "1",
        "GOOGLE_CLOUD_PROJECT": "smoke-test",
        **{name: str(value) for name, value in config.get("env_variables", {}).items()},
    }


ROOT = Path(__file__).resolve().parents[2]
TMP_BYTES = 128 * MEGABYTE
MAX_START_SECONDS = 6.0
MAX_RESIDENT_BYTES = 200 * MEGABYTE
MAX_RESIDENT_ALL_BYTES = 256 * MEGABYTE
MAX_GROWTH_BYTES = 8 * MEGABYTE
"""Budgets: start to the first classified photo; the worker's memory after photos, and after texts, recordings and videos as well;
memory growth, at rest, over the second half of the photos."""


def find_python(version: str) -> str:
    """Return a working interpreter of that version (such as "3.13"), or the running one if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in (f"python{version}", *sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"))):
        try:
            # Run it, since a name on PATH may be a shim without that version behind it.
            subprocess.run([str(path), "-c", "import ensurepip, venv"], check=True, capture_output=True)
            return str(path)
        except (OSError, subprocess.CalledProcessError):
            continue
    return sys.executable


def install(python: str, venv: Path) -> tuple[str, Path]:
    """Create a virtual environment with requirements.txt only; returns Python's full version and its installation folder."""
    subprocess.run([python, "-m", "venv", venv], check=True)
    quiet = ["--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([venv / "bin/python", "-m", "pip", "install", *quiet, "-r", ROOT / "requirements.txt"], check=True)
    code = "import platform, sys; print(platform.python_version(), sys.base_prefix)"
    done = subprocess.run([venv / "bin/python", "-c", code], check=True, capture_output=True, text=True)
    version, home = done.stdout.strip().split(" ", 1)
    return version, Path(home)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def run_instance(config: dict[str, Any], folder: Path, home: Path, missing: dict[str, str]) -> Iterator[LoadTest]:
    """Run the entrypoint of `config` on the files in `folder`/app within the limits of its instance class."""
    port = free_port()
    variables = environment(config, port)
    with run_limited(
        config["entrypoint"], port, variables, CLASSES[config["instance_class"]], folder, home, missing
    ) as load_test:
        yield load_test


@contextmanager
def run_limited(
    entrypoint: str,
    port: int,
    variables: dict[str, str],
    limits: tuple[int, float],
    folder: Path,
    home: Path,
    missing: dict[str, str],
    venv: Path | None = None,
) -> Iterator[LoadTest]:
    """Run `entrypoint` on the files in `folder`/app; stop it at the end of the block.

    Args:
        entrypoint: shell command.
        port: port that the command listens on.
        variables: environment variables.
        limits: memory in bytes, and cores.
        folder: holds `app` and the log.
        home: installation folder of the environment's Python, made readable in the sandbox.
        missing: unavailable sandbox features, as sandbox.missing_features returns them; these are skipped.
        venv: virtual environment that serves; by default `folder`/venv.
    """  # fmt: skip
    memory, cpus = limits
    log, venv = folder / "server.log", venv or folder / "venv"
    variables = variables | {"PATH": f"{venv}/bin:/usr/bin:/bin"}
    options: dict[str, Any] = {"log": log, "folder": folder / "app", "environment": variables}
    with ExitStack() as stack:
        group = options["group"] = None if "caps" in missing else stack.enter_context(ControlGroup(memory, cpus))
        if "files" in missing:
            # Without a network namespace the server must listen on the loopback interface only.
            entrypoint = entrypoint.replace(" :$PORT", " 127.0.0.1:$PORT")
            process = sandbox.start_unsandboxed(["sh", "-c", f"exec {entrypoint}"], **options)
            stack.callback(sandbox.stop, process)
            yield LoadTest(process, port, log, group)
        else:
            readable = [venv, *([] if home.is_relative_to("/usr") else [home])]
            command = ["sh", "-c", f"exec {entrypoint}"]
            process, child = sandbox.start(command, readable=readable, tmp_bytes=TMP_BYTES, **options)
            stack.callback(sandbox.stop, process)
            stack.enter_context(sandbox.join_network(child))
            yield LoadTest(process, port, log, group, tmp=Path(f"/proc/{child}/root/tmp"))


def smoke_test(count: int, busy: bool = False) -> dict[str, Any]:
    """Run the smoke test with `count` mixed requests; returns the measurements, with failed checks under `failures`."""
    config, missing = read_config(ROOT), sandbox.missing_features()
    print(sandbox.describe_missing(missing), end="")
    requests = RequestPlan.build(ROOT / "static" / "samples" / "obama.jpg", count)
    with tempfile.TemporaryDirectory(prefix="smoke-test-", dir="/var/tmp") as name:  # the sandbox hides /tmp
        folder = Path(name)
        files = copy_upload(ROOT, folder / "app")
        version, home = install(find_python(python_version(config)), folder / "venv")
        if not version.startswith(python_version(config)):
            print(f"Python {python_version(config)} is not installed; using {version}.")
        sandbox.drop_file_cache(folder)
        with run_instance(config, folder, home, missing) as load_test:
            report = load_test.run(requests)
        sizes = [(folder / "app" / file).stat().st_size for file in files]
    report |= {
        "python": version,
        "missing": missing,
        "instance_class": config["instance_class"],
        "entrypoint": config["entrypoint"],
    }
    report["upload"] = {"files": len(files), "bytes": sum(sizes), "largest_bytes": max(sizes)}
    report["failures"] += exceeded_budgets(report, judge_times=not busy and "caps" not in missing)
    return report


def exceeded_budgets(report: dict[str, Any], judge_times: bool) -> list[str]:
    """Return a sentence for each budget that `report` exceeds."""
    resident, start = report["resident_bytes"], report["start"]["first_photo_s"]
    rules = [
        (judge_times and start > MAX_START_SECONDS, f"start took {start:.1f} s, more than {MAX_START_SECONDS:.0f}"),
        (
            resident["end"] > MAX_RESIDENT_BYTES,
            f"the worker holds {resident['end'] / MEGABYTE:.0f} MB, more than {MAX_RESIDENT_BYTES // MEGABYTE}",
        ),
        (resident["end_at_rest"] - resident["half_at_rest"] > MAX_GROWTH_BYTES, "the worker's memory still grows"),
        (
            resident.get("everything", 0) > MAX_RESIDENT_ALL_BYTES,
            f"with everything loaded the worker holds {resident.get('everything', 0) / MEGABYTE:.0f} MB, more than "
            f"{MAX_RESIDENT_ALL_BYTES // MEGABYTE}",
        ),
        (bool(report["group"] and report["group"]["oom_kills"]), "a process was killed for memory"),
        (bool(report["left_in_tmp"]), f"left in /tmp: {report['left_in_tmp']}"),
    ]
    return [sentence for broken, sentence in rules if broken]


def format_report(report: dict[str, Any]) -> str:
    """Format the report as text. MB are 2**20 bytes."""

    def megabytes(size: float | None) -> str:
        return "unknown" if size is None else f"{size / MEGABYTE:.0f} MB"

    memory, cpus = CLASSES[report["instance_class"]]
    group = report["group"] or dict.fromkeys(("peak_bytes", "held_bytes", "oom_kills"))
    caps = "no caps" if "caps" in report["missing"] else f"{megabytes(memory)} with /tmp in it, {cpus} core"
    upload, start, photo, resident = (report[key] for key in ("upload", "start", "photo", "resident_bytes"))
    left = "not checked" if report["left_in_tmp"] is None else ", ".join(report["left_in_tmp"]) or "nothing"
    return "\n".join([
        f"{report['instance_class']} ({caps}), Python {report['python']}",
        f"entrypoint         {report['entrypoint']}",
        f"upload             {upload['files']} files, {megabytes(upload['bytes'])}, largest {megabytes(upload['largest_bytes'])}",
        f"start              listens after {start['listens_s']:.2f} s, warm {start['warm_s']:.2f} s, "
        f"first classified photo {start['first_photo_s']:.2f} s (budget {MAX_START_SECONDS:.0f} s); "
        f"processor time {start['processor_s']:.2f} s",
        f"photo, 640 x 480   p50 {photo['p50_ms']:.0f} ms, p99 {photo['p99_ms']:.0f} ms over {photo['count']}",
        f"two large photos   {report['large_together_s']:.1f} s (24 megapixels of JPEG, 12 of HEIC)",
        f"mixed requests     {report['requests']}, p50 {report['mixed']['p50_ms']:.0f} ms, p99 {report['mixed']['p99_ms']:.0f} "
        f"ms",
        f"worker's memory    {megabytes(resident['first'])} after the first photo, {megabytes(resident['half'])} half way "
        f"({megabytes(resident['half_at_rest'])} at rest), {megabytes(resident['end'])} at the end "
        f"({megabytes(resident['end_at_rest'])} at rest; budget {megabytes(MAX_RESIDENT_BYTES)}), "
        f"{megabytes(resident['everything'])} after texts, recordings and videos (budget {megabytes(MAX_RESIDENT_ALL_BYTES)})",
        f"control group      peak {megabytes(group['peak_bytes'])} including file cache; "
        f"{megabytes(group['held_bytes'])} at the end without it; killed for memory: {group['oom_kills']}",
        f"left in /tmp       {left}",
        *(f"FAILED: {sentence}" for sentence in report["failures"]),
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="number of mixed requests (default 1000)")
    parser.add_argument("--busy", action="store_true", help="ignore time budgets, because the machine is busy")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raise SystemExit, so that everything is cleaned up
    report = smoke_test(options.requests, options.busy)
    print(format_report(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
