"""Simulate a day of visitors under several scaling keys, and write docs/autoscaling.md with its plot.

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

from .demand import BURST_SECONDS, BURST_TIMES, BURSTS, SWING, day
from .scheduler import PATIENCE, Outcome, Scaling, simulate

# The plot of docs/autoscaling.md: latency over cost, a panel for each rate.

MARKERS = "os^vDPX"
LOOK = {"svg.hashsalt": "autoscaling", "svg.fonttype": "path", "font.size": 9}
COLOURS = ("#d55e00", "#009e73", "#cc79a7", "#0072b2", "#56b4e9", "#8a8a8a", "#b58900")

TICKS = (0.1, 0.3, 1, 3, 10)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the SVG: rows have `level`, `setting`, `p95`, `f1_hours`, `refused`; filled where that is at most one in 1,000."""
    import matplotlib

    matplotlib.use("svg")
    with matplotlib.rc_context(LOOK):  # other charts of the same process keep their own look
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
            face = COLOURS[index] if row["refused"] <= 0.001 else "white"
            # The first on top and the later ones larger, so that settings that come to the same show one behind the other.
            look = {"marker": MARKERS[index], "edgecolor": COLOURS[index], "facecolor": face, "zorder": 9 - index}
            panel.scatter(row["f1_hours"], row["p95"], 30 + 14 * index, label=setting, **look)
        panel.axhline(1.0, color="#8a8a8a", linewidth=0.8, linestyle=":")
        panel.set(title=f"{level:g} requests a second", xlabel="F1-hours a day", yscale="log", xlim=(0, None), ylim=(0.1, 20))
        panel.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.minorticks_off()
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("95th percentile, s")
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, title="hollow: more than 0.1 % refused")
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)


ROOT = Path(__file__).resolve().parents[3]
TIMES = ROOT / "benchmarks" / "service_times.json"
OUT = ROOT / "docs" / "autoscaling.md"
LEVELS = {0.1: 1.0, 1.0: 1.0, 10.0: 1 / 3, 100.0: 1 / 12}
"""Mean requests a second -> the part of a day that is simulated."""
LARGE = 0.1
"""Share of photos straight from a phone (4000 x 3000); the others are 640 x 480, as the page sends them: assumed."""
F1_HOURS = {"F1": 1, "F2": 2}
"""Instance-hours of a class in hours of F1, as they count against the free 28 a day."""
FREE = 28
P95, REFUSED = 1.0, 0.001
"""What a recommended setting keeps to: seconds of the 95th percentile, share of requests refused."""
SETTINGS: dict[str, tuple[str, Scaling]] = {
    "as it ships": ("F1", Scaling(max_instances=1, max_concurrent_requests=4)),
    "more instances": ("F1", Scaling(max_concurrent_requests=4)),
    "one kept idle": ("F1", Scaling(max_concurrent_requests=4, min_idle_instances=1)),
    "three kept idle": ("F1", Scaling(max_concurrent_requests=4, min_idle_instances=3, max_idle_instances=6)),
    "lean": ("F1", Scaling(0, 100, 0, 2, 0.9, 0.9, max_concurrent_requests=4, min_pending_latency=1.0)),
    "F2": ("F2", Scaling(max_concurrent_requests=4)),
    "F2, one kept idle": ("F2", Scaling(max_concurrent_requests=4, min_idle_instances=1)),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What a setting came to at a level: seconds, shares, and F1-hours of a whole day."""

    level: float
    setting: str
    p50: float
    p95: float
    p99: float
    refused: float
    cold: float
    f1_hours: float

    @property
    def good(self) -> bool:
        return self.p95 <= P95 and self.refused <= REFUSED


def mixed(service: dict[str, list[float]], random: np.random.Generator, count: int = 10_000) -> np.ndarray:
    """Service times of `count` photos, LARGE of them large, drawn from the measured ones."""
    large = random.random(count) < LARGE
    return np.where(large, random.choice(service["4000 x 3000"], count), random.choice(service["640 x 480"], count))


def row(level: float, share: float, setting: str, measured: dict[str, Any], seed: int) -> Row:
    kind, scaling = SETTINGS[setting]
    times = mixed(measured[kind]["service_s"], np.random.default_rng(seed))
    outcome = simulate(scaling, measured[kind]["start_s"], day(level, times, seed, share))
    return summed_up(level, setting, outcome, share, F1_HOURS[kind])


def summed_up(level: float, setting: str, outcome: Outcome, share: float, weight: int) -> Row:
    p50, p95, p99 = np.percentile(outcome.latencies, [50, 95, 99]).tolist()
    refused = outcome.refused / (outcome.refused + len(outcome.latencies))
    return Row(level, setting, p50, p95, p99, refused, outcome.cold / share, outcome.hours / share * weight)


def recommended(rows: Sequence[Row]) -> Row:
    """The cheapest that keeps to P95 and REFUSED; where none does, the one that refuses least."""
    return min(
        (one for one in rows if one.good),
        key=lambda one: one.f1_hours,
        default=min(rows, key=lambda one: (one.refused, one.p95)),
    )


def keys(setting: str) -> str:
    """The lines of app.yaml that differ from App Engine's defaults."""
    kind, scaling = SETTINGS[setting]
    plain, lines = Scaling(), [f"instance_class: {kind}", "automatic_scaling:"]
    for name, value in vars(scaling).items():
        if value != getattr(plain, name) or name == "max_instances":
            lines.append(f"  {name}: {f'{value:g}s' if name.endswith('latency') else value}")
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    best = {id(recommended([one for one in rows if one.level == level])) for level in LEVELS}
    lines = [
        f"| {one.level:g} | {f'**{one.setting}**' if id(one) in best else one.setting} "
        f"| {one.p50:.2f} | {one.p95:.2f} | {one.p99:.2f} | "
        f"{one.refused:.2%} | {one.cold:,.0f} | {one.f1_hours:,.0f} |"
        for one in rows
    ]
    return "\n".join(
        [
            "| requests a second | keys | p50 s | p95 s | p99 s | refused | starts a day | F1-hours a day |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *lines,
        ]
    )


def report(rows: Sequence[Row], measured: dict[str, Any]) -> str:
    about, classes = measured["measured"], measured["classes"]
    medians = "\n".join(
        f"| {kind} | {one['start_s']:.1f} | {np.median(one['service_s']['640 x 480']):.3f} "
        f"| {np.median(one['service_s']['4000 x 3000']):.3f} |"
        for kind, one in classes.items()
    )
    choices = []
    for level in LEVELS:
        best = recommended([one for one in rows if one.level == level])
        free = "within the free 28" if best.f1_hours <= FREE else f"{best.f1_hours - FREE:,.0f} above the free 28"
        kept = (
            ""
            if best.good
            else f" No setting keeps p95 within {P95:g} s and refusals within {REFUSED:.1%}; this one refuses least."
        )
        choices.append(
            f"**{level:g} requests a second: {best.setting}**, {best.f1_hours:,.0f} F1-hours a day, {free}.{kept}\n\n"
            f"```yaml\n{keys(best.setting)}\n```"
        )
    parts = ", ".join(f"{share:.3g} of it at {level:g}" for level, share in LEVELS.items() if share < 1)
    return f"""# Scaling keys, by simulation

![p95 of the latency over F1-hours a day, for each setting, at four rates](autoscaling.svg)

A day of visitors was simulated against a model of App Engine's scheduler: `make autoscaling`. It says how keys compare, not
what Google will bill. [scheduler.py](../scripts/deploy/autoscaling/scheduler.py) lists which of its rules Google documents and
which are assumed.

## What to write into app.yaml

The cheapest setting with a 95th percentile of at most {P95:g} s and at most {REFUSED:.1%} refused. `max_instances` is the most
that you would pay for.

{chr(10).join(f"{choice}{chr(10)}" for choice in choices)}
## What was measured

One request at a time inside the limits of each class, and the start to the first scored photo, on {about["date"]} (load average
{about["load_average"]} on {about["cores"]} cores: other work ran, so these are slower than on a machine of its own):

```bash
{about["command"]}
```

| class | start s | photo of 640 x 480, median s | 4000 x 3000 |
| --- | ---: | ---: | ---: |
{medians}

## What was simulated

A Poisson process whose rate swings by {SWING:.0%} around its mean over the day, with {BURSTS} bursts of {BURST_SECONDS:g} s at
{BURST_TIMES:g} times the rate; {LARGE:.0%} of the photos are large. A request that waits {PATIENCE:g} s for an instance is
refused. Of busy days a part was simulated, in which the daily curve passes that much faster
({parts} requests a second): harder on the scheduler, and more idle time, than
the day itself; bursts are fewer in proportion, but for one at least, and starts are counted for a whole day.

{table(rows)}

"As it ships" is app.yaml: one instance, 24 of the 28 free hours whatever comes.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measured = json.loads(TIMES.read_text())
    rows = []
    for level, share in LEVELS.items():
        for setting in SETTINGS:
            rows.append(row(level, share, setting, measured["classes"], options.seed))
            print(rows[-1], flush=True)
    OUT.write_text(report(rows, measured))
    plot([vars(one) for one in rows], OUT.with_suffix(".svg"))


if __name__ == "__main__":
    main()
