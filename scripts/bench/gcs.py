"""What models in a bucket cost an App Engine instance: start, memory and /tmp, beside the models in the tree.

    python -m scripts.bench.gcs                 some minutes, as root: the caps need it

app.yaml's server in the environment of `make run`, started in turn with and without MODELS, with the memory and the share of a
core of its instance class; the bucket is on this machine, so the way to it takes no time. The table is in docs/deploy.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import BUNDLED

from ..deploy import sandbox
from ..deploy.appengine import CLASSES, MEGABYTE, ROOT, environment, free_port, read_config
from ..deploy.gcs_emulator import BUCKET, storage_server
from ..deploy.load_test import Rehearsal, Requests
from ..deploy.sandbox import ControlGroup
from ..release.publish import publish

SERVER = ROOT / ".venv" / "bin"
IN_MEMORY = Path("/dev/shm")
"""As App Engine's /tmp is: what lies there counts as memory of who wrote it."""


def start_and_use(variables: dict[str, str], requests: Requests, tmp: Path) -> dict[str, Any]:
    """Start the server with `variables`, send `requests` and give what was measured; `tmp_bytes` is what it left in `tmp`."""
    config, port, log = read_config(ROOT), free_port(), tmp.parent / f"{tmp.name}.log"
    entrypoint = config["entrypoint"].replace(" :$PORT", " 127.0.0.1:$PORT")
    variables = environment(config, port) | {"PATH": f"{SERVER}:/usr/bin:/bin", "TMPDIR": str(tmp)} | variables
    command = ["sh", "-c", f"exec {entrypoint}"]
    with ControlGroup(*CLASSES[config["instance_class"]]) as group:
        process = sandbox.start_plain(command, group=group, log=log, folder=ROOT, environment=variables)
        try:
            report = Rehearsal(process, port, log, group).run(requests)
        finally:
            sandbox.stop(process)
    log.unlink()
    return report | {"tmp_bytes": sum(path.stat().st_size for path in tmp.rglob("*") if path.is_file())}


def measure(rounds: int, count: int) -> dict[str, list[dict[str, Any]]]:
    """Reports of `rounds` starts each, taken in turn, under `tree` and `bucket`."""
    requests = Requests.of(ROOT / "static" / "samples" / "obama.jpg", count)
    reports: dict[str, list[dict[str, Any]]] = {"tree": [], "bucket": []}
    with storage_server() as (address, _), tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        os.environ["STORAGE_EMULATOR_HOST"] = address
        models, _ = publish(BUNDLED, f"gs://{BUCKET}/emotions")
        where = {"tree": {}, "bucket": {"MODELS": models, "STORAGE_EMULATOR_HOST": address}}
        for index in range(rounds):
            for name, variables in where.items():
                (tmp := Path(folder) / f"{name}-{index}").mkdir()
                reports[name].append(start_and_use(variables, requests, tmp))
    return reports


def table(reports: dict[str, list[dict[str, Any]]]) -> str:
    """The best of the rounds for times, the worst for memory: other work on the machine makes both larger, never smaller."""
    lines = [
        "| models | first scored photo | processor time until then | worker's memory at the end | in /tmp | killed for memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rounds in reports.items():
        first = min(report["start"]["first_photo_s"] for report in rounds)
        processor = min(report["start"]["processor_s"] for report in rounds)
        resident = max(report["resident_bytes"]["end"] for report in rounds) / MEGABYTE
        tmp = max(report["tmp_bytes"] for report in rounds) / MEGABYTE
        kills = sum(report["group"]["kills"] for report in rounds)
        lines.append(f"| {name} | {first:.1f} s | {processor:.2f} s | {resident:.0f} MB | {tmp:.0f} MB | {kills} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="starts each (default 3)")
    parser.add_argument("--requests", type=int, default=100, help="mixed requests after each start (default 100)")
    options = parser.parse_args()
    reason = sandbox.missing().get("caps") or (None if SERVER.is_dir() else ".venv is not there; make run makes it")
    if reason:
        print(f"nothing can be measured here: {reason}", file=sys.stderr)
        return 1
    reports = measure(options.rounds, options.requests)
    print(table(reports))
    wrong = [sentence for rounds in reports.values() for report in rounds for sentence in report["wrong"]]
    print(*(f"WRONG: {sentence}" for sentence in wrong), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
