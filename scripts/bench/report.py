"""The benchmark's report in Markdown: what was measured, and which targets were reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from .contenders import CLIENTS
from .figures import MEGABYTE, STAGES, Measured, medians, quantile, shares, short, times_better

TARGETS = (
    ("p50 a photo", "usual", 20.0),
    ("start to first answer", "usual", 5.0),
    ("memory", "usual", 4.0),
    ("p50 a photo", "fer", 3.0),
)
"""Which row must be how many times better than which contestant's."""
EXPLAINED = "explaining an answer"
"""Row of what `?explain=true` adds for a face."""
ONE_CORE_MS = 10.0
"""Budget of the p50 of a photo on one core."""
EXPLAINED_MS = 300.0
"""Budget, on one core, of what explaining the answer for a face adds to a photo."""


def rows(measured: Mapping[str, Measured]) -> dict[str, dict[str, tuple[str, float | None]]]:
    """Row -> contestant -> its figure in words, and how many times better ours is (None for ours)."""

    def row(figures: Callable[[Measured], Sequence[float]], unit: str, more_is_better: bool = False) -> dict[str, tuple]:
        """`figures` gives a figure a round; whoever has none is left out."""
        rounds = {key: figures(one) for key, one in measured.items() if figures(one)}
        ratios = {key: times_better(rounds["ours"], values, more_is_better) for key, values in rounds.items() if key != "ours"}
        return {key: (short(median(values)) + unit, ratios.get(key)) for key, values in rounds.items()}

    return {
        "start to first answer": row(lambda one: one.starts, " s"),
        "memory after the first answer": row(lambda one: [one.first_bytes / MEGABYTE], " MB"),
        "memory": row(lambda one: [one.last_bytes / MEGABYTE], " MB"),
        "peak of memory": row(lambda one: [one.peak_bytes / MEGABYTE], " MB"),
        "p50 a photo": row(lambda one: medians(one.photos), " ms"),
        "p99 a photo": row(lambda one: [quantile(sum(one.photos, []), 0.99)], " ms"),
        "photos a second": row(lambda one: one.rates, "", more_is_better=True),
        "p50 a photo on one core": row(lambda one: medians(one.one_core), " ms"),
        EXPLAINED: row(lambda one: one.explained, " ms"),
        f"{EXPLAINED} on one core": row(lambda one: one.explained_alone, " ms"),
    }


def targets(measured: Mapping[str, Measured], titles: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Each target in words, what was measured, and whether it was reached."""
    table, judged = rows(measured), []
    for name, rival, wanted in TARGETS:
        ratio = table[name][rival][1] or 0.0
        judged.append((f"{name}: {wanted:.0f} times better than {titles[rival]}", f"{short(ratio)} times", ratio >= wanted))
    alone = median(medians(measured["ours"].one_core))
    judged.append((f"p50 a photo on one core: at most {ONE_CORE_MS:.0f} ms", f"{short(alone)} ms", alone <= ONE_CORE_MS))
    more = median(measured["ours"].explained_alone)
    judged.append((f"{EXPLAINED} on one core: at most {EXPLAINED_MS:.0f} ms", f"{short(more)} ms", more <= EXPLAINED_MS))
    return judged


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compared(names: Sequence[str], measured: Mapping[str, Measured], titles: Mapping[str, str]) -> str:
    """A table of the rows in `names`, each rival's figure with how many times better ours is."""
    figures, body = rows(measured), []
    for name in names:
        cells = [figures[name].get(key, ("", None)) for key in measured]
        body.append([name, *(words if ratio is None else f"{words} ({short(ratio)}x)" for words, ratio in cells)])
    return table(["", *titles.values()], body)


def sweep_table(kind: str, label: str, measured: Mapping[str, Measured], titles: Mapping[str, str]) -> str:
    """Median milliseconds for each value of a sweep, with the faces that each contestant found."""
    body = []
    for value in getattr(measured["ours"], kind):
        cells = [f"{short(median(getattr(one, kind)[value]))} ms, {one.found[kind][value]} found" for one in measured.values()]
        body.append([f"{value:g}", *cells])
    return table([label, *titles.values()], body)


def stage_table(measured: Mapping[str, Measured], titles: Mapping[str, str]) -> str:
    """Median milliseconds and share of each stage."""
    split = [shares(one.stages) for one in measured.values()]
    body = [[stage, *(f"{short(part[stage][0])} ms ({part[stage][1]:.0%})" for part in split)] for stage in STAGES]
    return table(["stage", *titles.values()], body)


def report(measured: Mapping[str, Measured], titles: Mapping[str, str], facts: Mapping[str, str], chart: str) -> str:
    """The whole report. `facts`: what, when and where in words; `chart`: the picture's path beside the report."""
    counts = ", ".join(f"{titles[key]} {sum(map(len, one.photos)):,}" for key, one in measured.items())
    judged = [(target, got, "reached" if reached else "**not reached**") for target, got, reached in targets(measured, titles)]
    summary = ("start to first answer", "memory", "p50 a photo", "p99 a photo", "photos a second", "p50 a photo on one core")
    return f"""# Benchmark of {facts["date"]}

{table(["target", "measured", ""], judged)}

<!-- summary -->
{compared(summary, measured, titles)}

In brackets: how many times better this project is, as the median of rounds in which all were asked in turn.
<!-- /summary -->

![The same figures as a chart]({chart})

A photo is a JPEG of 640 x 480 pixels with one face, sent over HTTP on a connection that is kept alive, one after the other; the
time ends with the last byte of the answer. p50 is the median of rounds, p99 is over all photos
({counts}).
Photos a second: {CLIENTS} clients at once, on the same cores as the server. Memory is the worker's resident set, shared
libraries included, in MB of 2^20 bytes: "memory" after those photos, the peak after everything below. Explaining an answer is
what `?explain=true` adds for the photo's one face; the others cannot.

{compared(tuple(rows(measured)), measured, titles)}

## Where the time goes

{stage_table(measured, titles)}

## More faces

A picture of 1280 x 960 pixels with so many faces of 89 pixels; "found" is what each said that it holds.

{sweep_table("faces", "faces", measured, titles)}

## Larger pictures

One large face in a grainy scene; "found" over 1 are false alarms, and each costs a rival one more run of its network.

{sweep_table("sizes", "megapixels", measured, titles)}

## Who is compared

- **{titles["ours"]}**: command and variables of app.yaml, on the models that the tree ships.
- **{titles["usual"]}**: Flask; OpenCV's Haar cascade with its default parameters at full size; Keras' float32 VGG-16 in colour
  at 224 px with a dense head, loaded once at start, `model.predict` once a face. The weights are random, which changes
  no time.
- **{titles["small"]}**: the same at 48 px with `model(x, training=False)`.
- **{titles["fer"]}**: the package as it is today, with its defaults (Haar, its own quantised network), behind the same Flask.

All run under gunicorn with one worker of four threads and the same options, started in turn, then asked in turn, round after
round; the variables of app.yaml are this project's alone. On one core: the server was started there alone, and the client ran
elsewhere. A contestant that took over a second for a picture was asked for it once. Locks guard what the rivals' libraries do
not let two threads use.

{chr(10).join(f"- {name}: {value}" for name, value in facts.items())}
"""
