"""A headscarf that covers hair, ears and neck and leaves the face free from the forehead to the chin."""

from __future__ import annotations

import numpy as np

from .fitting import CROWN, FACE, Fit, shell
from .parts import Part
from .shapes3d import Color, Noise, joined, resampled, sheet, smoothstep, tubes, varied

OPENING = np.array([
    [0, 9.7, 9.8], [3.2, 9.3, 8.9], [5.6, 7.7, 6.9], [6.9, 4.6, 4.6], [7.25, 1.0, 4.2], [6.85, -2.6, 4.8], [5.5, -6.0, 6.0],
    [3.1, -8.0, 7.8], [0, -8.7, 8.6],
], np.float32)  # fmt: skip
"""The face's opening on the person's left side, from the forehead to under the chin, in cm of the mean head."""
MIDDLE = np.array([
    [0, 15.7, 0.5], [4.6, 14.6, 0.0], [8.0, 11.0, -0.5], [9.5, 6.0, -1.0], [9.9, 1.0, -1.0], [9.0, -4.0, -0.5], [7.6, -8.5, 1.0],
    [4.8, -11.0, 4.0], [0, -11.8, 5.8],
], np.float32)  # fmt: skip
BEHIND = np.array([
    [0, 11.5, -9.6], [3.0, 10.6, -9.4], [5.6, 8.0, -8.8], [7.0, 4.0, -8.6], [7.4, 0.0, -8.6], [7.6, -4.0, -8.2],
    [8.0, -9.0, -6.5], [7.6, -11.5, -3.0], [0, -12.5, 5.0],
], np.float32)  # fmt: skip
BACK = (0, 2.0, -10.0)
COUNT, ROWS = 36, 16
FOLDS = ((-10.3, 1.2, 0.95), (-11.8, 1.7, 1.2), (-13.4, 2.3, 1.4))
"""Folds about the neck: height in cm, distance from the skin, half width."""


def _loop(half: np.ndarray) -> np.ndarray:
    """Closed curve (2 COUNT - 2, 3) of its left half."""
    left = resampled(half, COUNT)
    return np.concatenate([left, (left * np.array([-1, 1, 1], np.float32))[-2:0:-1]])


def headscarf(fit: Fit, color: Color, random: np.random.Generator) -> list[Part]:
    """Cloth around the head from the face's opening to the back, folds around the neck, and what lies on the shoulders."""
    opening, middle, behind = (_loop(half) for half in (OPENING, MIDDLE, BEHIND))
    back = np.broadcast_to(np.array(BACK, np.float32), behind.shape)
    guides = np.stack([opening, opening + (middle - opening) * 0.12 + [0, 0.1, 0], middle, behind, back], axis=1)
    points = np.stack([resampled(guide, ROWS) for guide in guides], axis=1)
    wave = Noise(random, 3.5)(points) * 0.14 * smoothstep(np.arange(ROWS), 1, 5)[:, None]
    points = fit.mean.lifted(points, np.maximum(fit.mean.height(points), 0.55) + wave)
    hood = sheet(points, varied(color, 0.25 * wave - 0.02), True)
    edge = tubes(points[:1], np.array([0, 0, 1.0]), 0.3, 0.3, varied(color, -0.12), 8, True)
    cloth = joined([hood, edge])
    follow = _followed(fit, points)
    anchors = np.concatenate([follow.ravel(), np.repeat(follow[0], 8)])
    cloth = type(cloth)(fit.over_ears(fit.warp(cloth.points)), cloth.triangles, cloth.colors)
    return [fit.part_here(cloth, "cloth", anchors), _neck(fit, color, random)]


def _followed(fit: Fit, points: np.ndarray) -> np.ndarray:
    """Skin vertices (ROWS, columns) that the cloth follows: the edge under the chin goes down with the jaw, the rest less."""
    jaw = fit.model.shapes["jawOpen"][:FACE]
    places = fit.mean.points[:FACE]
    usable = np.flatnonzero((places[:, 1] < -3) & ~fit.mean.ear[:FACE])
    near = usable[((points[0][:, None] - places[usable][None]) ** 2).sum(-1).argmin(axis=1)]
    wanted = jaw[near][None] * (1 - smoothstep(np.arange(ROWS), 1, 6))[:, None, None]
    cost = 8 * ((wanted[:, :, None] - jaw[usable]) ** 2).sum(-1) + 0.3 * (points[:, :, None, 1] - places[usable, 1]) ** 2
    follow = usable[cost.argmin(axis=-1)]
    return np.where(points[..., 1] > -4.5, CROWN, follow).astype(np.int32)


def _neck(fit: Fit, color: Color, random: np.random.Generator) -> Part:
    """Folds around the neck over cloth that lies on the shoulders; they turn with the skin under them."""
    mean = fit.mean
    x, y, z = mean.points.T
    field = np.minimum(-9.4 - y, 9.6 - np.hypot(x, z + 1.5) + 0.5 * Noise(random, 5)(mean.points))
    heights = 1.0 + 0.25 * Noise(random, 3.0)(mean.points) + 0.3 * smoothstep(-y, 11, 14)
    drape, anchors = shell(fit, field, heights, color, 0.3, 0.6)
    meshes, follow = [drape], [anchors]
    azimuth = np.arange(64) * 2 * np.pi / 64
    usable = np.flatnonzero(y < -7.5)
    for level, height, thick in FOLDS:
        tilt = 0.4 * np.sin(azimuth + random.uniform(0, 6)) - 0.5 * np.cos(azimuth)
        ring = mean.around_neck(azimuth, level + tilt, height, 7.2)
        shades = varied(color, 0.1 * np.sin(3 * azimuth + random.uniform(0, 6)))
        meshes.append(tubes(fit.warp(ring)[None], np.array([0, 1.0, 0]), thick, thick * 0.7, shades, 10, True))
        near = usable[((ring[:, None] - mean.points[usable][None]) ** 2).sum(-1).argmin(axis=1)]
        follow.append(np.repeat(near, 10))
    return fit.part_here(joined(meshes), "cloth", np.concatenate(follow))
