"""SVG chart of the benchmark: bars for single figures, stacked bars for stages, lines for series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ..common.plotting import svg_plots
from .figures import MEGABYTE, STAGES, Measurements, format_figure, medians, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"ours": "#0072b2", "usual": "#d55e00", "small": "#e69f00", "fer": "#7f7f7f"}
"""Palette for colour-blind readers (Okabe and Ito, 2008)."""
STAGE_COLOURS = ("#bdd7e7", "#6baed6", "#2171b5", "#d9d9d9")


def draw(measured: Mapping[str, Measurements], titles: Mapping[str, str], path: Path) -> None:
    """Write the chart of `measured` to `path`."""
    with svg_plots() as pyplot:
        figure, places = pyplot.subplots(2, 3, figsize=(12, 6.6), layout="constrained")
        photos = {key: median(medians(one.photos)) for key, one in measured.items()}
        bars(places[0, 0], "p50 per photo, ms (log)", photos, titles, log=True)
        bars(places[0, 1], "start to first response, s", {key: median(one.starts) for key, one in measured.items()}, titles)
        memory = {key: one.last_bytes / MEGABYTE for key, one in measured.items()}
        bars(places[0, 2], "memory after the photos, MB", memory, titles)
        stacked(places[1, 0], measured, titles)
        lines(places[1, 1], "ms against faces in the picture", {key: one.faces for key, one in measured.items()}, titles)
        places[1, 1].legend(frameon=False, fontsize=7)
        lines(places[1, 2], "ms against megapixels", {key: one.sizes for key, one in measured.items()}, titles)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def bars(axes: Axes, title: str, values: Mapping[str, float], titles: Mapping[str, str], log: bool = False) -> None:
    names = [titles[key] for key in values]
    drawn = axes.barh(names, list(values.values()), color=[COLOURS[key] for key in values], log=log)
    axes.bar_label(drawn, [format_figure(value) for value in values.values()], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlim(left=1 if log else 0)
    axes.set_title(title, loc="left")


def stacked(axes: Axes, measured: Mapping[str, Measurements], titles: Mapping[str, str]) -> None:
    names, left = [titles[key] for key in measured], [0.0] * len(measured)
    parts = [shares(one.stages) for one in measured.values()]
    for stage, colour in zip(STAGES, STAGE_COLOURS, strict=True):
        widths = [part[stage][1] * 100 for part in parts]
        axes.barh(names, widths, left=left, color=colour, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_title("share of each stage, %", loc="left", pad=22)
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=7, handlelength=1, columnspacing=1)


def lines(axes: Axes, title: str, values: Mapping[str, Mapping[float, list[float]]], titles: Mapping[str, str]) -> None:
    for key, sweep in values.items():
        axes.plot(list(sweep), [median(times) for times in sweep.values()], "o-", ms=3, color=COLOURS[key], label=titles[key])
    axes.loglog()
    ticks = list(values["ours"])
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(title + " (log)", loc="left")
