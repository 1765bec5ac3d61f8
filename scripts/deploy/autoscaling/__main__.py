"""Simulate a day of requests under several scaling configurations and write docs/autoscaling.md with its plot.

make autoscaling
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.markdown import table
from .demand import BURST_FACTOR, BURST_SECONDS, BURSTS, SWING, sample_day
from .scheduler import QUEUE_TIMEOUT, Outcome, Scaling, simulate

ROOT = Path(__file__).resolve().parents[3]
SERVICE_TIMES = ROOT / "benchmarks" / "service_times.json"
OUT = ROOT / "docs" / "autoscaling.md"
LEVELS = {0.1: 1.0, 1.0: 1.0, 10.0: 1 / 3, 100.0: 1 / 12}
"""Mean requests per second -> simulated part of a day."""
LARGE_SHARE = 0.1
"""Assumed share of photos with 4000 x 3000 pixels (as from a phone); the others have 640 x 480, as the page sends them."""
F1_HOURS = {"F1": 1, "F2": 2}
"""Hours of F1 that an instance-hour of the class counts in the free quota."""
FREE_HOURS = 28
"""Free F1-hours per day."""
MAX_P95, MAX_REJECTED = 1.0, 0.001
"""Targets of a recommended configuration: 95th percentile of the latency in seconds, share of rejected requests."""
SETTINGS: dict[str, tuple[str, Scaling]] = {
    "shipped configuration": ("F1", Scaling(max_instances=1, max_concurrent_requests=4)),
    "several instances": ("F1", Scaling(max_concurrent_requests=4)),
    "1 idle instance": ("F1", Scaling(max_concurrent_requests=4, min_idle_instances=1)),
    "3 idle instances": ("F1", Scaling(max_concurrent_requests=4, min_idle_instances=3, max_idle_instances=6)),
    "high utilization": ("F1", Scaling(0, 100, 0, 2, 0.9, 0.9, max_concurrent_requests=4, min_pending_latency=1.0)),
    "F2": ("F2", Scaling(max_concurrent_requests=4)),
    "F2, 1 idle instance": ("F2", Scaling(max_concurrent_requests=4, min_idle_instances=1)),
}  # fmt: skip
MARKERS = "os^vDPX"
PLOT_STYLE = {"svg.hashsalt": "autoscaling", "svg.fonttype": "path", "font.size": 9}
COLOURS = ("#d55e00", "#009e73", "#cc79a7", "#0072b2", "#56b4e9", "#8a8a8a", "#b58900")
TICKS = (0.1, 0.3, 1, 3, 10)


@dataclass(frozen=True)
class Row:
    """Result of a configuration at a request rate: latency in seconds, shares, and F1-hours per day."""

    level: float
    setting: str
    p50: float
    p95: float
    p99: float
    rejected: float
    cold_starts: float
    f1_hours: float

    @property
    def meets_targets(self) -> bool:
        return self.p95 <= MAX_P95 and self.rejected <= MAX_REJECTED


def sample_service_times(service: dict[str, list[float]], random: np.random.Generator, count: int = 10_000) -> np.ndarray:
    """Sample service times of `count` photos from the measured ones; LARGE_SHARE of the photos are large."""
    large = random.random(count) < LARGE_SHARE
    return np.where(large, random.choice(service["4000 x 3000"], count), random.choice(service["640 x 480"], count))


def simulate_row(level: float, share: float, setting: str, measured: dict[str, Any], seed: int) -> Row:
    kind, scaling = SETTINGS[setting]
    times = sample_service_times(measured[kind]["service_s"], np.random.default_rng(seed))
    outcome = simulate(scaling, measured[kind]["start_s"], sample_day(level, times, seed, share))
    return summarize(level, setting, outcome, share, F1_HOURS[kind])


def summarize(level: float, setting: str, outcome: Outcome, share: float, weight: int) -> Row:
    p50, p95, p99 = np.percentile(outcome.latencies, [50, 95, 99]).tolist()
    rejected = outcome.rejected / (outcome.rejected + len(outcome.latencies))
    return Row(level, setting, p50, p95, p99, rejected, outcome.cold_starts / share, outcome.instance_hours / share * weight)


def recommend(rows: Sequence[Row]) -> Row:
    """Return the cheapest row that meets the targets, otherwise the one with the lowest rejection rate."""
    return min(
        (row for row in rows if row.meets_targets),
        key=lambda row: row.f1_hours,
        default=min(rows, key=lambda row: (row.rejected, row.p95)),
    )


def app_yaml_keys(setting: str) -> str:
    """Return the lines of app.yaml that differ from App Engine's defaults."""
    kind, scaling = SETTINGS[setting]
    plain, lines = Scaling(), [f"instance_class: {kind}", "automatic_scaling:"]
    for name, value in vars(scaling).items():
        if value != getattr(plain, name) or name == "max_instances":
            lines.append(f"  {name}: {f'{value:g}s' if name.endswith('latency') else value}")
    return "\n".join(lines)


def result_table(rows: Sequence[Row]) -> str:
    """Return the Markdown table of all results; recommended configurations are bold."""
    best = {id(recommend([row for row in rows if row.level == level])) for level in LEVELS}
    columns = (
        "requests per second",
        "configuration",
        "p50 s",
        "p95 s",
        "p99 s",
        "rejected",
        "starts per day",
        "F1-hours per day",
    )
    cells = [
        (
            f"{row.level:g}",
            f"**{row.setting}**" if id(row) in best else row.setting,
            *(f"{value:.2f}" for value in (row.p50, row.p95, row.p99)),
            f"{row.rejected:.2%}",
            *(f"{value:,.0f}" for value in (row.cold_starts, row.f1_hours)),
        )
        for row in rows
    ]
    return table(columns, "rlr", cells)


def report(rows: Sequence[Row], measured: dict[str, Any]) -> str:
    about, classes = measured["measured"], measured["classes"]
    medians = [
        (
            kind,
            f"{timing['start_s']:.1f}",
            *(f"{np.median(timing['service_s'][size]):.3f}" for size in ("640 x 480", "4000 x 3000")),
        )
        for kind, timing in classes.items()
    ]
    choices = []
    for level in LEVELS:
        best = recommend([row for row in rows if row.level == level])
        free = "within the free 28" if best.f1_hours <= FREE_HOURS else f"{best.f1_hours - FREE_HOURS:,.0f} above the free 28"
        kept = (
            ""
            if best.meets_targets
            else f" No configuration meets p95 of {MAX_P95:g} s and {MAX_REJECTED:.1%} rejected; this one rejects least."
        )
        choices.append(
            f"**{level:g} requests per second: {best.setting}**, {best.f1_hours:,.0f} F1-hours per day, {free}.{kept}\n\n"
            f"```yaml\n{app_yaml_keys(best.setting)}\n```"
        )
    parts = ", ".join(f"{share:.3g} of it at {level:g}" for level, share in LEVELS.items() if share < 1)
    return f"""# Scaling keys, by simulation

![95th percentile of the latency over F1-hours per day, for each configuration, at four request rates](autoscaling.svg)

A day of requests was simulated with a model of App Engine's scheduler: `make autoscaling`. The result compares configurations; it
does not predict Google's bill. [scheduler.py](../scripts/deploy/autoscaling/scheduler.py) lists which of its rules Google
documents and which are assumptions.

## Lines for app.yaml

The cheapest configuration with a 95th percentile of at most {MAX_P95:g} s and at most {MAX_REJECTED:.1%} rejected requests.
`max_instances` limits the cost.

{chr(10).join(f"{choice}{chr(10)}" for choice in choices)}
## Measurements

Sequential requests within the limits of each class, and the time from the start to the first classified photo, on {about["date"]}
(load average {about["load_average"]} on {about["cores"]} cores: the machine was busy, so these times are upper bounds):

```bash
{about["command"]}
```

{table(("class", "start s", "photo of 640 x 480, median s", "4000 x 3000"), "lr", medians)}

## Simulation

Arrivals are a Poisson process whose rate varies by {SWING:.0%} around its mean over the day, with {BURSTS} bursts of
{BURST_SECONDS:g} s at {BURST_FACTOR:g} times the rate; {LARGE_SHARE:.0%} of the photos are large. A request that waits
{QUEUE_TIMEOUT:g} s for an instance is rejected. At high rates only a part of the day was simulated, with the daily curve
compressed to it ({parts} requests per second): this is harder for the scheduler and leaves more idle time than a whole day. The
number of bursts is scaled down as well (but at least one), and starts are scaled up to a whole day.

{result_table(rows)}

The shipped configuration is that of app.yaml: one instance, at most 24 of the 28 free hours per day.
"""


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot latency over cost as SVG, a panel for each rate; markers are hollow if more than MAX_REJECTED is rejected."""
    import matplotlib

    matplotlib.use("svg")
    with matplotlib.rc_context(PLOT_STYLE):  # settings of other charts are restored
        _draw(rows, path)


def _draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    from matplotlib import pyplot

    levels, settings = list(dict.fromkeys(row["level"] for row in rows)), list(dict.fromkeys(row["setting"] for row in rows))
    figure, panels = pyplot.subplots(
        1, len(levels), figsize=(3 * len(levels), 3.6), layout="constrained", sharey=True, squeeze=False
    )
    for level, panel in zip(levels, panels[0], strict=True):
        for index, setting in enumerate(settings):
            row = next(row for row in rows if (row["level"], row["setting"]) == (level, setting))
            face = COLOURS[index] if row["rejected"] <= MAX_REJECTED else "white"
            # Later markers are larger and drawn below earlier ones, so that coinciding results remain visible.
            style = {"marker": MARKERS[index], "edgecolor": COLOURS[index], "facecolor": face, "zorder": 9 - index}
            panel.scatter(row["f1_hours"], row["p95"], 30 + 14 * index, label=setting, **style)
        panel.axhline(1.0, color="#8a8a8a", linewidth=0.8, linestyle=":")
        panel.set(title=f"{level:g} requests per second", xlabel="F1-hours per day", yscale="log", xlim=(0, None), ylim=(0.1, 20))
        panel.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.minorticks_off()
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("95th percentile, s")
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, title="hollow: more than 0.1 % rejected")
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measured = json.loads(SERVICE_TIMES.read_text(encoding="utf-8"))
    rows = []
    for level, share in LEVELS.items():
        for setting in SETTINGS:
            rows.append(simulate_row(level, share, setting, measured["classes"], options.seed))
            print(rows[-1], flush=True)
    OUT.write_text(report(rows, measured), encoding="utf-8")
    plot([vars(row) for row in rows], OUT.with_suffix(".svg"))


if __name__ == "__main__":
    main()
