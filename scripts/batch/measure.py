"""Measure the pipeline on this machine and write benchmarks/batch.md.

    python -m scripts.batch.measure                          up to 20,000 photos: a quarter of an hour on two cores
    python -m scripts.batch.measure --photos 500 2000

Every figure is of a fresh start of the documented command. Processor time is the sum over its processes.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from emotions.image.loading import encode_jpeg, open_image

from ..common.machine import processor
from ..common.markdown import table
from ..deploy.sandbox import descendants, resident_bytes

# Estimated cost and duration of ten million photos on Dataflow, from a measured rate and list prices.

PHOTOS = 10_000_000
WORKERS = 100
"""Virtual CPUs, each with one process."""
START_MINUTES = 5.0
"""Assumed time until Dataflow's machines run."""


@dataclass(frozen=True)
class Prices:
    """US dollars, Iowa, as apache_beam.testing.load_tests.dataflow_cost_consts quotes cloud.google.com/dataflow/pricing;
    reading from a bucket is assumed: class B operations, cloud.google.com/storage/pricing. Check the current prices first."""

    cpu_hour: float = 0.056
    gigabyte_hour: float = 0.003557
    disk_gigabyte_hour: float = 0.000054
    read_million: float = 0.40


MEMORY_GIGABYTES = 3.75
DISK_GIGABYTES = 25.0
"""Memory of an n1-standard machine and disk with Dataflow's shuffle service, for each virtual CPU."""


def hours(seconds_each: float, cores_worth: float = 1.0) -> float:
    """CPU hours of PHOTOS at `seconds_each` on a core here, if a virtual CPU is as fast as `cores_worth` of it."""
    return PHOTOS * seconds_each / cores_worth / 3600


def cost(cpu_hours: float, prices: Prices) -> float:
    machine = prices.cpu_hour + MEMORY_GIGABYTES * prices.gigabyte_hour + DISK_GIGABYTES * prices.disk_gigabyte_hour
    return cpu_hours * machine + PHOTOS / 1e6 * prices.read_million


def estimate(seconds_each: dict[str, float], prices: Prices = Prices()) -> str:
    """Markdown: the assumptions, and a table by photo size and speed of a virtual CPU."""
    rows = []
    for size, seconds in seconds_each.items():
        for worth in (1.0, 0.5):
            needed = hours(seconds, worth)
            taken = needed / WORKERS + START_MINUTES / 60
            rows.append(
                (size, f"{seconds * 1000:.1f}", f"{worth:g}", f"{needed:,.0f}", f"{taken:.1f}", f"{cost(needed, prices):,.0f}")
            )
    machine = (
        f"{MEMORY_GIGABYTES} GB of memory and {DISK_GIGABYTES:g} GB of disk costs ${prices.cpu_hour} + {MEMORY_GIGABYTES} x "
        f"${prices.gigabyte_hour} + {DISK_GIGABYTES:g} x ${prices.disk_gigabyte_hour:.6f} an hour"
    )
    columns = ("photo", "processor ms", "of a core here", "CPU hours", f"hours on {WORKERS}", "US dollars")
    return f"""Nothing here was run on Dataflow. CPU hours are photos x processor seconds a photo (as measured above, without the
start) / speed of a virtual CPU relative to a core here, which is not known, hence two rows; the duration is that divided by
{WORKERS} virtual CPUs plus {START_MINUTES:g} minutes of start. A virtual CPU with
{machine}
(prices of Iowa, as the module `dataflow_cost_consts` of Apache Beam quotes
[Google's list](https://cloud.google.com/dataflow/pricing)); reading ten million objects is assumed to cost
${PHOTOS / 1e6 * prices.read_million:.2f} (see [storage prices](https://cloud.google.com/storage/pricing)). Not counted: storage,
waiting for the bucket, which the threads of Dataflow's processes hide in part, and shuffling, which moves names only.

{table(columns, "lr", rows)}
"""


# Synthetic photos for benchmarks and tests: sample faces at random positions and sizes, and some bad files.

FACES = ("obama.jpg", "collins.jpg", "friends.png")
SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
BAD = (b"", b"not a picture", b"\xff\xd8\xff\xe0 cut off")


def write_photos(folder: Path, count: int, size: tuple[int, int] = (320, 240), bad_every: int = 100) -> int:
    """Write `count` files of `size` (width, height) into `folder`, a hundred in each subfolder; return the number of bad ones.

    The content of file n does not depend on `count`.
    """
    faces = [open_image(SAMPLES / name).pixels for name in FACES]
    width, height = size
    bad = 0
    for number in range(count):
        path = folder / f"{number // 100:04d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % bad_every == bad_every - 1:
            path.write_bytes(BAD[bad % len(BAD)])
            bad += 1
            continue
        random = np.random.default_rng(number)
        face = faces[random.integers(len(faces))]
        scale = random.uniform(0.5, 1.0) * min(width / face.shape[1], height / face.shape[0])
        face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scene = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
        top, left = random.integers(0, height - face.shape[0] + 1), random.integers(0, width - face.shape[1] + 1)
        scene[top : top + face.shape[0], left : left + face.shape[1]] = face
        path.write_bytes(encode_jpeg(scene))
    return bad


ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20
SAMPLING_SECONDS = 0.5
SIZES = {"320 x 240": ((320, 240), 1000), "640 x 480": ((640, 480), 400), "4000 x 3000": ((4000, 3000), 60)}
"""Photo sizes whose rate is measured, and the number of photos."""


@dataclass(frozen=True)
class Run:
    """A run of the command: wall-clock and processor time in seconds, peak memory of all its processes in bytes."""

    photos: int
    wall: float
    processor: float
    peak: int

    @property
    def rate(self) -> float:
        return self.photos / self.wall


def run(folder: Path, count: int, workers: int, cores: set[int]) -> Run:
    """Run the command over the `count` files of `folder` on `cores`. Raises RuntimeError if results are missing."""
    with tempfile.TemporaryDirectory(prefix="batch-") as out:
        command = [sys.executable, "-m", "scripts.batch", "--input", f"{folder}/**", "--output", out, "--workers", str(workers)]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        peak = 0
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        ) as process:
            while process.poll() is None:
                peak = max(peak, sum(map(resident_bytes, (process.pid, *descendants(process.pid)))))
                time.sleep(SAMPLING_SECONDS)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = sum(len(part.read_bytes().splitlines()) for part in Path(out).glob("*/part-*"))
        if process.returncode or lines != count:
            raise RuntimeError(f"{lines} of {count} files in the results, exit status {process.returncode}")
    return Run(count, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def report(rates: dict[tuple[str, int], Run], start: Run, memory: list[Run], rounds: int) -> str:
    """Report in Markdown."""
    each = {
        size: (run.processor - start.processor) / (run.photos - start.photos)
        for (size, workers), run in rates.items()
        if workers == 1
    }
    speed = [
        (size, workers, f"{run.photos:,}", f"{run.rate:.1f}", f"{run.processor / run.photos * 1000:.1f}")
        for (size, workers), run in rates.items()
    ]
    peaks = [(f"{run.photos:,}", f"{run.peak / MEGABYTE:.0f}", f"{run.wall:.0f}", f"{run.rate:.1f}") for run in memory]
    return f"""# A batch of photos

{datetime.now(UTC):%-d %B %Y}, {os.cpu_count()} cores ({processor()}), Python {platform.python_version()},
Apache Beam {version("apache-beam")}; load average {os.getloadavg()[2]:.1f}: other work shared the cores, so processor
time is more reliable than wall-clock time.

```bash
python -m scripts.batch.measure --photos {" ".join(str(run.photos) for run in memory)} --rounds {rounds}
```

## Throughput

Each worker has a core of its own; best of {rounds} rounds, the start of all processes ({start.wall:.1f} s) included.

{table(("photo", "workers", "photos", "photos a second", "processor ms a photo"), "lr", speed)}

## Memory

Peak of all processes together, the command and 2 workers (shared pages are counted in each), over photos of
320 x 240, one in a hundred of them not a photo. Every file was in the results exactly once.

{table(("photos", "MB", "seconds", "photos a second"), "r", peaks)}

## Estimate for ten million photos on Dataflow

{estimate(each)}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos",
        type=int,
        nargs="+",
        default=[1000, 5000, 20_000],
        help="photos of each memory benchmark (default 1000 5000 20000)",
    )
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each measurement (default 2)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "batch.md")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    rates: dict[tuple[str, int], Run] = {}
    with tempfile.TemporaryDirectory(prefix="photos-") as name:
        folder = Path(name)

        def best(key: tuple[str, int], place: Path, count: int) -> Run:
            rounds = [run(place, count, key[1], set(cores[: key[1]])) for _ in range(options.rounds)]
            print(f"{key}: {max(one.rate for one in rounds):.1f} photos a second", flush=True)
            return max(rounds, key=lambda one: one.rate)

        write_photos(folder / "one", 1)
        start = best(("one photo", 1), folder / "one", 1)
        for size, (pixels, count) in SIZES.items():
            write_photos(folder / size, count, pixels)
            rates[size, 1] = best((size, 1), folder / size, count)
            if len(rates) == 1:
                rates[size, 2] = best((size, 2), folder / size, count)
        memory = []
        for count in options.photos:
            write_photos(folder / f"memory-{count}", count)
            memory.append(run(folder / f"memory-{count}", count, 2, set(cores[:2])))
            print(f"{count} photos: {memory[-1].peak / MEGABYTE:.0f} MB, {memory[-1].rate:.1f} a second", flush=True)
    options.out.write_text(report(rates, start, memory, options.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
