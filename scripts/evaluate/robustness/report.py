"""Report of the robustness measurement: benchmarks/robustness.md and its chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...common.markdown import table
from ...common.plotting import svg_plots
from .corruptions import STRENGTHS, Corruption
from .summary import RESAMPLES, Shares, Summary

COLORS = ("#0072b2", "#d55e00")
PANELS = 5  # panels in a row of the chart
ALL_SETS = "mean of the sets"
SUMMARY_COLUMNS = ("set", "system", "clean: found", "right", "corrupted: found", "right", "lost", "mean corruption error")


@dataclass(frozen=True)
class Report:
    """What the report shows.

    Attributes:
        command: command line that gives the figures again.
        date: day of the measurement.
        commit: commit of the checked-out repository.
        systems: title and version of each of the two systems.
        sizes: title of each set -> number of its pictures.
        corruptions: what was done to them.
        summaries: title of each set, and ALL_SETS last -> figures.
    """

    command: str
    date: str
    commit: str
    systems: Sequence[tuple[str, str]]
    sizes: dict[str, int]
    corruptions: Sequence[Corruption]
    summaries: dict[str, Summary]


def write_report(report: Report, path: Path) -> str:
    """Write the report and beside it its chart; return the report's text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(report, path.with_suffix(".svg"))
    text = markdown(report, path.stem)
    path.write_text(text, encoding="utf-8")
    return text


def markdown(report: Report, stem: str) -> str:
    """Text of the report; `stem` is the name of the chart without suffix."""
    ours, fer = (title for title, _ in report.systems)
    sizes = ", ".join(f"{title} {count}" for title, count in report.sizes.items())
    by_system = (f"{title}: {name}" for title in (ours, fer) for name in ("found", "right", "lost"))
    amounts = ((one.title, one.unit, *(f"{amount:g}" for amount in one.amounts)) for one in report.corruptions)
    return f"""# Robustness: corrupted pictures through the HTTP API

    {report.command}

- date: {report.date}, commit {report.commit}
{chr(10).join(f"- {title}: {version}" for title, version in report.systems)}
- pictures: {sizes}; each clean and with {len(report.corruptions)} corruptions in {len(STRENGTHS)} strengths

Corruptions in the manner of Hendrycks and Dietterich (2019), strengths in the table at the end. Both systems get the very same
PNG files in the same run, each from its own server: {ours} as app.yaml starts it, {fer} with its defaults behind Flask. All
pictures have 384 pixels a side and one face in the middle. London: frontal studio photographs, happy and neutral. Rendered
heads: two families of style that are never trained on, all emotions at full strength. FER2013: test faces, enlarged and set into
a larger picture with repeated edges, as no detector is made for 48 pixels. This project was trained on none of them, but on
FER2013's training faces, with augmentation that may resemble some of the corruptions; the training data of {fer} are FER2013
too, and which of its faces is not known.

**Found** is the share of pictures in which a box holds the middle. **Right** is the balanced recall over the classes of the set,
one of seven answers; a face that is not found is wrong. **Lost** is the share of the clean value of "right" that the corruptions
take, over all strengths. **Corruption error** is the error rate over all strengths divided by that of {fer}; its mean is an mCE
with {fer} as reference: below 100 % is better than {fer}. Every class of a set, and every set, counts the same. In brackets:
95 % intervals from {RESAMPLES:,} bootstrap samples of the pictures, each with all its corruptions.

## Summary

{table(SUMMARY_COLUMNS, "llr", _summary_rows(report))}

## By corruption ({ALL_SETS}, mean of the strengths)

{table(("corruption", *by_system, "corruption error"), "lr", _corruption_rows(report))}

![Balanced recall by strength]({stem}.svg)

{"".join(_strength_section(report, title) for title in report.summaries)}
## Strengths

{table(("corruption", "parameter", *map(str, STRENGTHS)), "llr", amounts)}
"""


def _summary_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for title, summary in report.summaries.items():
        clean = _with_interval(summary, lambda shares: shares.clean)
        corrupted = _with_interval(summary, lambda shares: shares.means.mean(axis=-1))
        lost = _with_interval(summary, lambda shares: shares.mean_drops)
        (error,) = _with_interval(summary, lambda shares: shares.mean_error[..., None])
        for place, (system, _) in enumerate(report.systems):
            found = percent(summary.found.clean[place]), percent(summary.found.means[place].mean())
            cells = found[0], clean[place], found[1], corrupted[place], lost[place]
            yield title, system, *cells, "100%" if place else error


def _with_interval(summary: Summary, figure: Callable[[Shares], np.ndarray]) -> list[str]:
    """Cells of a figure (K,) with its interval."""
    bounds = zip(figure(summary.right), *summary.interval(figure), strict=True)
    return [f"{percent(value)} ({percent(low, '')} to {percent(high, '')})" for value, low, high in bounds]


def _corruption_rows(report: Report) -> Iterator[tuple[str, ...]]:
    whole = report.summaries[ALL_SETS]
    errors = _with_interval(whole, lambda shares: shares.errors)
    for place, corruption in enumerate(report.corruptions):
        cells = [
            percent(values[system, place])
            for system in range(len(report.systems))
            for values in (whole.found.means, whole.right.means, whole.right.drops)
        ]
        yield corruption.title, *cells, errors[place]


def _strength_section(report: Report, title: str) -> str:
    summary = report.summaries[title]
    rows = []
    for place, (system, _) in enumerate(report.systems):
        pair = percent(summary.found.clean[place], ""), percent(summary.right.clean[place], "")
        rows.append(("none", system, " / ".join(pair), *[""] * (len(STRENGTHS) - 1)))
    for number, corruption in enumerate(report.corruptions):
        for place, (system, _) in enumerate(report.systems):
            shares = zip(summary.found.corrupted[place, number], summary.right.corrupted[place, number], strict=True)
            cells = (f"{percent(found, '')} / {percent(right, '')}" for found, right in shares)
            rows.append((corruption.title, system, *cells))
    heading = f"## Every strength: {title}\n\nFound / right, in per cent. {_width(summary)}"
    return f"{heading}\n\n{table(('corruption', 'system', *map(str, STRENGTHS)), 'llr', rows)}\n\n"


def _width(summary: Summary) -> str:
    """Sentence on the width of the intervals of single cells."""
    low, high = summary.interval(lambda shares: shares.corrupted)
    return f'The interval of a value of "right" is on average {100 * float((high - low).mean()) / 2:.0f} points to both sides.'


def draw(report: Report, path: Path) -> None:
    """Write the chart: a panel for each corruption, balanced recall and detection rate of both systems by strength."""
    whole, strengths = report.summaries[ALL_SETS], (0, *STRENGTHS)
    rows = math.ceil(len(report.corruptions) / PANELS)
    with svg_plots() as pyplot:
        figure, panels = pyplot.subplots(rows, PANELS, figsize=(9.6, 1.9 * rows + 0.5), sharex=True, sharey=True,
                                         squeeze=False, layout="constrained")  # fmt: skip
        for number, axes in enumerate(panels.flat):
            if number >= len(report.corruptions):
                axes.set_axis_off()
                continue
            for place, color in zip(range(len(report.systems)), COLORS, strict=True):
                for name, shares, line in (("right", whole.right, "-"), ("found", whole.found, ":")):
                    values = [shares.clean[place], *shares.corrupted[place, number]]
                    label = f"{report.systems[place][0]}: {name}" if number == 0 else None
                    axes.plot(strengths, [100 * value for value in values], line, color=color, label=label)
            axes.set_title(report.corruptions[number].title, loc="left", fontsize=9)
            axes.set_xticks(strengths)
            axes.set_ylim(0, 102)
            axes.grid(alpha=0.3)
        figure.supxlabel("strength (0: clean)", fontsize=9)
        figure.supylabel("share of the pictures, %", fontsize=9)
        figure.legend(frameon=False, fontsize=8, loc="outside upper center", ncols=4)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def percent(value: float, unit: str = "%") -> str:
    """A share in per cent, or a dash if it is not a number."""
    return f"{round(100 * value)}{unit}" if math.isfinite(value) else "–"
