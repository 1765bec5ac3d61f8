"""Page /speech: record or upload speech, and the result with its chart over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flask import render_template, request

from emotions import EMOTIONS
from emotions.runtime.limits import get_limits
from emotions.speech.results import SpeechResult
from emotions.speech.spectrogram import FRAMES_PER_SECOND

from ..api.speech import classify_recording
from ..http.problems import Problem
from ..inference import analyzer
from .base import ResultView, pages
from .model_card import confusion_shares

CHART_WIDTH, CHART_HEIGHT = 720, 200
"""SVG units; the waveform is centred vertically, probabilities run from the bottom (0) to the top (1)."""
WAVEFORM_POINTS = 360
TICK_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
MAX_TICKS = 8
MIN_LINE_PROBABILITY = 0.15
"""Emotions whose probability stays below this get no line: seven lines would hide each other."""


@dataclass(frozen=True)
class SpeechChart:
    """SVG coordinates of the chart.

    `waveform`: path. `lines`: (emotion, path). `strip`: (left, width, emotion or None). `ticks`: (left, label).
    """

    waveform: str
    lines: tuple[tuple[str, str], ...]
    strip: tuple[tuple[float, float, str | None], ...]
    ticks: tuple[tuple[float, str], ...]


def build_chart(result: SpeechResult) -> SpeechChart:
    length = max(result.seconds, 0.1)
    scale = CHART_WIDTH / length
    return SpeechChart(_waveform(result.envelope, length), _lines(result, scale), _strip(result, scale), _ticks(length))


def format_time(seconds: float) -> str:
    """3.2 -> "3.2 s", 75 -> "1:15"."""
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds % 1 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _waveform(envelope: np.ndarray, length: float) -> str:
    """Closed path of the mirrored loudness envelope, scaled to the height of the chart."""
    if not len(envelope):
        return ""
    edges = np.linspace(0, len(envelope), min(WAVEFORM_POINTS, len(envelope)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(envelope, edges)
    heights = peaks / max(float(peaks.max()), 1e-6) * CHART_HEIGHT * 0.46
    covered = min(len(envelope) / FRAMES_PER_SECOND / length, 1) * CHART_WIDTH
    across = np.linspace(0, covered, len(heights))
    upper = [f"{x:.1f} {CHART_HEIGHT / 2 - y:.1f}" for x, y in zip(across, heights, strict=True)]
    lower = [f"{x:.1f} {CHART_HEIGHT / 2 + y + 0.6:.1f}" for x, y in zip(across[::-1], heights[::-1], strict=True)]
    return "M" + "L".join(upper + lower) + "Z"


def _lines(result: SpeechResult, scale: float) -> tuple[tuple[str, str], ...]:
    """A line through the middles of the segments with speech, interrupted where there is none."""
    if sum(segment.reason is None for segment in result.segments) < 2:
        return ()
    lines = []
    for index, emotion in enumerate(EMOTIONS):
        if max(segment.probabilities[index] for segment in result.segments if segment.reason is None) < MIN_LINE_PROBABILITY:
            continue
        path, drawing = [], False
        for segment in result.segments:
            if segment.reason is None:
                place = f"{(segment.start + segment.end) / 2 * scale:.1f} {CHART_HEIGHT * (1 - segment.probabilities[index]):.1f}"
                path.append(("L" if drawing else "M") + place)
            drawing = segment.reason is None
        lines.append((emotion, "".join(path)))
    return tuple(lines)


def _strip(result: SpeechResult, scale: float) -> tuple[tuple[float, float, str | None], ...]:
    """Merge neighbouring segments with the same prediction: a long recording has hundreds."""
    pieces: list[tuple[float, float, str | None]] = []
    for segment in result.segments:
        left, right = segment.start * scale, min(segment.end * scale, CHART_WIDTH)
        if pieces and pieces[-1][2] == segment.emotion:
            left = pieces.pop()[0]
        pieces.append((left, right, segment.emotion))
    return tuple((round(left, 1), round(right - left, 1), emotion) for left, right, emotion in pieces)


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    step = next((one for one in TICK_STEPS if length / one <= MAX_TICKS), TICK_STEPS[-1])
    return tuple((round(time / length * CHART_WIDTH, 1), format_time(time)) for time in np.arange(0, length * 0.98, step))


MAX_TABLE_ROWS = 400
"""Rows of the table of segments; the JSON has all of them."""


@dataclass(frozen=True)
class SpeechView(ResultView):
    """Result of a recording as the page shows it."""

    result: SpeechResult

    @cached_property
    def chart(self) -> SpeechChart:
        return build_chart(self.result)

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())

    @property
    def rows(self) -> tuple:
        return self.result.segments[:MAX_TABLE_ROWS]


@pages.get("/speech")
def speech() -> str:
    return render_page()


@pages.post("/speech")
def speech_result() -> str:
    """The page with the result above the form."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No recording was chosen. Choose one, or record your voice.")
    return render_page(SpeechView(classify_recording()))


def render_page(view: SpeechView | None = None) -> str:
    return render_template("speech.html", view=view, limit_minutes=int(get_limits().sound_seconds // 60))


@pages.app_context_processor
def speech_globals() -> dict[str, Any]:
    """Return the variables of the speech templates, one of which /about includes."""
    sizes = {"chart_width": CHART_WIDTH, "chart_height": CHART_HEIGHT}
    return {**sizes, "format_time": format_time, "speech_card": speech_card, "confusion_shares": confusion_shares}


def speech_card() -> dict[str, Any] | None:
    """Return the manifest entry of the speech model; None where the model folder has none."""
    entries = analyzer().registry.entries("speech")
    return dict(entries[0].metadata) if entries else None
