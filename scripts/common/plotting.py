"""Matplotlib set up for reproducible SVG files: `from .plotting import pyplot`."""

from __future__ import annotations

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif", "font.size": 9,
                        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10}  # fmt: skip
from matplotlib import pyplot  # noqa: E402  (after the choice of what draws)

__all__ = ["pyplot"]
