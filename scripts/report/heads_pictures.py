"""Pictures of benchmarks/heads.md: recall against strength, and rendered heads that are read right and wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emotions.labels import EMOTIONS

from ..common.plotting import svg_plots
from ..synthetic.heads.dataset.reader import NEUTRAL, RenderedHeads, bin_numbers
from .heads_results import MISSED, STRENGTHS, HeadResults, WholePictures, strength_curve

COLORS = {
    "anger": "#d55e00",
    "disgust": "#009e73",
    "fear": "#cc79a7",
    "happy": "#e69f00",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
}
EACH = 4
"""Pictures of each emotion that are read right, and as many that are not."""
SIDE, CAPTION, HEADING, GAP = 128, 26, 20, 14  # pixels
MAX_BYTES = 300_000
QUALITIES = range(88, 30, -6)
"""Qualities of JPEG compression that are tried until the file is small enough."""


def draw_strengths(report: HeadResults, path: Path) -> None:
    """Write an SVG: recall against strength by emotion for the first served head, and the mean of all heads."""
    heads, (title, first) = report.heads, next(iter(report.served.items()))
    middles = [(low + high) / 2 for low, high in zip(STRENGTHS, STRENGTHS[1:], strict=False)]
    with svg_plots() as pyplot:
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
        for emotion, color in COLORS.items():
            part = heads.emotions == EMOTIONS.index(emotion)
            left.plot(middles, _percents(strength_curve(heads.where(part), first[part])), color=color, label=emotion)
        left.plot(middles, _percents(_called_neutral(heads, first)), ":", color="#666666", label="called neutral")
        for number, (name, predicted) in enumerate(report.columns.items()):
            style = "-" if name in report.served else "--" if "families" in name else ":"
            right.plot(middles, _percents(strength_curve(heads, predicted)), style, color=f"C{number}", label=name)
        for axes, heading in ((left, title), (right, "mean of the six emotions")):
            axes.set(title=heading, xlabel="strength of the expression", xlim=(STRENGTHS[0], STRENGTHS[-1]), ylim=(0, 100))
            axes.grid(alpha=0.3)
            axes.legend(frameon=False, fontsize=7, loc="upper left")
        left.set_ylabel("recall, %")
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _percents(values: Sequence[float | None]) -> list[float]:
    return [np.nan if value is None else 100 * value for value in values]


def _called_neutral(heads: RenderedHeads, predicted: np.ndarray) -> list[float | None]:
    numbers, shown = bin_numbers(heads.strengths, STRENGTHS), heads.emotions != NEUTRAL
    masks = [shown & (numbers == number) for number in range(len(STRENGTHS) - 1)]
    return [float((predicted[mask] == NEUTRAL).mean()) if mask.any() else None for mask in masks]


def choose_examples(heads: RenderedHeads, whole: WholePictures, head: str, each: int = EACH) -> dict[tuple[int, bool], list[int]]:
    """Choose whole pictures at full strength: (class id, read right) -> places in `whole`, of as many families as possible."""
    families, emotions = heads.families[whole.rows], heads.emotions[whole.rows]
    full = heads.at_level("full")[whole.rows]
    right = (whole.predicted[head] == emotions) & heads.found[whole.rows]
    chosen: dict[tuple[int, bool], list[int]] = {}
    for emotion in range(len(EMOTIONS)):
        for good in (True, False):
            places = np.flatnonzero(full & (emotions == emotion) & (right == good))
            turns = [int((families[places[:number]] == families[place]).sum()) for number, place in enumerate(places)]
            chosen[emotion, good] = [int(places[number]) for number in np.argsort(turns, kind="stable")[:each]]
    return chosen


def draw_examples(
    heads: RenderedHeads, whole: WholePictures, head: str, pixels_of: Callable[[int], np.ndarray], path: Path
) -> None:
    """Write a JPEG of at most MAX_BYTES: for each emotion pictures that `head` reads right, and pictures that it does not.

    `pixels_of` returns the whole picture (H, W, 3) of a place in `whole`.
    """
    chosen, font = choose_examples(heads, whole, head), ImageFont.load_default(11)
    width, height = 2 * EACH * SIDE + GAP, HEADING + len(EMOTIONS) * (SIDE + CAPTION)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    for left, text in ((0, f"right, {head}"), (EACH * SIDE + GAP, "wrong, with the prediction")):
        draw.text((left + 4, 3), text, "black", ImageFont.load_default(13))
    for (emotion, good), places in chosen.items():
        top = HEADING + emotion * (SIDE + CAPTION)
        for column, place in enumerate(places):
            left = column * SIDE + (0 if good else EACH * SIDE + GAP)
            picture = Image.fromarray(pixels_of(place)).resize((SIDE - 2, SIDE - 2), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left + 1, top))
            lines = (
                f"{heads.families[whole.rows[place]]}: {EMOTIONS[emotion]}",
                "" if good else _outcome(heads, whole, head, place),
            )
            for line, text in enumerate(lines):
                draw.text(
                    (left + SIDE / 2, top + SIDE - 1 + 11 * line), text, "black" if line == 0 else "#b00020", font, anchor="ma"
                )
    path.write_bytes(_compressed(sheet))


def _outcome(heads: RenderedHeads, whole: WholePictures, head: str, place: int) -> str:
    predicted = whole.predicted[head][place]
    return "not found" if predicted == MISSED or not heads.found[whole.rows[place]] else EMOTIONS[predicted]


def _compressed(sheet: Image.Image) -> bytes:
    content = b""
    for quality in QUALITIES:
        stream = io.BytesIO()
        sheet.save(stream, "JPEG", quality=quality, optimize=True)
        content = stream.getvalue()
        if len(content) <= MAX_BYTES:
            break
    return content
