"""A reading of a recording -> the coordinates of its chart: waveform, probabilities over it, a strip of answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotions import EMOTIONS
from emotions.speech.results import SpeechResult
from emotions.speech.spectrogram import FRAMES_A_SECOND

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
