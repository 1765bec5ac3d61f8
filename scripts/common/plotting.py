"""Reproducible SVG plots with Matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
}  # fmt: skip


@contextmanager
def svg_plots() -> Iterator[ModuleType]:
    """`matplotlib.pyplot` with the SVG backend and STYLE; settings of other plots are restored at the end of the block."""
    import matplotlib
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        pyplot.switch_backend("svg")
        yield pyplot
