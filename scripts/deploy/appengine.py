"""Rehearse App Engine: start what app.yaml starts, inside the limits of its instance class, and send it real photos.

    make smoke-appengine                             1,000 mixed requests, some minutes
    python -m scripts.deploy.appengine --requests 30         every kind of request once, in a minute
    python -m scripts.deploy.appengine --json report.json    what was measured, for a program too

The files that `.gcloudignore` lets through, a fresh virtual environment from requirements.txt alone (with the Python of
app.yaml where there is one), a read-only file system but for a RAM /tmp, memory and CPU capped. What the machine lacks the
rights for is said and left out. Ends with 1 if a budget of DESIGN.md is broken or an answer is wrong.
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
from .load_test import Rehearsal, Requests
from .sandbox import ControlGroup

# What App Engine makes of this tree: the files that `.gcloudignore` lets through, and the process that app.yaml asks for.

MEGABYTE = 2**20
CLASSES = {"F1": (384 * MEGABYTE, 0.3), "F2": (768 * MEGABYTE, 0.6), "F4": (1536 * MEGABYTE, 1.2)}
"""Memory in bytes and share of a core of each instance class. Google publishes the memory and 600 MHz a step; the share is
ours: 0.3 of a core of a 2 GHz server is 600 MHz."""


def read_config(root: Path) -> dict[str, Any]:
    """app.yaml as a plain dictionary; tests hold it against Google's own parser."""
    return yaml.safe_load((root / "app.yaml").read_text())


def python_version(config: dict[str, Any]) -> str:
    """ "3.13" of `runtime: python313`."""
    digits = config["runtime"].removeprefix("python")
    return f"{digits[0]}.{digits[1:]}"


def uploaded(root: Path) -> list[Path]:
    """The files that `gcloud app deploy` would upload, relative to `root`, sorted. Only `.gcloudignore` decides."""
    spec = pathspec.GitIgnoreSpec.from_lines((root / ".gcloudignore").read_text().splitlines())
    found = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        inside = folder.relative_to(root)
        # An ignored folder is not entered: as with git, nothing below it can be taken back in.
        folders[:] = [name for name in folders if not spec.match_file(f"{inside / name}/")]
        found += [inside / name for name in files if not spec.match_file(inside / name)]
    return sorted(found)


def copy_upload(root: Path, target: Path) -> list[Path]:
    """Copy what would be uploaded to the new folder `target`; gives the files, relative."""
    files = uploaded(root)
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    return files


def environment(config: dict[str, Any], port: int) -> dict[str, str]:
    """The variables that App Engine sets for an instance, and app.yaml's own."""
    memory, _ = CLASSES[config["instance_class"]]
    return {
        "PORT": str(port),
        "HOME": "/home/nobody",  # not there: nothing may count on a home
        "LANG": "C.UTF-8",
        "GAE_APPLICATION": "s~rehearsal",
        "GAE_DEPLOYMENT_ID": "1",
        "GAE_ENV": "standard",
        "GAE_INSTANCE": "rehearsal",
        "GAE_MEMORY_MB": str(memory // MEGABYTE),
        "GAE_RUNTIME": config["runtime"],
        "GAE_SERVICE": "default",
        "GAE_VERSION": "1",
        "GOOGLE_CLOUD_PROJECT": "rehearsal",
        **{name: str(value) for name, value in config.get("env_variables", {}).items()},
    }


ROOT = Path(__file__).resolve().parents[2]
TMP_BYTES = 128 * MEGABYTE
START_SECONDS = 6.0
RESIDENT_BYTES = 200 * MEGABYTE
EVERYTHING_BYTES = 256 * MEGABYTE
GROWTH_BYTES = 8 * MEGABYTE
"""Budgets: start to first scored photo; the worker's memory after photos alone, and after texts, voices and films too; what the
second half of the photos may add."""


def find_python(version: str) -> str:
    """An interpreter of that version (as "3.13"), or the running one where there is none that works."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in (f"python{version}", *sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"))):
        try:
            # Asked, as the name on PATH may be a shim that leads nowhere.
            subprocess.run([str(path), "-c", "import ensurepip, venv"], check=True, capture_output=True)
            return str(path)
        except (OSError, subprocess.CalledProcessError):
            continue
    return sys.executable


def install(python: str, venv: Path) -> tuple[str, Path]:
    """A new virtual environment with requirements.txt and nothing else; gives Python's full version and its home."""
    subprocess.run([python, "-m", "venv", venv], check=True)
    quiet = ["--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([venv / "bin/python", "-m", "pip", "install", *quiet, "-r", ROOT / "requirements.txt"], check=True)
    ask = "import platform, sys; print(platform.python_version(), sys.base_prefix)"
    version, home = subprocess.run([venv / "bin/python", "-c", ask], check=True, capture_output=True, text=True).stdout.split(
        " ", 1
    )
    return version, Path(home.strip())


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def instance(config: dict[str, Any], folder: Path, home: Path, missing: dict[str, str]) -> Iterator[Rehearsal]:
    """Start the entrypoint of `config` on the files in `folder`/app as an instance of its class; stop it afterwards."""
    port = free_port()
    variables = environment(config, port)
    with limited(config["entrypoint"], port, variables, CLASSES[config["instance_class"]], folder, home, missing) as rehearsal:
        yield rehearsal


@contextmanager
def limited(
    entrypoint: str,
    port: int,
    variables: dict[str, str],
    limits: tuple[int, float],
    folder: Path,
    home: Path,
    missing: dict[str, str],
) -> Iterator[Rehearsal]:
    """Start `entrypoint` on the files in `folder`/app, with `folder`/venv, within `limits` (memory in bytes, cores); stop it
    afterwards.

    `home`: where that environment's Python lives. `missing`: what the machine does not give, left out.
    """  # fmt: skip
    memory, cpus = limits
    log = folder / "server.log"
    variables = variables | {"PATH": f"{folder}/venv/bin:/usr/bin:/bin"}
    options: dict[str, Any] = {"log": log, "folder": folder / "app", "environment": variables}
    with ExitStack() as stack:
        group = options["group"] = None if "caps" in missing else stack.enter_context(ControlGroup(memory, cpus))
        if "files" in missing:
            # Without a network of its own the server must not answer strangers.
            entrypoint = entrypoint.replace(" :$PORT", " 127.0.0.1:$PORT")
            process = sandbox.start_plain(["sh", "-c", f"exec {entrypoint}"], **options)
            stack.callback(sandbox.stop, process)
            yield Rehearsal(process, port, log, group)
        else:
            readable = [folder / "venv", *([] if home.is_relative_to("/usr") else [home])]
            command = ["sh", "-c", f"exec {entrypoint}"]
            process, child = sandbox.start(command, readable=readable, tmp_bytes=TMP_BYTES, **options)
            stack.callback(sandbox.stop, process)
            stack.enter_context(sandbox.network_of(child))
            yield Rehearsal(process, port, log, group, tmp=Path(f"/proc/{child}/root/tmp"))


def rehearse(count: int, busy: bool = False) -> dict[str, Any]:
    """Run the whole rehearsal with `count` mixed requests; gives what was measured, and under `wrong` what is not as it should
    be.
    """
    config, missing = read_config(ROOT), sandbox.missing()
    print(sandbox.left_out(missing), end="")
    requests = Requests.of(ROOT / "static" / "samples" / "obama.jpg", count)
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir="/var/tmp") as name:  # not in /tmp, which the sandbox hides
        folder = Path(name)
        files = copy_upload(ROOT, folder / "app")
        version, home = install(find_python(python_version(config)), folder / "venv")
        if not version.startswith(python_version(config)):
            print(f"Python {python_version(config)} is not here: this runs on {version}.")
        sandbox.forget(folder)
        with instance(config, folder, home, missing) as rehearsal:
            report = rehearsal.run(requests)
        sizes = [(folder / "app" / file).stat().st_size for file in files]
    report |= {
        "python": version,
        "missing": missing,
        "instance_class": config["instance_class"],
        "entrypoint": config["entrypoint"],
    }
    report["upload"] = {"files": len(files), "bytes": sum(sizes), "largest_bytes": max(sizes)}
    report["wrong"] += broken_budgets(report, judge_times=not busy and "caps" not in missing)
    return report


def broken_budgets(report: dict[str, Any], judge_times: bool) -> list[str]:
    """The budgets that `report` breaks, a sentence each."""
    resident, start = report["resident_bytes"], report["start"]["first_photo_s"]
    rules = [
        (judge_times and start > START_SECONDS, f"start took {start:.1f} s, more than {START_SECONDS:.0f}"),
        (
            resident["end"] > RESIDENT_BYTES,
            f"the worker holds {resident['end'] / MEGABYTE:.0f} MB, more than {RESIDENT_BYTES // MEGABYTE}",
        ),
        (resident["end"] - resident["half"] > GROWTH_BYTES, "the worker's memory still grows"),
        (
            resident.get("everything", 0) > EVERYTHING_BYTES,
            f"with everything loaded the worker holds {resident.get('everything', 0) / MEGABYTE:.0f} MB, more than "
            f"{EVERYTHING_BYTES // MEGABYTE}",
        ),
        (bool(report["group"] and report["group"]["kills"]), "a process was killed for memory"),
        (bool(report["left_in_tmp"]), f"left in /tmp: {report['left_in_tmp']}"),
    ]
    return [sentence for broken, sentence in rules if broken]


def describe(report: dict[str, Any]) -> str:
    """The report for people. MB are 2**20 bytes."""

    def megabytes(size: float | None) -> str:
        return "unknown" if size is None else f"{size / MEGABYTE:.0f} MB"

    memory, cpus = CLASSES[report["instance_class"]]
    group = report["group"] or dict.fromkeys(("peak_bytes", "held_bytes", "kills"))
    caps = "no caps" if "caps" in report["missing"] else f"{megabytes(memory)} with /tmp in it, {cpus} core"
    upload, start, photo, resident = (report[key] for key in ("upload", "start", "photo", "resident_bytes"))
    left = "not looked at" if report["left_in_tmp"] is None else ", ".join(report["left_in_tmp"]) or "nothing"
    return "\n".join([
        f"{report['instance_class']} ({caps}), Python {report['python']}",
        f"entrypoint         {report['entrypoint']}",
        f"upload             {upload['files']} files, {megabytes(upload['bytes'])}, largest {megabytes(upload['largest_bytes'])}",
        f"start              listens after {start['listens_s']:.2f} s, warm {start['warm_s']:.2f} s, "
        f"first scored photo {start['first_photo_s']:.2f} s (budget {START_SECONDS:.0f} s); "
        f"processor time {start['processor_s']:.2f} s",
        f"photo, 640 x 480   p50 {photo['p50_ms']:.0f} ms, p99 {photo['p99_ms']:.0f} ms over {photo['count']}",
        f"two large at once  {report['large_together_s']:.1f} s (24 megapixels of JPEG, 12 of HEIC)",
        f"mixed requests     {report['requests']}, p50 {report['mixed']['p50_ms']:.0f} ms, p99 {report['mixed']['p99_ms']:.0f} "
        f"ms",
        f"worker's memory    {megabytes(resident['first'])} after the first photo, {megabytes(resident['half'])} half way, "
        f"{megabytes(resident['end'])} at the end (budget {megabytes(RESIDENT_BYTES)}), {megabytes(resident['everything'])} "
        f"after texts, voices "
        f"and films (budget {megabytes(EVERYTHING_BYTES)})",
        f"the whole group    peak {megabytes(group['peak_bytes'])} with the files it read, which can be dropped; "
        f"{megabytes(group['held_bytes'])} at the end without; killed for memory: {group['kills']}",
        f"left in /tmp       {left}",
        *(f"WRONG: {sentence}" for sentence in report["wrong"]),
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="how many mixed requests (default 1000)")
    parser.add_argument("--busy", action="store_true", help="do not judge times: the machine has other work")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    report = rehearse(options.requests, options.busy)
    print(describe(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
