"""Voices: the page /speech, with recording and upload, and POST /api/v1/speech."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
from flask import Blueprint, render_template, request

from emotions import EMOTIONS
from emotions.speech.audio import MAX_SECONDS
from emotions.speech.results import SpeechResult
from emotions.speech.spectrogram import FRAMES_A_SECOND

from ..api.speech import classify_recording
from ..http.problems import Problem
from ..inference import analyzer
from .model_card import confusion_shares

# A reading of a recording -> the coordinates of its chart: waveform, probabilities over it, a strip of answers.

WIDTH, HEIGHT = 720, 200
"""Units of the drawing; the waveform lies around the middle, probabilities rise from the bottom (0) to the top (1)."""
COLUMNS = 360
TICKS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
MOST_TICKS = 8
SHOWN = 0.15
"""An emotion whose probability never exceeds this has no line: seven lines hide each other."""


@dataclass(frozen=True)
class Chart:
    """`waveform`: an SVG path. `lines`: (emotion, path). `strip`: (left, width, emotion or None). `ticks`: (left, label)."""

    waveform: str
    lines: tuple[tuple[str, str], ...]
    strip: tuple[tuple[float, float, str | None], ...]
    ticks: tuple[tuple[float, str], ...]


def chart_of(result: SpeechResult) -> Chart:
    length = max(result.seconds, 0.1)
    scale = WIDTH / length
    return Chart(_waveform(result.envelope, length), _lines(result, scale), _strip(result, scale), _ticks(length))


def clock(seconds: float) -> str:
    """3.2 -> "3.2 s", 75 -> "1:15"."""
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds % 1 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _waveform(envelope: np.ndarray, length: float) -> str:
    """The outline of the loudness, mirrored, as loud as the chart is high: a closed path."""
    if not len(envelope):
        return ""
    edges = np.linspace(0, len(envelope), min(COLUMNS, len(envelope)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(envelope, edges)
    heights = peaks / max(float(peaks.max()), 1e-6) * HEIGHT * 0.46
    covered = min(len(envelope) / FRAMES_A_SECOND / length, 1) * WIDTH
    across = np.linspace(0, covered, len(heights))
    upper = [f"{x:.1f} {HEIGHT / 2 - y:.1f}" for x, y in zip(across, heights, strict=True)]
    lower = [f"{x:.1f} {HEIGHT / 2 + y + 0.6:.1f}" for x, y in zip(across[::-1], heights[::-1], strict=True)]
    return "M" + "L".join(upper + lower) + "Z"


def _lines(result: SpeechResult, scale: float) -> tuple[tuple[str, str], ...]:
    """A line through the middles of the segments that hold speech, broken where none does."""
    if sum(segment.reason is None for segment in result.segments) < 2:
        return ()
    lines = []
    for index, emotion in enumerate(EMOTIONS):
        if max(segment.probabilities[index] for segment in result.segments if segment.reason is None) < SHOWN:
            continue
        path, drawing = [], False
        for segment in result.segments:
            if segment.reason is None:
                place = f"{(segment.start + segment.end) / 2 * scale:.1f} {HEIGHT * (1 - segment.probabilities[index]):.1f}"
                path.append(("L" if drawing else "M") + place)
            drawing = segment.reason is None
        lines.append((emotion, "".join(path)))
    return tuple(lines)


def _strip(result: SpeechResult, scale: float) -> tuple[tuple[float, float, str | None], ...]:
    """Neighbours with the same answer are one piece: a long recording has hundreds."""
    pieces: list[tuple[float, float, str | None]] = []
    for segment in result.segments:
        left, right = segment.start * scale, min(segment.end * scale, WIDTH)
        if pieces and pieces[-1][2] == segment.emotion:
            left = pieces.pop()[0]
        pieces.append((left, right, segment.emotion))
    return tuple((round(left, 1), round(right - left, 1), emotion) for left, right, emotion in pieces)


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    step = next((one for one in TICKS if length / one <= MOST_TICKS), TICKS[-1])
    return tuple((round(time / length * WIDTH, 1), clock(time)) for time in np.arange(0, length * 0.98, step))


MOST_ROWS = 400
"""Rows of the page's table of segments; the JSON has them all."""

speech = Blueprint("speech", __name__)


@dataclass(frozen=True)
class SpeechReading:
    """A result as the page shows it."""

    result: SpeechResult

    @cached_property
    def chart(self) -> Chart:
        return chart_of(self.result)

    @property
    def milliseconds(self) -> float:
        return sum(self.result.timing_ms.values())

    @property
    def rows(self) -> tuple:
        return self.result.segments[:MOST_ROWS]

    @property
    def json_link(self) -> str:
        """The result as a `data:` link, so that downloading it needs neither JavaScript nor a copy on the server."""
        return "data:application/json," + quote(json.dumps(self.result.to_json(), indent=1))


@speech.get("/speech")
def form() -> str:
    """Record or choose a recording."""
    return page()


@speech.post("/speech")
def answer() -> str:
    """The page with the answer above the form."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No recording was chosen. Choose one, or record your voice.")
    return page(SpeechReading(classify_recording()))


def page(reading: SpeechReading | None = None) -> str:
    return render_template("speech.html", reading=reading, limit_minutes=int(MAX_SECONDS // 60))


@speech.app_context_processor
def shared() -> dict[str, Any]:
    """What the speech templates use."""
    sizes = {"chart_width": WIDTH, "chart_height": HEIGHT}
    return {**sizes, "clock": clock, "speech_card": speech_card, "shares_of": confusion_shares}


def speech_card() -> dict[str, Any] | None:
    """What /about shows of the speech model: its manifest entry; None where the model folder has none."""
    entries = analyzer().registry.entries("speech")
    return dict(entries[0].metadata) if entries else None
