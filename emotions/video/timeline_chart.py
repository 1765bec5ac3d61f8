"""A timeline as SVG: a band a person, the seven probabilities stacked over time. As large for an hour as for a minute."""

from __future__ import annotations

import numpy as np

from ..labels import COLOURS, EMOTIONS, TITLES
from .timeline import PersonTimeline, Timeline

WIDTH, LEFT, RIGHT = 960, 16, 16
HEAD, BAND, TITLE, GAP, FOOT = 44, 84, 22, 14, 30
"""Pixels from top to bottom: the legend; for each person a band, its title and a gap; the axis of time."""
MAX_PEOPLE = 8
TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
PAUSE = 0.6
"""Seconds without a face that a band bridges: a frame in which it was missed, or a film of few frames a second."""
INK, PALE = "#222222", "#767676"


def chart(timeline: Timeline, duration: float) -> str:
    """An SVG document for a film of `duration` seconds, with the people who are seen longest, at most MAX_PEOPLE."""
    people = sorted(timeline.people.values(), key=lambda person: -person.frames)[:MAX_PEOPLE]
    people.sort(key=lambda person: (person.first, person.id))
    duration = max(duration, timeline.bucket, *(person.last for person in people), 0.0)
    height = HEAD + max(1, len(people)) * (BAND + TITLE + GAP) + FOOT
    parts = [_text(LEFT, HEAD + 40, "No face was found.", INK)] if not people else []
    top = HEAD
    for person in people:
        parts += [_text(LEFT, top + 15, _title(person), INK), *_band(person, timeline.bucket, duration, top + TITLE)]
        top += BAND + TITLE + GAP
    left_out = len(timeline.people) - len(people)
    if left_out:
        parts.append(_text(WIDTH - RIGHT, height - 6, f"and {left_out} more, seen shorter", PALE, "end"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        "<title>Probabilities of seven emotions over time, a band for each person</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(), *parts, *_axis(duration, height - FOOT), "</svg>", "",
    ])  # fmt: skip


def _x(seconds: float, duration: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(seconds / duration, 1.0)


def _title(person: PersonTimeline) -> str:
    best = int(person.sums.argmax())
    share = person.sums[best] / person.frames
    seen = f"{clock(person.first)} to {clock(person.last)}"
    return f"Person {person.id + 1}: mostly {EMOTIONS[best]} ({share:.0%} on average), {seen}"


def _band(person: PersonTimeline, bucket: float, duration: float, top: float) -> list[str]:
    """Stacked areas, one path an emotion for each stretch of time in which the person is seen."""
    right = _x(duration, duration)
    lines = [f'<rect x="{LEFT}" y="{top}" width="{right - LEFT}" height="{BAND}" fill="#f1f1f1"/>']
    for run in _stretches(sorted(person.buckets), max(1, int(PAUSE / bucket))):
        sums = np.stack([person.buckets[number] for number in run])
        heights = np.cumsum(sums[:, 1:] / sums[:, :1], axis=1)  # (parts of time, 7)
        edges = np.clip(np.column_stack([np.zeros(len(run)), heights]), 0, 1)
        borders = [_x(number * bucket, duration) for number in (*run, run[-1] + 1)]
        starts, ends = borders[:-1], borders[1:]
        for index, name in enumerate(EMOTIONS):
            above, below = top + BAND * edges[:, index + 1], top + BAND * edges[:, index]
            path = [*_edge(starts, ends, above), *reversed(_edge(starts, ends, below))]
            lines.append(f'<path fill="{COLOURS[name]}" d="M{"L".join(path)}Z"/>')
    return lines


def _stretches(numbers: list[int], longest: int) -> list[list[int]]:
    """Parts of time in runs: each goes on as long as no step is larger than `longest`."""
    runs: list[list[int]] = []
    for number in numbers:
        if not runs or number - runs[-1][-1] > longest:
            runs.append([])
        runs[-1].append(number)
    return runs


def _edge(starts: list[float], ends: list[float], levels: np.ndarray) -> list[str]:
    """The points of a line of steps, from left to right."""
    return [f"{x:.1f} {y:.1f}" for start, end, y in zip(starts, ends, levels, strict=True) for x in (start, end)]


def _legend() -> list[str]:
    lines, step = [], (WIDTH - LEFT - RIGHT) / len(EMOTIONS)
    for index, name in enumerate(EMOTIONS):
        x = LEFT + index * step
        lines.append(f'<rect x="{x:.1f}" y="12" width="14" height="14" rx="3" fill="{COLOURS[name]}"/>')
        lines.append(_text(x + 20, 24, TITLES[name], INK))
    return lines


def _axis(duration: float, top: float) -> list[str]:
    step = next((step for step in TICKS if duration / step <= 12), TICKS[-1] * 7)
    lines = []
    for index in range(int(duration / step) + 1):
        x = _x(index * step, duration)
        anchor = "start" if index == 0 else "end" if x > WIDTH - RIGHT - 20 else "middle"
        lines.append(f'<path stroke="{PALE}" d="M{x:.1f} {top - GAP:.1f}v5"/>')
        lines.append(_text(x, top + 6, clock(index * step), PALE, anchor))
    return lines


def _text(x: float, y: float, text: str, fill: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{text}</text>'


def clock(seconds: float) -> str:
    """Seconds as people write them: 4.2 s, 3:05, 1:02:03."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
