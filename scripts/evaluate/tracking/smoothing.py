"""Smoothing of probabilities: false changes of the emotion, and the delay of true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotions import FaceAnalyzer
from emotions.video.tracker import TAU

from ...common.markdown import table
from .sequences import observe
from .synthetic_video import Person, Scene, change, still

TAUS = 0.0, 0.1, 0.2, 0.3, 0.5, 1.0
RATE = 15  # frames per second


def smoothed(rows: np.ndarray, step: float, tau: float) -> np.ndarray:
    """Probabilities (N, 7), `step` seconds apart, smoothed as in emotions/video/tracker.py."""
    share, out = 1 - np.exp(-step / tau) if tau else 1.0, [rows[0]]
    for row in rows[1:]:
        out.append(out[-1] + share * (row - out[-1]))
    return np.array(out)


def smoothing_table(analyzer: FaceAnalyzer, cast: Sequence[Person], seed: int) -> str:
    """Table of false emotion changes and of the delay of true ones, a row a time constant."""

    def probabilities(scene: Scene) -> np.ndarray:
        results = (result for _, _, result, _ in observe(analyzer, scene))
        return np.array([result.faces[0].probabilities for result in results if len(result.faces) == 1])

    stills = [probabilities(still(person, seed)) for person in cast]
    several = [person for person in cast if len(person.looks) > 1]
    pairs = [(person, look, look + 1) for person in several for look in range(len(person.looks) - 1)]
    changing = [change(person, one, other, seed) for person, one, other in pairs]
    changed = [(probabilities(scene), len(scene.times) // 2) for scene in changing]
    rows = []
    for tau in TAUS:
        emotions = [smoothed(values, 1 / RATE, tau).argmax(axis=1) for values in stills if len(values)]
        flips = sum(int((one[1:] != one[:-1]).sum()) for one in emotions) / (sum(len(one) - 1 for one in emotions) / RATE / 60)
        delays = [delay for values, half in changed if (delay := change_delay(values, half, tau)) is not None]
        mark = " (served)" if tau == TAU else ""
        rows.append((f"{tau}{mark}", f"{flips:.1f}", f"{np.mean(delays):.2f} s (mean of {len(delays)} changes)"))
    return table(("TAU, seconds", "emotion changes per minute of a constant expression", "delay of a new expression"), "r", rows)


def change_delay(probabilities: np.ndarray, half: int, tau: float) -> float | None:
    """Seconds from the change of expression at row `half` until its emotion is predicted for good; None without a change."""
    if len(probabilities) < 2 * half:
        return None
    before, after = (int(part.mean(axis=0).argmax()) for part in (probabilities[:half], probabilities[half:]))
    emotions = smoothed(probabilities, 1 / RATE, tau).argmax(axis=1)
    wrong = np.flatnonzero(emotions[half:] != after)
    if before == after or (len(wrong) and wrong[-1] == len(emotions) - half - 1):
        return None
    return (int(wrong[-1]) + 1 if len(wrong) else 0) / RATE
