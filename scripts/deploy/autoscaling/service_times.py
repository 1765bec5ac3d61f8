"""Measure service times and start times within the limits of the instance classes F1 and F2.

    python -m scripts.deploy.autoscaling.service_times

The server runs as in `make smoke-appengine`: app.yaml's entrypoint on a read-only file system with limited memory and CPU.
Requests are sent one after another. Writes benchmarks/service_times.json.
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
from ..appengine import CLASSES, ROOT, copy_upload, find_python, install, python_version, read_config, run_instance

OUT = ROOT / "benchmarks" / "service_times.json"
SIZES = {"photo.jpg": "640 x 480", "phone.jpg": "4000 x 3000"}
"""Timed requests of scripts/deploy/traffic.py -> size of their photos."""
ROUNDS = 4
WARM_UP = 3
"""Requests of each kind that are sent first and not counted."""


def measure(count: int, classes: list[str]) -> dict[str, dict[str, Any]]:
    """Return class -> {"start_s": seconds to the first classified photo, "service_s": {size of photo: [seconds, ...]}}."""
    config, missing = read_config(ROOT), sandbox.missing_features()
    if missing:
        raise SystemExit(f"the sandbox is not available on this machine: {missing}")
    portrait = ROOT / "static" / "samples" / "obama.jpg"
    requests = {request.name: request for request in traffic.mixed_requests(portrait) if request.name in SIZES}
    with tempfile.TemporaryDirectory(prefix="smoke-test-", dir="/var/tmp") as name:  # the sandbox hides /tmp
        folder = Path(name)
        copy_upload(ROOT, folder / "app")
        _, home = install(find_python(python_version(config)), folder / "venv")
        rounds: dict[str, list[tuple[float, dict[str, list[float]]]]] = {each: [] for each in classes}
        for each in classes * ROUNDS:  # alternately, so that other load affects both classes alike
            sandbox.drop_file_cache(folder)
            with run_instance(config | {"instance_class": each}, folder, home, missing) as load_test:
                start, service = load_test.measure_start(requests["photo.jpg"])["first_photo_s"], {}
                for file, size in SIZES.items():
                    wanted = count if file == "photo.jpg" else max(5, count // 10)
                    service[size] = [round(load_test.send(requests[file]) / 1000, 4) for _ in range(WARM_UP + wanted)][WARM_UP:]
                if load_test.failures:
                    raise SystemExit(f"{each}: {load_test.failures}")
                rounds[each].append((start, service))
                print(each, CLASSES[each], round(start, 2), {size: median(times) for size, times in service.items()}, flush=True)
    return {each: least_disturbed(found) for each, found in rounds.items()}


def least_disturbed(rounds: list[tuple[float, dict[str, list[float]]]]) -> dict[str, Any]:
    """Return the shortest start and, for each size, the round with the shortest median: other load only increases times."""
    service = {size: min((times[size] for _, times in rounds), key=median) for size in SIZES.values()}
    return {"start_s": round(min(start for start, _ in rounds), 2), "service_s": service}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="photos of 640 x 480 per round (default 100)")
    options = parser.parse_args()
    found = measure(options.requests, ["F1", "F2"])
    about = {
        "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1), "command": "python -m scripts.deploy.autoscaling.service_times",
    }  # fmt: skip
    OUT.write_text(json.dumps({"measured": about, "classes": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
