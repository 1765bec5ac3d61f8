"""A headscarf that covers hair, ears and neck and leaves the face free from the forehead to the chin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fitting import CROWN, Fit
from .parts import Part
from .shapes3d import Noise, resampled, sheet, smoothstep, tubes, varied

OPENING = np.array([
    [0, 9.9, 9.7], [3.2, 9.5, 8.8], [5.7, 7.7, 6.8], [6.95, 4.6, 4.6], [7.3, 1.0, 4.0], [6.95, -2.6, 4.6], [5.6, -6.0, 6.0],
    [3.2, -8.2, 7.8], [0, -8.9, 8.6],
], np.float32)  # fmt: skip
"""The face's opening on the person's left side, from the forehead to under the chin."""
MIDDLE = np.array([
    [0, 15.7, 0.5], [4.6, 14.6, 0.0], [8.0, 11.0, -0.5], [9.5, 6.0, -1.0], [9.9, 1.0, -1.0], [9.2, -4.0, -0.5], [8.0, -8.5, 1.0],
    [5.0, -11.0, 4.5], [0, -11.8, 6.4],
], np.float32)  # fmt: skip
BEHIND = np.array([
    [0, 11.5, -9.6], [3.0, 10.6, -9.4], [5.6, 8.0, -8.8], [7.0, 4.0, -8.6], [7.4, 0.0, -8.6], [7.6, -4.0, -8.2],
    [8.0, -9.0, -6.5], [7.6, -11.5, -3.0], [0, -12.5, 5.0],
], np.float32)  # fmt: skip


def _loop(half: np.ndarray, count: int) -> np.ndarray:
    """Closed curve (2 count - 2, 3) of its left half."""
    left = resampled(half, count)
    return np.concatenate([left, (left * np.array([-1, 1, 1], np.float32))[-2:0:-1]])


def headscarf(fit: Fit, color: Sequence[float], random: np.random.Generator) -> list[Part]:
    """Cloth around the head from the face's opening to the back, and folds around the neck."""
    count, rows = 36, 16
    first, second, third = (_loop(half, count) for half in (OPENING, MIDDLE, BEHIND))
    last = np.broadcast_to(np.array([0, 2.0, -10.0], np.float32), third.shape)
    guides = np.stack([first, first + (second - first) * 0.12 + [0, 0.1, 0], second, third, last], axis=1)
    points = np.stack([resampled(guide, rows) for guide in guides], axis=1)
    wave = Noise(random, 3.5)(points) * 0.14 * smoothstep(np.arange(rows), 1, 5)[:, None]
    points = fit.mean.lifted(points, np.maximum(fit.mean.height(points), 0.55) + wave)
    hood = sheet(points, varied(color, 0.25 * wave - 0.02), True)
    edge = tubes(points[:1], np.array([0, 0, 1.0]), 0.3, 0.3, varied(color, np.array(-0.12)), 8, True)
    parts = [fit.part(hood, "cloth", CROWN), fit.part(edge, "cloth", CROWN)]
    azimuth = np.arange(64) * 2 * np.pi / 64
    for level, height, thick in ((-9.6, 1.6, 1.0), (-11.0, 2.0, 1.25), (-12.6, 2.3, 1.5), (-14.4, 2.9, 1.6)):
        tilt = 0.7 * np.sin(azimuth + random.uniform(0, 6)) - 0.5 * np.cos(azimuth)
        fold = fit.mean.around_neck(azimuth, level + tilt, height)
        shade = varied(color, 0.1 * np.sin(3 * azimuth + random.uniform(0, 6)))
        parts.append(fit.part(tubes(fold[None], np.array([0, 1.0, 0]), thick, thick * 0.7, shade, 10, True), "cloth"))
    return parts
