"""Figures of the notebooks. Each function shows one figure.

Colours are those of the page (Okabe and Ito's palette for colour-blind readers); heat maps use cividis and show the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from emotions.face.annotate import text_colour
from emotions.face.results import Box
from emotions.labels import COLOURS, EMOTIONS, TITLES

from ..data.dataset import SPLITS, Faces

P = ParamSpec("P")
NAMES = [TITLES[name] for name in EMOTIONS]
FILLS = [COLOURS[name] for name in EMOTIONS]
MARKERS = "ovsPXD^"
"""Marker of each emotion, so that points do not differ by colour alone."""
FIRST_STYLE, SECOND_STYLE = ("#0072b2", "-", "o"), ("#d55e00", "--", "s")
"""Colour, line style and marker of two compared series."""
EDGE = "#333333"

STYLE = {
    "figure.dpi": 110, "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "grid.color": "#dddddd", "legend.frameon": False,
}  # fmt: skip


def styled(plot: Callable[P, None]) -> Callable[P, None]:
    """Decorate a plotting function to use STYLE without changing Matplotlib's settings for other figures."""

    @wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        with plt.rc_context(STYLE):
            plot(*args, **kwargs)

    return wrapper


@styled
def show_images(images: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 8, side: float = 1.05) -> None:
    """Show images (H, W) grey or (H, W, 3) RGB in rows of `columns` with titles; `side`: inches per image."""
    if not len(images):
        print("no picture to show")
        return
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    height = rows * side + 0.16 * lines * -(-len(titles) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * side, height), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, images, strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(title, fontsize=7, pad=2)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    plt.show()


@styled
def contact_sheet(faces: Faces, each: int = 4, seed: int = 0) -> None:
    """Show `each` random faces of a table per emotion, in columns; blank cells where there are fewer."""
    random, blank = np.random.default_rng(seed), np.full(faces.pixels.shape[1:], 255, np.uint8)
    columns = []
    for label in range(len(EMOTIONS)):
        chosen = random.permutation(np.flatnonzero(faces.labels == label))[:each]
        columns.append([*faces.pixels[chosen], *[blank] * (each - len(chosen))])
    show_images([column[row] for row in range(each) for column in columns], NAMES, columns=len(EMOTIONS))


@styled
def style_grid(images: Mapping[tuple[str, str], np.ndarray], rows: Sequence[str], side: float = 0.8) -> None:
    """Show images by (row, emotion), with a row for each of `rows` and a column for each emotion; missing ones are blank."""
    size = 1.2 + side * len(EMOTIONS), 0.3 + side * len(rows)
    figure, axes = plt.subplots(len(rows), len(EMOTIONS), figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for (row, column), axis in np.ndenumerate(axes):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        if (image := images.get((rows[row], EMOTIONS[column]))) is not None:
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        if not row:
            axis.set_title(NAMES[column], fontsize=8)
        if not column:
            axis.set_ylabel(rows[row], rotation=0, ha="right", va="center", fontsize=8)
    plt.show()


@styled
def detected_crops(
    images: Sequence[np.ndarray], outlines: Sequence[np.ndarray | None], crops: Sequence[np.ndarray | None]
) -> None:
    """Show images with the outline (4, 2) of the served crop, and the crop (S, S) below each."""
    size = (1.55 * len(images), 3.1) if len(images) > 1 else (3.1, 4.6)
    _, axes = plt.subplots(2, len(images), figsize=size, squeeze=False, layout="constrained", height_ratios=(3, 2))
    for (above, below), image, outline, crop in zip(axes.T, images, outlines, crops, strict=True):
        above.imshow(image)
        above.axis("off")
        below.axis("off")
        if outline is None:
            above.set_title("no face found", fontsize=8)
            continue
        for width, colour in ((3, "white"), (1.5, SECOND_STYLE[0])):  # a white outline keeps the line visible on any background
            above.plot(*np.vstack([outline, outline[:1]]).T, color=colour, linewidth=width)
        above.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0))
        below.imshow(crop, cmap="gray", vmin=0, vmax=255)
    plt.show()


@styled
def landmarks(pixels: np.ndarray, box: Box, points: np.ndarray | None) -> None:
    """Show an image (H, W, 3) with the box of a face, and the enlarged face with its landmarks (N, 2)."""
    figure, (whole, close) = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
    for axis in (whole, close):
        axis.imshow(pixels)
        axis.axis("off")
        for width, colour in ((4, "white"), (2, SECOND_STYLE[0])):
            axis.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, edgecolor=colour, linewidth=width))
    if points is not None:
        close.scatter(*points.T, 3, "white", edgecolors=EDGE, linewidths=0.3)
    close.set(xlim=(box.left - 0.1 * box.width, box.left + 1.1 * box.width))
    close.set(ylim=(box.top + 1.1 * box.height, box.top - 0.1 * box.height))
    plt.show()


@styled
def counts(faces: Faces) -> None:
    """Plot the number of faces per emotion, with a panel and scale for each split."""
    figure, axes = plt.subplots(1, len(SPLITS), figsize=(9, 2.5), sharey=True, layout="constrained")
    for axis, split in zip(axes, SPLITS, strict=True):
        labels = faces.split(split).labels
        numbers = np.bincount(labels[labels >= 0], minlength=len(EMOTIONS))
        _bars(axis, numbers, [f"{number:,}" for number in numbers])
        axis.set(title=f"{split}: {len(labels):,} faces", xlabel="faces")
        axis.locator_params(axis="x", nbins=4)
    plt.show()


@styled
def probabilities(values: np.ndarray, title: str = "") -> None:
    """Plot seven probabilities (7,) as bars."""
    _, axis = plt.subplots(figsize=(5, 2.4), layout="constrained")
    _bars(axis, values, [f"{value:.1%}" for value in values])
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set(xlabel="probability", title=title, xlim=(0, 1.15))
    axis.set_xticks(np.linspace(0, 1, 6))
    plt.show()


@styled
def heat_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, ylabel: str, xlabel: str, form: str = ".0%",
    texts: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Plot a matrix (R, C) as coloured cells with their number, or their text in `texts`. Zeros have no text, NaN is white."""
    figure, axis = plt.subplots(figsize=(1.9 + 0.62 * len(columns), 1.2 + 0.36 * len(rows)), layout="constrained")
    image = axis.imshow(values, cmap="cividis", vmin=0, aspect="auto")
    for place, value in np.ndenumerate(values):
        if np.isfinite(value) and value > 0:
            shade = image.cmap(image.norm(value))
            colour = text_colour("#" + "".join(f"{round(255 * part):02x}" for part in shade[:3]))
            said = format(value, form) if texts is None else texts[place]
            axis.text(*place[::-1], said, ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(rows)), rows)
    axis.set(title=title, ylabel=ylabel, xlabel=xlabel)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    plt.show()


@styled
def confusion(matrix: np.ndarray, title: str) -> None:
    """Plot a confusion matrix (7, 7) of counts; colours show the share of the row."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    texts = np.array([[f"{number:,}" for number in row] for row in matrix])
    heat_map(shares, NAMES, NAMES, title, "label", "prediction", texts=texts)


@styled
def histogram(parts: Mapping[str, np.ndarray], title: str, xlabel: str, mark: float | None = None) -> None:
    """Plot two normalised distributions on one scale; `mark`: position of a vertical line."""
    figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
    bins = np.histogram_bin_edges(np.concatenate(list(parts.values())), 40)
    for (name, values), (colour, line, _) in zip(parts.items(), (FIRST_STYLE, SECOND_STYLE), strict=False):
        weights = np.full(len(values), 1 / max(len(values), 1))
        axis.hist(values, bins, weights=weights, histtype="stepfilled", color=colour, alpha=0.25)
        axis.hist(values, bins, weights=weights, histtype="step", color=colour, linestyle=line, label=name, linewidth=1.5)
    if mark is not None:
        axis.axvline(mark, color=EDGE, linewidth=1, linestyle=":")
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set(title=title, xlabel=xlabel, ylabel="share of faces")
    figure.legend(loc="outside lower center", ncols=2)
    plt.show()


@styled
def scatter(points: np.ndarray, labels: np.ndarray, title: str) -> None:
    """Plot points (N, 2) with the colour and marker of their class ids (N,)."""
    _, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    order = np.random.default_rng(0).permutation(len(points))  # otherwise the last emotion would cover the others
    for number, name in enumerate(NAMES):
        chosen = order[labels[order] == number]
        style = {"alpha": 0.8, "edgecolors": EDGE, "linewidths": 0.3}
        axis.scatter(*points[chosen].T, 16, FILLS[number], MARKERS[number], label=name, **style)
    axis.set(title=title, xlabel="first direction", ylabel="second direction", xticks=[], yticks=[])
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


@styled
def learning_curves(rows: Sequence[Mapping[str, float]], title: str) -> None:
    """Plot loss and accuracy per epoch, as recorded by scripts.docs.curves, for training and validation."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained")
    epochs = np.arange(1, len(rows) + 1)
    for axis, measure in zip(axes, ("loss", "accuracy"), strict=True):
        for part, (colour, line, marker) in zip(("train", "validation"), (FIRST_STYLE, SECOND_STYLE), strict=True):
            values = [row[f"{part} {measure}"] for row in rows]
            axis.plot(epochs, values, line, color=colour, marker=marker, markersize=4, label=part)
        axis.set(xlabel="epoch", ylabel="cross-entropy" if measure == "loss" else measure)
        axis.grid(axis="y")
    axes[1].yaxis.set_major_formatter(PercentFormatter(1))
    axes[0].legend()
    figure.suptitle(title, fontsize=10)
    plt.show()


@styled
def head_search(
    heads: Mapping[str, Sequence[Mapping[str, float]]], xlabel: str, ylabel: str, chosen: Mapping[str, int], title: str,
    keys: tuple[str, str],
) -> None:  # fmt: skip
    """Plot all trained heads by two validation metrics, `keys` (0..1); the selected one of each label set is ringed."""
    _, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for number, (name, rows) in enumerate(heads.items()):
        x, y = ([row[key] for row in rows] for key in keys)
        colour = FILLS[(0, 5, 1, 2)[number % 4]]
        axis.scatter(x, y, 36, colour, MARKERS[number], edgecolors=EDGE, linewidths=0.5, label=name, zorder=2)
        axis.scatter(x[chosen[name]], y[chosen[name]], 170, "none", "o", edgecolors=EDGE, linewidths=1.5, zorder=3)
    axis.scatter([], [], 170, "none", "o", edgecolors=EDGE, linewidths=1.5, label="chosen")
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.grid()
    axis.legend(title="head", loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=0.8)
    plt.show()


@styled
def reliability(panels: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Plot reliability diagrams: title -> rows of metrics.reliability. Calibrated predictions lie on the diagonal."""
    _, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.6), sharey=True, squeeze=False, layout="constrained")
    for axis, (title, rows) in zip(axes.flat, panels.items(), strict=True):
        max_count = max(row["count"] for row in rows)
        sizes = [20 + 180 * row["count"] / max_count for row in rows]
        axis.plot([0, 1], [0, 1], ":", color=EDGE, linewidth=1, label="calibrated")
        places, heights = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        axis.vlines(places, places, heights, color=SECOND_STYLE[0], linewidth=1.5)
        axis.scatter(places, heights, sizes, FIRST_STYLE[0], edgecolors="white", linewidths=0.5, zorder=3, clip_on=False)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set(title=title, xlabel="mean confidence of a bin", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
        axis.grid()
    axes.flat[0].set_ylabel("accuracy")
    axes.flat[0].legend(loc="upper left")
    plt.show()


def _bars(axis: plt.Axes, values: np.ndarray, texts: Sequence[str]) -> None:
    """Draw a labelled horizontal bar per emotion in its colour, the first emotion on top."""
    bars = axis.barh(NAMES, values, color=FILLS, edgecolor=EDGE, linewidth=0.5)
    axis.bar_label(bars, texts, padding=3, fontsize=8)
    axis.set_ylim(len(NAMES) - 0.5, -0.5)
    axis.margins(x=0.2)
    axis.grid(axis="x")
