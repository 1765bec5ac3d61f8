"""The plot of docs/autoscaling.md: latency over cost, a panel for each rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
