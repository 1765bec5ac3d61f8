"""Measure how long one request takes inside the limits of F1 and of F2, and how long an instance takes to start.

    python -m scripts.deploy.autoscaling.service_times

The server is `make smoke-appengine`'s: app.yaml's command on a read-only file system with memory and processor capped. Requests
are sent one after another. Writes benchmarks/service_times.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from .. import sandbox, traffic
from ..appengine import CLASSES, ROOT, copy_upload, find_python, install, instance, python_version, read_config

OUT = ROOT / "benchmarks" / "service_times.json"
SIZES = {"photo.jpg": "640 x 480", "phone.jpg": "4000 x 3000"}
"""Requests of scripts/deploy/traffic.py that are timed, and their photos."""
ROUNDS = 4
WARM = 3
"""Requests of each kind before those that count."""


def measure(count: int, classes: list[str]) -> dict[str, dict[str, Any]]:
    """Class -> {"start_s": seconds from start to the first scored photo, "service_s": {photo: [seconds, ...]}}."""
    config, missing = read_config(ROOT), sandbox.missing()
    if missing:
        raise SystemExit(f"this machine does not give what a rehearsal needs: {missing}")
    portrait = ROOT / "static" / "samples" / "obama.jpg"
    requests = {request.name: request for request in traffic.mixed(portrait) if request.name in SIZES}
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir="/var/tmp") as name:  # not in /tmp, which the sandbox hides
        folder = Path(name)
        copy_upload(ROOT, folder / "app")
        _, home = install(find_python(python_version(config)), folder / "venv")
        rounds: dict[str, list[tuple[float, dict[str, list[float]]]]] = {each: [] for each in classes}
        for each in classes * ROUNDS:  # in turn, so that other work on the machine meets both alike
            sandbox.forget(folder)
            with instance(config | {"instance_class": each}, folder, home, missing) as rehearsal:
                start, service = rehearsal.start(requests["photo.jpg"])["first_photo_s"], {}
                for file, size in SIZES.items():
                    wanted = count if file == "photo.jpg" else max(5, count // 10)
                    service[size] = [round(rehearsal.ask(requests[file]) / 1000, 4) for _ in range(WARM + wanted)][WARM:]
                if rehearsal.wrong:
                    raise SystemExit(f"{each}: {rehearsal.wrong}")
                rounds[each].append((start, service))
                print(each, CLASSES[each], round(start, 2), {size: median(times) for size, times in service.items()}, flush=True)
    return {each: quietest(found) for each, found in rounds.items()}


def quietest(rounds: list[tuple[float, dict[str, list[float]]]]) -> dict[str, Any]:
    """The shortest start, and of each size the round with the shortest median: other work only lengthens them."""
    service = {size: min((times[size] for _, times in rounds), key=median) for size in SIZES.values()}
    return {"start_s": round(min(start for start, _ in rounds), 2), "service_s": service}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="photos of 640 x 480 a round (default 100)")
    options = parser.parse_args()
    found = measure(options.requests, ["F1", "F2"])
    about = {
        "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1), "command": "python -m scripts.deploy.autoscaling.service_times",
    }  # fmt: skip
    OUT.write_text(json.dumps({"measured": about, "classes": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
