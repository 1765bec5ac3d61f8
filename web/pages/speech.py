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
from .base import ResultView, pages, uploaded_name
from .model_card import confusion_shares
from .samples import STATIC

SAMPLE = "speech"
SAMPLE_FILE = "samples/speech.flac"
"""Sample recording, relative to static/; static/samples/README.md has its origin."""

CHART_WIDTH, CHART_HEIGHT = 720, 100
"""SVG units of the waveform, which is centred vertically, and of each strip: a probability of 0 is at the bottom, 1 on top."""
WAVEFORM_POINTS = 360
TICK_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
MAX_TICKS = 8


@dataclass(frozen=True)
class SpeechChart:
    """Coordinates of the chart; the page stretches it to its own width.

    `waveform`: path. `strips`: a path for each emotion, none where fewer than two segments have a prediction.
    `predictions`: (left, width, emotion or None) in per cent of the width. `ticks`: (left in per cent, label).
    """

    waveform: str
    strips: tuple[str, ...]
    predictions: tuple[tuple[float, float, str | None], ...]
    ticks: tuple[tuple[float, str], ...]


def build_chart(result: SpeechResult) -> SpeechChart:
    length = max(result.seconds, 0.1)
    return SpeechChart(_waveform(result.envelope, length), _strips(result, length), _predictions(result, length), _ticks(length))


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


def _strips(result: SpeechResult, length: float) -> tuple[str, ...]:
    """Columns as wide as the segments with speech and as high as the probability, for each emotion."""
    segments = [segment for segment in result.segments if segment.reason is None]
    if len(segments) < 2:
        return ()
    scale = CHART_WIDTH / length
    edges = [(segment.start * scale, min(segment.end * scale, CHART_WIDTH)) for segment in segments]

    def columns(index: int) -> str:
        tops = [CHART_HEIGHT * (1 - segment.probabilities[index]) for segment in segments]
        return "".join(
            f"M{left:.1f} {CHART_HEIGHT}V{top:.1f}H{right:.1f}V{CHART_HEIGHT}Z"
            for (left, right), top in zip(edges, tops, strict=True)
        )

    return tuple(columns(index) for index in range(len(EMOTIONS)))


def _predictions(result: SpeechResult, length: float) -> tuple[tuple[float, float, str | None], ...]:
    """Merge neighbouring segments with the same prediction: a long recording has hundreds."""
    pieces: list[tuple[float, float, str | None]] = []
    for segment in result.segments:
        left, right = 100 * segment.start / length, min(100 * segment.end / length, 100)
        if pieces and pieces[-1][2] == segment.emotion:
            left = pieces.pop()[0]
        pieces.append((left, right, segment.emotion))
    return tuple((round(left, 2), round(right - left, 2), emotion) for left, right, emotion in pieces)


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    step = next((one for one in TICK_STEPS if length / one <= MAX_TICKS), TICK_STEPS[-1])
    return tuple((round(100 * time / length, 2), format_time(time)) for time in np.arange(0, length * 0.98, step))


MAX_TABLE_ROWS = 400
"""Rows of the table of segments; the JSON has all of them."""


@dataclass(frozen=True)
class SpeechView(ResultView):
    """Result of a recording as the page shows it; `sample`: it is the sample recording."""

    result: SpeechResult
    title: str
    sample: bool = False

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
    """The page with the result of a recording, or of the sample, above the form."""
    sample = request.form.get("sample")
    if sample is not None:
        if sample != SAMPLE:
            raise Problem("invalid_option", f"There is no sample called {sample[:40]!r}.")
        return render_page(SpeechView(classify_recording((STATIC / SAMPLE_FILE).read_bytes()), SAMPLE_FILE, sample=True))
    name = uploaded_name()
    if name is None:
        raise Problem("no_file", "No recording was chosen. Choose one, or record your voice.")
    return render_page(SpeechView(classify_recording(), name))


def render_page(view: SpeechView | None = None) -> str:
    return render_template("speech.html", view=view, limit_minutes=int(get_limits().sound_seconds // 60))


@pages.app_context_processor
def speech_globals() -> dict[str, Any]:
    """Return the variables of the speech templates, one of which /about includes."""
    constants = {
        "chart_width": CHART_WIDTH,
        "chart_height": CHART_HEIGHT,
        "speech_sample": SAMPLE,
        "speech_sample_file": SAMPLE_FILE,
    }
    return {**constants, "format_time": format_time, "speech_card": speech_card, "confusion_shares": confusion_shares}


def speech_card() -> dict[str, Any] | None:
    """Return the manifest entry of the speech model; None where the model folder has none."""
    entries = analyzer().registry.entries("speech")
    return dict(entries[0].metadata) if entries else None
