"""Clothes over neck and shoulders. They follow the neck's base, which expressions hardly move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fitting import SKIN, Fit, shell
from .parts import Part
from .shapes3d import Color, Mesh, Noise, ellipsoids, joined, resampled, sheet, smoothstep, tubes, unit, varied

CLOTHES_STYLES = (
    "none", "t_shirt", "v_neck", "striped", "shirt", "suit", "hoodie", "turtleneck", "sweater", "robe", "scarf", "ruff",
)  # fmt: skip
THROAT = 10676
"""A vertex at the neck's base, which expressions move by less than 0.1 mm."""
RINGS = (
    (1.0, 0.0, 0.0), (1.1, -0.7, 0.05), (1.22, -2.0, 0.15), (1.34, -4.0, 0.35), (1.42, -7.0, 0.6), (1.46, -11.0, 0.85),
    (1.46, -18.0, 1.0),
)  # fmt: skip
"""Rings that go on from the edge of the bust: factor of width, fall in cm, how far front and back bulge, 0 to 1."""
CENTER_Z = -1.5
SHOULDERS = 15.5  # least half width in cm, however thin the neck


def neckline_field(points: np.ndarray, front: float, side: float, depth: float = 0.0, width: float = 3.2) -> np.ndarray:
    """About the distance (...) in cm below a neckline at height `front` in front and `side` elsewhere.

    In front it dips by another `depth` in a V of half width `width`.
    """
    forward = smoothstep(points[..., 2], -3, 3.5)
    line = side + (front - side) * forward
    if depth:
        line = line - forward * np.clip(1 - np.abs(points[..., 0]) / width, 0, 1) * depth
    return ((line - points[..., 1]) * 0.8).astype(np.float32)


def _edge_loop(fit: Fit) -> np.ndarray:
    """Vertices (K,) along the lower edge of the bust, in order from the back by the person's right, the front and the left."""
    edges = np.sort(fit.mean.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    codes, counts = np.unique(edges[:, 0].astype(np.int64) * SKIN + edges[:, 1], return_counts=True)
    border = np.unique(np.concatenate([codes[counts == 1] // SKIN, codes[counts == 1] % SKIN]))
    border = border[fit.mean.points[border, 1] < -12.5]
    turn = np.arctan2(fit.mean.points[border, 0], fit.mean.points[border, 2] + 2.0)
    return border[np.argsort(turn)]


def garment(
    fit: Fit, field: np.ndarray, height: float, color: np.ndarray, puff: float = 0.0, wrinkle: Noise | None = None
) -> Mesh:
    """Cloth over the bust where `field` (S,) is positive and from there down over the chest, on this head.

    It is `height` cm over the skin, `puff` more away from the neckline, and `wrinkle` moves it in and out.
    """
    mean = fit.mean
    heights = height * smoothstep(field, -0.05, 0.4) + 0.05 + puff * smoothstep(field, 0, 5)
    if wrinkle is not None:
        heights = heights + 0.18 * wrinkle(mean.points * np.array([1, 0.45, 1], np.float32)) * smoothstep(field, 0.5, 3)
    bust, _ = shell(fit, field, heights, color, 0.2, 0.5)
    loop = _edge_loop(fit)
    start = fit.neutral[loop] + fit.normals[loop] * heights[loop, None]
    middle = np.array([start[:, 0].mean(), 0, CENTER_Z], np.float32)
    outward, mid = start - middle, start[:, 1].mean()
    rings = []
    spread = max(1.0, (SHOULDERS / np.abs(outward[:, 0]).max() - 1) / (RINGS[-1][0] - 1))
    for factor, fall, bulge in RINGS:
        ring = middle + outward * np.array([1 + (factor - 1) * spread, 1, 1], np.float32)
        ring[:, 1] = mid + (start[:, 1] - mid) * np.interp(-fall, [0, 1, 4, 10], [1, 0.92, 0.6, 0.1]) + fall
        ring[:, 2] += bulge * (0.8 + 0.3 * outward[:, 2])
        rings.append(ring)
    grid = np.stack(rings)
    rows = np.stack([resampled(grid[:, column], 14) for column in range(grid.shape[1])], axis=1)
    if wrinkle is not None:
        rows[1:] += unit(outward)[None] * 0.25 * wrinkle(rows[1:] * np.array([1, 0.4, 1], np.float32))[..., None]
    return joined([bust, sheet(rows, color, True, flip=True)])


def edge_of(fit: Fit, field: np.ndarray, count: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Closed curve (count, 3) on this head's skin where `field` is zero, around the neck, and the skin's normals there."""
    edges = np.unique(np.sort(fit.mean.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    first, second = field[edges[:, 0]], field[edges[:, 1]]
    crossing = (first > 0) != (second > 0)
    a, b = edges[crossing].T
    share = (field[a] / (field[a] - field[b]))[:, None]
    points = fit.neutral[a] * (1 - share) + fit.neutral[b] * share
    normals = fit.normals[a] * (1 - share) + fit.normals[b] * share
    places = fit.mean.points[a] * (1 - share) + fit.mean.points[b] * share
    turn = np.arctan2(places[:, 0], places[:, 2] - CENTER_Z)
    order = np.argsort(turn)
    bins = np.linspace(-np.pi, np.pi, count, endpoint=False)
    curve = np.stack([np.interp(bins, turn[order], values[order], period=2 * np.pi) for values in points.T], -1)
    normal = np.stack([np.interp(bins, turn[order], values[order], period=2 * np.pi) for values in normals.T], -1)
    for _ in range(2):
        curve = (np.roll(curve, 1, 0) + 2 * curve + np.roll(curve, -1, 0)) / 4
    return curve.astype(np.float32), unit(normal).astype(np.float32)


def _hem(fit: Fit, field: np.ndarray, height: float, wide: float, thick: float, color: np.ndarray) -> Mesh:
    """A rounded edge along a neckline."""
    curve, normals = edge_of(fit, field)
    across = np.cross(normals, np.gradient(curve, axis=0))
    return tubes((curve + normals * height)[None], across[None], wide, thick, color, 8, True)


def clothes(
    fit: Fit, style: str, color: Color, random: np.random.Generator, second: Color | None = None
) -> list[Part]:  # fmt: skip
    """Clothes of a style of CLOTHES_STYLES.

    Args:
        fit: the head.
        style: one of CLOTHES_STYLES.
        color: sRGB in 0..1.
        random: decides wrinkles and patterns.
        second: color of stripes, ties and shirts under other clothes; otherwise a lighter `color`.

    Raises:
        ValueError: an unknown style.
    """
    if style not in CLOTHES_STYLES:
        raise ValueError(f"unknown style of clothes: {style!r}")
    if style == "none":
        return []
    color = np.asarray(color, np.float32)
    second = varied(color, 0.55) if second is None else np.asarray(second, np.float32)
    meshes = _MAKERS[style](fit, color, second, Noise(random, 7.0))
    return [fit.part_here(joined(meshes), "cloth", THROAT)]


def _t_shirt(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -14.4, -11.7)
    return [garment(fit, field, 0.35, color, 0.5, wrinkle), _hem(fit, field, 0.25, 0.5, 0.3, varied(color, -0.18))]


def _v_neck(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -14.0, -11.7, 4.0, 4.0)
    return [garment(fit, field, 0.35, color, 0.5, wrinkle), _hem(fit, field, 0.25, 0.45, 0.28, varied(color, -0.18))]


def _striped(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    cloth, hem = _t_shirt(fit, color, second, wrinkle)
    stripe = smoothstep(np.sin(cloth.points[:, 1] * 2 * np.pi / 5.0), -0.3, 0.3)[:, None]
    return [Mesh(cloth.points, cloth.triangles, (color * stripe + second * (1 - stripe)).astype(np.float32)), hem]


def _sweater(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -13.2, -11.2)
    hem = _hem(fit, field, 0.45, 0.85, 0.5, varied(color, np.where(np.arange(96) % 2 == 0, -0.02, -0.22)[None, :]))
    return [garment(fit, field, 0.6, color, 0.9, wrinkle), hem]


def _collar_rings(fit: Fit, levels: Sequence[float], heights: Sequence[float], tilt: float) -> np.ndarray:
    """Rings (rows, 72, 3) around the neck on this head at levels in cm, higher by `tilt` at the back."""
    azimuth = np.arange(72) * 2 * np.pi / 72
    rows = [
        fit.mean.around_neck(azimuth, level - tilt * np.cos(azimuth), height)
        for level, height in zip(levels, heights, strict=True)
    ]
    return fit.warp(np.stack(rows))


def _turtleneck(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -11.9, -10.6)
    rings = _collar_rings(
        fit,
        (-14.2, -13.0, -11.6, -10.6, -10.2, -10.3, -11.0, -12.2, -12.6),
        (0.0, 0.1, 0.5, 0.6, 0.75, 0.95, 1.05, 1.05, 0.5),
        0.9,
    )
    rib = varied(color, np.where(np.arange(72) % 2 == 0, 0.0, -0.14)[None, :] + np.zeros((9, 1)))
    return [garment(fit, field, 0.45, color, 0.7, wrinkle), sheet(rings, rib, True, flip=True)]


def _shirt_collar(fit: Fit, color: np.ndarray, short: bool = False) -> list[Mesh]:
    """A stand around the neck and two flaps folded over it, open in front; short ones end under a jacket's lapels."""
    azimuth = np.linspace(0.10 * np.pi, 1.9 * np.pi, 49)
    away = np.minimum(azimuth, 2 * np.pi - azimuth) / np.pi  # 0 in front, 1 at the back
    top = np.interp(away, [0, 0.3, 1], [-12.6, -11.4, -10.0])
    tip = np.interp(away, [0.1, 0.2, 0.34, 1], [-17.2, -15.4, -13.6, -11.9])
    out = np.interp(away, [0.1, 0.3, 0.5, 1], [1.15, 1.0, 1.35, 0.95])
    if short:
        tip = np.interp(away, [0.1, 0.2, 0.34, 1], [-16.4, -14.6, -12.6, -11.0])
        out = np.interp(away, [0.1, 0.3, 1], [0.9, 0.7, 0.75])
    inner = np.interp(away, [0, 0.3, 1], [0.45, 0.4, 0.45])
    rows = [
        fit.mean.around_neck(azimuth, top - 2.2, inner), fit.mean.around_neck(azimuth, top, inner),
        fit.mean.around_neck(azimuth, top + 0.12, inner + 0.2), fit.mean.around_neck(azimuth, top - 0.1, inner + 0.4),
        fit.mean.around_neck(azimuth, (top + tip) / 2, (inner + 0.4 + out) / 2), fit.mean.around_neck(azimuth, tip, out),
        fit.mean.around_neck(azimuth, tip, out - 0.25), fit.mean.around_neck(azimuth, (top + tip) / 2, inner + 0.1),
    ]  # fmt: skip
    return [sheet(fit.warp(np.stack(rows)), varied(color, 0.08), flip=True)]


def _shirt(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -13.0, -11.2, 3.0, 2.2)
    placket = fit.warp(np.array([[0, -16.2, 5.9], [0, -19.0, 6.9], [0, -24, 8.6], [0, -30, 10.0]], np.float32))
    line = tubes(resampled(placket, 12)[None], np.array([1.0, 0, 0]), 0.75, 0.22, varied(color, -0.06), 8)
    buttons = ellipsoids(resampled(placket, 5)[:4] + [0, -0.6, 0.25], np.array([[0.28, 0.28, 0.12]]), varied(color, -0.5), 6, 10)
    hem = _hem(fit, field, 0.1, 0.35, 0.22, color)
    return [garment(fit, field, 0.3, color, 0.4, wrinkle), hem, *_shirt_collar(fit, color), line, buttons]


def _suit(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    points, white = fit.mean.points, np.array([0.93, 0.93, 0.95], np.float32)
    shirt = garment(fit, neckline_field(points, -12.8, -11.2), 0.25, white)
    field = neckline_field(points, -13.4, -12.0, 5.6, 4.6)
    jacket, lapels = garment(fit, field, 0.7, color, 0.7, wrinkle), _hem(fit, field, 0.8, 1.35, 0.3, varied(color, 0.07))
    path = np.array([[0, -13.4, 6.0], [0, -16.0, 6.4], [0, -19, 7.2], [0, -26, 9.0]], np.float32)
    width = np.interp(np.linspace(0, 1, 14), [0, 0.12, 0.2, 1], [0.8, 0.65, 0.85, 1.9])
    tie = tubes(fit.warp(resampled(path, 14))[None], np.array([1.0, 0, 0]), width, 0.35, second, 8)
    knot = ellipsoids(fit.warp(path[:1]), np.array([[0.95, 0.85, 0.6]]), varied(second, 0.05), 8, 12)
    return [shirt, jacket, lapels, *_shirt_collar(fit, white, True), tie, knot]


def _hoodie(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    field = neckline_field(fit.mean.points, -14.0, -11.6)
    azimuth = np.arange(72) * 2 * np.pi / 72
    back = (1 - np.cos(azimuth)) / 2
    folds = []
    for level, height, thick in ((-14.6, 1.2, 1.15), (-13.0, 1.3, 1.1)):
        ring = fit.mean.around_neck(azimuth, level + 3.4 * back, height + 1.1 * back, 7.6)
        folds.append(tubes(fit.warp(ring)[None], np.array([0, 1.0, 0]), thick + 0.9 * back, 0.75 + 0.5 * back, color, 10, True))
    cords = []
    for side in (-1, 1):
        path = fit.warp(
            np.array(
                [[1.5 * side, -15.2, 6.2], [1.9 * side, -17.5, 7.2], [1.8 * side, -20, 8.2], [2.0 * side, -23, 9.2]], np.float32
            )
        )
        cords.append(tubes(resampled(path, 12)[None], np.array([1.0, 0, 0]), 0.2, 0.2, second, 7))
    return [garment(fit, field, 0.6, color, 0.9, wrinkle), *folds, *cords]


def _robe(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    under = neckline_field(fit.mean.points, -13.6, -11.2)
    field = neckline_field(fit.mean.points, -12.6, -11.0, 6.0, 4.4)
    trim = _hem(fit, field, 0.65, 1.1, 0.35, second)
    inner = varied(second, -0.25)
    return [
        garment(fit, under, 0.2, inner),
        _hem(fit, under, 0.2, 0.5, 0.2, inner),
        garment(fit, field, 0.65, color, 1.2, wrinkle),
        trim,
    ]


def _scarf(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    azimuth = np.arange(72) * 2 * np.pi / 72
    coat = garment(fit, neckline_field(fit.mean.points, -14, -11.6), 0.6, second, 0.9, wrinkle)
    folds = [coat]
    for level, height, thick, turn in ((-10.9, 0.9, 1.0, 0.0), (-12.4, 1.5, 1.3, 2.0), (-14.2, 2.0, 1.5, 4.0)):
        ring = fit.mean.around_neck(azimuth, level + 0.5 * np.sin(azimuth + turn) - 0.5 * np.cos(azimuth), height)
        knit = varied(color, 0.07 * np.sin(azimuth * 24) - 0.02)
        folds.append(tubes(fit.warp(ring)[None], np.array([0, 1.0, 0]), thick, thick * 0.7, knit, 10, True))
    return folds


def _ruff(fit: Fit, color: np.ndarray, second: np.ndarray, wrinkle: Noise) -> list[Mesh]:
    """A pleated round collar."""
    azimuth = np.arange(144) * 2 * np.pi / 144
    reach = np.linspace(0, 4.4, 7)[:, None]
    wave = 0.75 * np.sin(azimuth * 18) * reach / 4.4
    base = fit.mean.around_neck(azimuth, np.full(144, -10.5), 0.2)
    outward = np.stack([np.sin(azimuth), 0 * azimuth, np.cos(azimuth)], -1)
    level = wave - 0.8 * np.cos(azimuth) - 0.3 * reach
    top = fit.warp(base[None] + outward[None] * reach[..., None]) + np.array([0, 1, 0], np.float32) * level[..., None]
    below = top - np.array([0, 0.55, 0], np.float32)
    white = np.array([0.95, 0.94, 0.92], np.float32)
    plate = sheet(np.concatenate([top, below[::-1], top[:1]]), white, True, flip=True)
    return [garment(fit, neckline_field(fit.mean.points, -14, -11.6), 0.5, color, 1.0, wrinkle), plate]


_MAKERS = {
    "t_shirt": _t_shirt, "v_neck": _v_neck, "striped": _striped, "shirt": _shirt, "suit": _suit, "hoodie": _hoodie,
    "turtleneck": _turtleneck, "sweater": _sweater, "robe": _robe, "scarf": _scarf, "ruff": _ruff,
}  # fmt: skip
