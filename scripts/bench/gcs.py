"""Start time, memory and /tmp of an App Engine instance with models from a bucket and from the repository.

    python -m scripts.bench.gcs                 some minutes; needs root for the limits

app.yaml's server in the environment of `make run` is started alternately with and without MODELS, with the memory and CPU of its
instance class. The bucket is on the same machine, so there is no network latency. The table is in docs/deploy.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import BUNDLED

from ..common.markdown import table
from ..deploy import sandbox
from ..deploy.appengine import CLASSES, MEGABYTE, ROOT, environment, free_port, read_config
from ..deploy.gcs_emulator import BUCKET, gcs_emulator
from ..deploy.load_testing import LoadTest, RequestPlan
from ..deploy.sandbox import ControlGroup
from ..release.publish import publish

SERVER = ROOT / ".venv" / "bin"
MEMORY_FOLDER = Path("/dev/shm")
"""tmpfs like App Engine's /tmp: files count as memory of the process that wrote them."""


def measure_server(variables: dict[str, str], requests: RequestPlan, tmp: Path) -> dict[str, Any]:
    """Start the server with `variables` and send `requests`; returns the measurements, with the size of files in `tmp` as
    `tmp_bytes`."""
    config, port, log = read_config(ROOT), free_port(), tmp.parent / f"{tmp.name}.log"
    entrypoint = config["entrypoint"].replace(" :$PORT", " 127.0.0.1:$PORT")
    variables = environment(config, port) | {"PATH": f"{SERVER}:/usr/bin:/bin", "TMPDIR": str(tmp)} | variables
    command = ["sh", "-c", f"exec {entrypoint}"]
    with ControlGroup(*CLASSES[config["instance_class"]]) as group:
        process = sandbox.start_unsandboxed(command, group=group, log=log, folder=ROOT, environment=variables)
        try:
            report = LoadTest(process, port, log, group).run(requests)
        finally:
            sandbox.stop(process)
    log.unlink()
    return report | {"tmp_bytes": sum(path.stat().st_size for path in tmp.rglob("*") if path.is_file())}


def measure(rounds: int, count: int) -> dict[str, list[dict[str, Any]]]:
    """Return the reports of `rounds` alternating starts each, under `tree` and `bucket`."""
    requests = RequestPlan.build(ROOT / "static" / "samples" / "obama.jpg", count)
    reports: dict[str, list[dict[str, Any]]] = {"tree": [], "bucket": []}
    with gcs_emulator() as (address, _), tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as folder:
        os.environ["STORAGE_EMULATOR_HOST"] = address
        models, _ = publish(BUNDLED, f"gs://{BUCKET}/emotions")
        where = {"tree": {}, "bucket": {"MODELS": models, "STORAGE_EMULATOR_HOST": address}}
        for index in range(rounds):
            for name, variables in where.items():
                (tmp := Path(folder) / f"{name}-{index}").mkdir()
                reports[name].append(measure_server(variables, requests, tmp))
    return reports


def result_table(reports: dict[str, list[dict[str, Any]]]) -> str:
    """Format the reports as Markdown: minimum of times and maximum of memory over the rounds, as other load increases both."""
    rows = []
    for name, rounds in reports.items():
        first = min(report["start"]["first_photo_s"] for report in rounds)
        processor = min(report["start"]["processor_s"] for report in rounds)
        resident = max(report["resident_bytes"]["end"] for report in rounds) / MEGABYTE
        tmp = max(report["tmp_bytes"] for report in rounds) / MEGABYTE
        kills = sum(report["group"]["oom_kills"] for report in rounds)
        rows.append((name, f"{first:.1f} s", f"{processor:.2f} s", f"{resident:.0f} MB", f"{tmp:.0f} MB", kills))
    columns = (
        "models", "first classified photo", "processor time until then", "worker's memory at the end", "in /tmp",
        "out-of-memory kills",
    )  # fmt: skip
    return table(columns, "lr", rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="starts each (default 3)")
    parser.add_argument("--requests", type=int, default=100, help="mixed requests after each start (default 100)")
    options = parser.parse_args()
    reason = sandbox.missing_features().get("caps") or (None if SERVER.is_dir() else ".venv is missing; `make run` creates it")
    if reason:
        print(f"cannot measure on this machine: {reason}", file=sys.stderr)
        return 1
    reports = measure(options.rounds, options.requests)
    print(result_table(reports))
    failures = [sentence for rounds in reports.values() for report in rounds for sentence in report["failures"]]
    print(*(f"FAILED: {sentence}" for sentence in failures), sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
