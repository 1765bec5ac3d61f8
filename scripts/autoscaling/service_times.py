"""Measure how long one request takes inside the limits of F1 and of F2, and how long an instance takes to start.

    python -m scripts.autoscaling.service_times

The server is `make rehearse`'s: app.yaml's command on a read-only file system with memory and processor capped. Requests are
sent one after another. Writes benchmarks/service_times.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from .. import sandbox, traffic
from ..appengine import CLASSES, copy_upload, python_version, read_config
from ..rehearse import ROOT, find_python, install, instance

OUT = ROOT / "benchmarks" / "service_times.json"
SIZES = {"photo.jpg": "640 x 480", "phone.jpg": "4000 x 3000"}
"""Requests of scripts/traffic.py that are timed, and their photos."""
STARTS = 4
"""Starts of each class, files read anew from the disk; the shortest counts, as other work on the machine only lengthens it."""
WARM = 3
"""Requests of each kind before those that count."""


def measure(count: int, classes: list[str]) -> dict[str, dict]:
    """Class -> {"start_s": seconds from start to the first scored photo, "service_s": {photo: [seconds, ...]}}."""
    config, missing = read_config(ROOT), sandbox.missing()
    if missing:
        raise SystemExit(f"this machine does not give what a rehearsal needs: {missing}")
    portrait = ROOT / "static" / "samples" / "obama.jpg"
    requests = {request.name: request for request in traffic.mixed(portrait) if request.name in SIZES}
    found = {}
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir="/var/tmp") as name:  # not in /tmp, which the sandbox hides
        folder = Path(name)
        copy_upload(ROOT, folder / "app")
        _, home = install(find_python(python_version(config)), folder / "venv")
        for each in classes:
            starts = []
            for _ in range(STARTS - 1):
                sandbox.forget(folder)
                with instance(config | {"instance_class": each}, folder, home, missing) as rehearsal:
                    starts.append(rehearsal.start(requests["photo.jpg"])["first_photo_s"])
            sandbox.forget(folder)
            with instance(config | {"instance_class": each}, folder, home, missing) as rehearsal:
                starts.append(rehearsal.start(requests["photo.jpg"])["first_photo_s"])
                service = {}
                for file, size in SIZES.items():
                    wanted = count if file == "photo.jpg" else max(5, count // 10)
                    service[size] = [round(rehearsal.ask(requests[file]) / 1000, 4) for _ in range(WARM + wanted)][WARM:]
                if rehearsal.wrong:
                    raise SystemExit(f"{each}: {rehearsal.wrong}")
                found[each] = {"start_s": round(min(starts), 2), "service_s": service}
                print(each, CLASSES[each], found[each]["start_s"], {size: sorted(times)[len(times) // 2] for size, times in service.items()}, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="photos of 640 x 480 for each class (default 200)")
    options = parser.parse_args()
    found = measure(options.requests, ["F1", "F2"])
    about = {
        "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1), "command": "python -m scripts.autoscaling.service_times",
    }  # fmt: skip
    OUT.write_text(json.dumps({"measured": about, "classes": found}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
