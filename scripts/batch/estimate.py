"""What ten million photos would cost on Dataflow and how long they would take: on paper, from a measured rate and prices."""

from __future__ import annotations

from dataclasses import dataclass

PHOTOS = 10_000_000
WORKERS = 100
"""Virtual CPUs at work, each with one process."""
START_MINUTES = 5.0
"""Until Dataflow's machines are there: assumed."""


@dataclass(frozen=True)
class Prices:
    """US dollars, Iowa, as apache_beam.testing.load_tests.dataflow_cost_consts quotes cloud.google.com/dataflow/pricing;
    reading from a bucket is assumed: class B operations, cloud.google.com/storage/pricing. Look before you pay."""

    cpu_hour: float = 0.056
    gigabyte_hour: float = 0.003557
    disk_gigabyte_hour: float = 0.000054
    read_million: float = 0.40


MEMORY_GIGABYTES = 3.75
DISK_GIGABYTES = 25.0
"""Of an n1-standard machine for each virtual CPU; of disk with Dataflow's shuffle service."""


def hours(seconds_each: float, cores_worth: float = 1.0) -> float:
    """CPU hours of PHOTOS at `seconds_each` of processor time here, where a virtual CPU does `cores_worth` of a core here."""
    return PHOTOS * seconds_each / cores_worth / 3600


def cost(cpu_hours: float, prices: Prices) -> float:
    machine = prices.cpu_hour + MEMORY_GIGABYTES * prices.gigabyte_hour + DISK_GIGABYTES * prices.disk_gigabyte_hour
    return cpu_hours * machine + PHOTOS / 1e6 * prices.read_million


def estimate(seconds_each: dict[str, float], prices: Prices = Prices()) -> str:
    """Markdown: what is assumed, and a row for each size of photo and speed of a virtual CPU."""
    rows = []
    for size, seconds in seconds_each.items():
        for worth in (1.0, 0.5):
            needed = hours(seconds, worth)
            taken = needed / WORKERS + START_MINUTES / 60
            rows.append(
                f"| {size} | {seconds * 1000:.1f} | {worth:g} | {needed:,.0f} | {taken:.1f} | {cost(needed, prices):,.0f} |"
            )
    machine = (
        f"{MEMORY_GIGABYTES} GB of memory and {DISK_GIGABYTES:g} GB of disk costs ${prices.cpu_hour} + {MEMORY_GIGABYTES} x "
        f"${prices.gigabyte_hour} + {DISK_GIGABYTES:g} x ${prices.disk_gigabyte_hour:.6f} an hour"
    )
    return f"""Nothing here was run on Dataflow. CPU hours are photos x processor seconds a photo (as measured above,
without the start) / what a virtual CPU does of one core here, which is not known, hence two rows; the time is that over {WORKERS}
virtual CPUs and {START_MINUTES:g} minutes of start. A virtual CPU with
{machine}
(prices of Iowa, as the module `dataflow_cost_consts` of Apache Beam quotes
[Google's list](https://cloud.google.com/dataflow/pricing)); reading ten million objects is taken to cost
${PHOTOS / 1e6 * prices.read_million:.2f} (see [storage prices](https://cloud.google.com/storage/pricing)). Not counted: storage,
the waits for the bucket, which Dataflow's several threads a process hide in part, and shuffling, which moves names alone.

| photo | processor ms | of a core here | CPU hours | hours on {WORKERS} | US dollars |
| --- | ---: | ---: | ---: | ---: | ---: |
{chr(10).join(rows)}
"""
