"""Timeline chart as SVG: a band for each person, the seven probabilities stacked over time, of bounded size."""

from __future__ import annotations

import numpy as np

from ..labels import COLOURS, EMOTIONS, TITLES
from .timeline import PersonTimeline, Timeline

WIDTH, LEFT, RIGHT = 960, 16, 16
HEAD, BAND, TITLE, GAP, FOOT = 44, 84, 22, 14, 30
"""Heights in pixels from top to bottom: legend; for each person a band, its title and a gap; time axis."""
MAX_PEOPLE = 8
TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
MAX_GAP = 0.6
"""Seconds without the face that a band bridges: a missed detection, or a low frame rate."""
TEXT_COLOUR, MUTED_COLOUR = "#222222", "#767676"


def render_svg(timeline: Timeline, duration: float) -> str:
    """Draw the timeline of a video as an SVG document.

    Args:
        timeline: The people of the video; the MAX_PEOPLE who were seen longest are drawn.
        duration: Seconds from the beginning of the timeline to its end.
    """
    people = sorted(timeline.people.values(), key=lambda person: -person.seconds)[:MAX_PEOPLE]
    people.sort(key=lambda person: (person.first, person.id))
    duration = max(duration, timeline.bin_seconds, *(person.last - timeline.start for person in people), 0.0)
    height = HEAD + max(1, len(people)) * (BAND + TITLE + GAP) + FOOT
    parts = [_text(LEFT, HEAD + 40, "No face was found.", TEXT_COLOUR)] if not people else []
    top = HEAD
    for person in people:
        parts += [_text(LEFT, top + 15, _title(person), TEXT_COLOUR), *_band(person, timeline.bin_seconds, duration, top + TITLE)]
        top += BAND + TITLE + GAP
    left_out = len(timeline.people) - len(people)
    if left_out:
        parts.append(_text(WIDTH - RIGHT, height - 6, f"and {left_out} more, who were seen for less time", MUTED_COLOUR, "end"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        "<title>Probabilities of seven emotions over time, a band for each person</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(), *parts, *_axis(timeline.start, duration, height - FOOT), "</svg>", "",
    ])  # fmt: skip


def _x(seconds: float, duration: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(seconds / duration, 1.0)


def _title(person: PersonTimeline) -> str:
    best = int(person.sums.argmax())
    share = person.sums[best] / person.seconds
    period = f"{format_time(person.first)} to {format_time(person.last)}"
    return f"Person {person.id + 1}: mostly {EMOTIONS[best]} ({share:.0%} on average), {period}"


def _band(person: PersonTimeline, bin_seconds: float, duration: float, top: float) -> list[str]:
    """Draw stacked areas: one path an emotion for each run of time bins in which the person is visible."""
    right = _x(duration, duration)
    lines = [f'<rect x="{LEFT}" y="{top}" width="{right - LEFT}" height="{BAND}" fill="#f1f1f1"/>']
    for run in _contiguous_runs(sorted(person.bins), max(1, int(MAX_GAP / bin_seconds))):
        sums = np.stack([person.bins[index] for index in run])
        heights = np.cumsum(sums[:, 1:] / sums[:, :1], axis=1)  # (bins, 7)
        edges = np.clip(np.column_stack([np.zeros(len(run)), heights]), 0, 1)
        borders = [_x(index * bin_seconds, duration) for index in (*run, run[-1] + 1)]
        starts, ends = borders[:-1], borders[1:]
        for index, name in enumerate(EMOTIONS):
            above, below = top + BAND * edges[:, index + 1], top + BAND * edges[:, index]
            path = [*_edge(starts, ends, above), *reversed(_edge(starts, ends, below))]
            lines.append(f'<path fill="{COLOURS[name]}" d="M{"L".join(path)}Z"/>')
    return lines


def _contiguous_runs(indices: list[int], max_step: int) -> list[list[int]]:
    """Split sorted bin indices wherever the step to the next is larger than `max_step`."""
    runs: list[list[int]] = []
    for index in indices:
        if not runs or index - runs[-1][-1] > max_step:
            runs.append([])
        runs[-1].append(index)
    return runs


def _edge(starts: list[float], ends: list[float], levels: np.ndarray) -> list[str]:
    """Return the points of a step line, from left to right."""
    return [f"{x:.1f} {y:.1f}" for start, end, y in zip(starts, ends, levels, strict=True) for x in (start, end)]


def _legend() -> list[str]:
    lines, step = [], (WIDTH - LEFT - RIGHT) / len(EMOTIONS)
    for index, name in enumerate(EMOTIONS):
        x = LEFT + index * step
        lines.append(f'<rect x="{x:.1f}" y="12" width="14" height="14" rx="3" fill="{COLOURS[name]}"/>')
        lines.append(_text(x + 20, 24, TITLES[name], TEXT_COLOUR))
    return lines


def _axis(start: float, duration: float, top: float) -> list[str]:
    step = next((step for step in TICKS if duration / step <= 12), TICKS[-1] * 7)
    lines = []
    for index in range(int(duration / step) + 1):
        x = _x(index * step, duration)
        anchor = "start" if index == 0 else "end" if x > WIDTH - RIGHT - 20 else "middle"
        lines.append(f'<path stroke="{MUTED_COLOUR}" d="M{x:.1f} {top - GAP:.1f}v5"/>')
        lines.append(_text(x, top + 6, format_time(start + index * step), MUTED_COLOUR, anchor))
    return lines


def _text(x: float, y: float, text: str, fill: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{text}</text>'


def format_time(seconds: float) -> str:
    """Format seconds: 4.2 s, 3:05, 1:02:03."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
