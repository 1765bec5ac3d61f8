"""Markdown report of the benchmark: measurements and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from ..common.markdown import table
from .contenders import CLIENTS
from .figures import MEGABYTE, STAGES, Measurements, format_figure, median_ratio, medians, quantile, shares

TARGETS = (
    ("p50 per photo", "usual", 20.0),
    ("start to first response", "usual", 5.0),
    ("memory", "usual", 4.0),
    ("p50 per photo", "fer", 3.0),
)
"""(row, baseline, factor by which this project must be better)."""
SALIENCY = "saliency map"
"""Row of the time that `?explain=true` adds for a face."""
MAX_ONE_CORE_MS = 10.0
"""Budget of the median time of a photo on one core."""
MAX_SALIENCY_MS = 300.0
"""Budget of the saliency map of a face on one core."""


def rows(measured: Mapping[str, Measurements]) -> dict[str, dict[str, tuple[str, float | None]]]:
    """Return row -> contender -> (formatted figure, factor by which this project is better; None for this project)."""

    def row(figures: Callable[[Measurements], Sequence[float]], unit: str, higher_is_better: bool = False) -> dict[str, tuple]:
        """`figures` returns a figure per round; contenders without figures are omitted."""
        rounds = {key: figures(one) for key, one in measured.items() if figures(one)}
        ratios = {key: median_ratio(rounds["ours"], values, higher_is_better) for key, values in rounds.items() if key != "ours"}
        return {key: (format_figure(median(values)) + unit, ratios.get(key)) for key, values in rounds.items()}

    return {
        "start to first response": row(lambda one: one.starts, " s"),
        "memory after the first response": row(lambda one: [one.first_bytes / MEGABYTE], " MB"),
        "memory": row(lambda one: [one.last_bytes / MEGABYTE], " MB"),
        "peak memory": row(lambda one: [one.peak_bytes / MEGABYTE], " MB"),
        "p50 per photo": row(lambda one: medians(one.photos), " ms"),
        "p99 per photo": row(lambda one: [quantile(sum(one.photos, []), 0.99)], " ms"),
        "photos per second": row(lambda one: one.rates, "", higher_is_better=True),
        "p50 per photo on one core": row(lambda one: medians(one.one_core), " ms"),
        SALIENCY: row(lambda one: one.saliency, " ms"),
        f"{SALIENCY} on one core": row(lambda one: one.saliency_one_core, " ms"),
    }


def targets(measured: Mapping[str, Measurements], titles: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Return (target, measured figure, reached) for each target."""
    figures, judged = rows(measured), []
    for name, baseline, wanted in TARGETS:
        ratio = figures[name][baseline][1] or 0.0
        judged.append(
            (f"{name}: {wanted:.0f} times better than {titles[baseline]}", f"{format_figure(ratio)} times", ratio >= wanted)
        )
    alone = median(medians(measured["ours"].one_core))
    judged.append(
        (f"p50 per photo on one core: at most {MAX_ONE_CORE_MS:.0f} ms", f"{format_figure(alone)} ms", alone <= MAX_ONE_CORE_MS)
    )
    more = median(measured["ours"].saliency_one_core)
    judged.append(
        (f"{SALIENCY} on one core: at most {MAX_SALIENCY_MS:.0f} ms", f"{format_figure(more)} ms", more <= MAX_SALIENCY_MS)
    )
    return judged


def comparison_table(names: Sequence[str], measured: Mapping[str, Measurements], titles: Mapping[str, str]) -> str:
    """Return the table of the rows in `names`, with the factor by which this project is better beside each baseline's figure."""
    figures, body = rows(measured), []
    for name in names:
        cells = [figures[name].get(key, ("", None)) for key in measured]
        body.append([name, *(words if ratio is None else f"{words} ({format_figure(ratio)}x)" for words, ratio in cells)])
    return table(["", *titles.values()], "lr", body)


def sweep_table(kind: str, label: str, measured: Mapping[str, Measurements], titles: Mapping[str, str]) -> str:
    """Return the median milliseconds and the detected faces for each value of a sweep."""
    body = []
    for value in getattr(measured["ours"], kind):
        cells = [
            f"{format_figure(median(getattr(one, kind)[value]))} ms, {one.found[kind][value]} found" for one in measured.values()
        ]
        body.append([f"{value:g}", *cells])
    return table([label, *titles.values()], "lr", body)


def stage_table(measured: Mapping[str, Measurements], titles: Mapping[str, str]) -> str:
    """Return the median milliseconds and share of each stage."""
    split = [shares(one.stages) for one in measured.values()]
    body = [[stage, *(f"{format_figure(part[stage][0])} ms ({part[stage][1]:.0%})" for part in split)] for stage in STAGES]
    return table(["stage", *titles.values()], "lr", body)


def report(measured: Mapping[str, Measurements], titles: Mapping[str, str], facts: Mapping[str, str], chart: str) -> str:
    """Return the report. `facts`: date, command, machine and versions; `chart`: path of the chart relative to the report."""
    counts = ", ".join(f"{titles[key]} {sum(map(len, one.photos)):,}" for key, one in measured.items())
    judged = [(target, got, "reached" if reached else "**not reached**") for target, got, reached in targets(measured, titles)]
    summary = (
        "start to first response",
        "memory",
        "p50 per photo",
        "p99 per photo",
        "photos per second",
        "p50 per photo on one core",
    )
    return f"""# Benchmark of {facts["date"]}

{table(["target", "measured", ""], "lr", judged)}

<!-- summary -->
{comparison_table(summary, measured, titles)}

In brackets: by what factor this project is better, as the median over rounds in which all were measured in turn.
<!-- /summary -->

![The same figures as a chart]({chart})

Photos are JPEG files of 640 x 480 pixels with one face, sent one after another over a keep-alive HTTP connection; the time ends
with the last byte of the response. p50 is the median of rounds, p99 is over all photos
({counts}).
Photos per second: {CLIENTS} concurrent clients on the same cores as the server. Memory is the worker's resident set, shared
libraries included, in MB of 2^20 bytes: "memory" after those photos, the peak after all measurements. The saliency map is
the additional time of `?explain=true` for the photo's face, which the baselines do not offer.

{comparison_table(tuple(rows(measured)), measured, titles)}

## Time of each stage

{stage_table(measured, titles)}

## More faces

A picture of 1280 x 960 pixels with faces of 89 pixels; "found" is the number of detected faces.

{sweep_table("faces", "faces", measured, titles)}

## Larger pictures

One large face in a noisy scene; "found" above 1 are false detections, each of which costs a baseline another run of its network.

{sweep_table("sizes", "megapixels", measured, titles)}

## Contenders

- **{titles["ours"]}**: command and variables of app.yaml, with the bundled models.
- **{titles["usual"]}**: Flask; OpenCV's Haar cascade with its default parameters at full size; Keras' float32 VGG-16 in colour
  at 224 px with a dense head, loaded once at start, `model.predict` for each face. The weights are random, which does
  not affect the time.
- **{titles["small"]}**: the same at 48 px with `model(x, training=False)`.
- **{titles["fer"]}**: the current package with its defaults (Haar, its own quantised network), behind the same Flask.

All run under gunicorn with one worker of four threads and the same options, started and measured in turn, in several rounds; only
this project has the variables of app.yaml. On one core: the server was pinned to it, and the client ran on other cores. A
contender that took over a second for a picture got it only once. Locks guard calls that the baselines' libraries do not allow in
parallel.

{chr(10).join(f"- {name}: {value}" for name, value in facts.items())}
"""
