"""Things worn on a head: glasses, ear rings, and horns and pointed ears of fantasy creatures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fitting import FACE, Fit
from .model import LANDMARKS, VERTICES
from .parts import Part
from .proportions import anchors_of
from .shapes3d import Color, Mesh, ellipsoids, joined, mirrored, resampled, tubes, unit, varied

GLASSES_STYLES = ("none", "round", "square", "cat_eye", "aviator", "half_rim", "thin_round")
EAR_STYLES = ("none", "studs", "hoops", "drops")
CREATURE_STYLES = ("none", "horns", "ram_horns", "antennae", "elf_ears", "cat_ears", "bear_ears", "nose_ring")
EAR_TOP, EAR_LOBE = np.array([7.75, 4.6, 1.2], np.float32), np.array([7.55, -1.35, 1.6], np.float32)


def _rim(style: str, count: int = 36) -> np.ndarray:
    """Outline (count, 2) of the left rim about the eye's center, in units of its half width; x away from the nose."""
    angle = np.arange(count) * 2 * np.pi / count
    x, y = np.cos(angle), np.sin(angle)
    if style in ("square", "half_rim"):
        return np.stack([np.sign(x) * np.abs(x) ** 0.5, 0.78 * np.sign(y) * np.abs(y) ** 0.55], -1)
    if style == "cat_eye":
        lift = np.clip(x, 0, 1) ** 3 * np.clip(y + 0.2, 0, 1)
        return np.stack(
            [np.sign(x) * np.abs(x) ** 0.75 * (1 + 0.2 * np.clip(y, 0, 1)), 0.75 * np.sign(y) * np.abs(y) ** 0.8 + 0.5 * lift],
            -1,
        )
    if style == "aviator":
        return np.stack([x * (1 + 0.12 * y), 0.86 * y - 0.1 * x * (y < 0) - 0.1], -1)
    return np.stack([x, y * 0.96], -1)


def glasses(fit: Fit, style: str, color: Color) -> list[Part]:
    """Glasses without lenses, whose rims lie below the brows. Raises ValueError for an unknown style."""
    if style not in GLASSES_STYLES:
        raise ValueError(f"unknown style of glasses: {style!r}")
    if style == "none":
        return []
    anchors = anchors_of(fit.neutral)
    brow, lid = fit.landmark(24)[0], fit.landmark(46, 43)
    eye = anchors.left_eye
    half = min(2.55, abs(eye[0]) - 0.55)
    room = brow[1] - 0.55 - eye[1]  # to the brow's lower edge
    outline = _rim(style) * half
    fits = min(1.0, (room + 0.45 * half) / (outline[:, 1].max() + 0.3))
    outline = outline * np.array([1, max(fits, 0.7)])
    drop = min(room - outline[:, 1].max(), 0.0) - 0.05
    front = max(lid[:, 2].max(), fit.neutral[slice(*VERTICES["lashes"]), 2].max() - 0.25, fit.landmark(27)[0, 2] - 0.5) + 0.45
    x = eye[0] + outline[:, 0]
    rim = np.stack([x, eye[1] + drop + outline[:, 1], front - 0.035 * (x - 1.0) ** 2], -1).astype(np.float32)
    rim[:, 2] += np.clip((_skin_depth(fit, rim) + 0.25 - rim[:, 2]).max(), 0, 0.9)
    thin = 0.09 if style in ("thin_round", "aviator") else 0.2
    tint = varied(color, 0.0)
    bottom = smooth = np.ones(len(rim))
    if style == "half_rim":
        bottom = np.where(outline[:, 1] < -0.1, 0.3, smooth)
    pieces = [tubes(rim[None], np.array([0, 0, 1.0]), thin * 1.1, thin * bottom, tint, 8, True)]
    pieces.append(_temple(fit, rim, thin, tint))
    left = joined(pieces)
    inner = rim[np.argmin(rim[:, 0] + 0.3 * np.abs(rim[:, 1] - eye[1] - 0.4))]
    arch = np.array([inner, [inner[0] * 0.4, inner[1] + 0.28, max(front, fit.landmark(27)[0, 2] + 0.3)]], np.float32)
    bridge = resampled(np.concatenate([arch, arch[::-1] * np.array([-1, 1, 1], np.float32)]), 9)
    bar = tubes(bridge[None], np.array([0, 0, 1.0]), thin, thin * 0.9, tint, 8)
    right = mirrored(left)
    offset = np.array([anchors.left_eye[0] + anchors.right_eye[0], anchors.right_eye[1] - anchors.left_eye[1], 0], np.float32)
    right = Mesh(right.points + offset, right.triangles, right.colors)
    material = "metal" if thin < 0.1 else "plastic"
    return [fit.part_here(joined([left, right, bar]), material)]


def _skin_depth(fit: Fit, points: np.ndarray) -> np.ndarray:
    """z (N,) of the front of the skin at x and y of points (N, 3)."""
    ahead = fit.neutral[:FACE][fit.normals[:FACE, 2] > 0.2]
    squared = ((points[:, None, :2] - ahead[None, :, :2]) ** 2).sum(-1)
    return ahead[squared.argmin(axis=1), 2]


def _temple(fit: Fit, rim: np.ndarray, thin: float, tint: np.ndarray) -> Mesh:
    """The arm from a rim's outer edge over the ear."""
    hinge = rim[np.argmax(rim[:, 0] + 0.25 * rim[:, 1])]
    side = fit.warp(np.array([[7.55, 4.4, 4.6], EAR_TOP + [0.1, 0.3, 0.3], [7.9, 4.0, -2.2], [7.8, 2.2, -3.4]], np.float32))
    corner = hinge + np.array([0.5, 0, -0.35], np.float32)
    path = resampled(np.concatenate([hinge[None], corner[None], side]), 18)
    return tubes(path[None], np.array([0, 1.0, 0]), thin * 1.2, thin * 0.6, tint, 6)


def earrings(fit: Fit, style: str, color: Color) -> list[Part]:
    """Rings at the lobes of both ears. Raises ValueError for an unknown style."""
    if style not in EAR_STYLES:
        raise ValueError(f"unknown style of ear rings: {style!r}")
    if style == "none":
        return []
    parts = []
    for side in (1, -1):
        lobe = fit.mean.points - EAR_LOBE * [side, 1, 1]
        vertex = int(np.argmin((lobe**2).sum(1) + 100 * ~fit.mean.ear))
        at = fit.neutral[vertex] + np.array([0.15 * side, -0.1, 0.1], np.float32)
        if style == "studs":
            mesh = ellipsoids(at[None], np.full((1, 3), 0.3), varied(color, np.zeros(1)), 7, 10)
        elif style == "drops":
            centers = at + np.array([[0, 0, 0], [0, -0.7, 0], [0, -1.7, 0]], np.float32)
            radii = np.array([[0.18, 0.18, 0.18], [0.12, 0.45, 0.12], [0.38, 0.6, 0.38]])
            mesh = ellipsoids(centers, radii, varied(color, np.array([0, 0, 0.15])), 8, 10)
        else:
            angle = np.arange(24) * 2 * np.pi / 24
            ring = at + np.stack([0.15 * side + 0 * angle, -1.0 + np.cos(angle), 0.9 * np.sin(angle)], -1)
            mesh = tubes(ring[None].astype(np.float32), np.array([side, 0, 0.0]), 0.13, 0.13, varied(color, 0.0), 7, True)
        parts.append(fit.part_here(mesh, "metal", vertex))
    return parts


def creature(fit: Fit, style: str, color: Color) -> list[Part]:
    """What a fantasy creature has besides hair. Raises ValueError for an unknown style."""
    if style not in CREATURE_STYLES:
        raise ValueError(f"unknown style of a creature: {style!r}")
    if style == "none":
        return []
    if style == "nose_ring":
        return [_nose_ring(fit, color)]
    make = {"horns": _horn, "ram_horns": _ram_horn, "antennae": _antenna, "elf_ears": _elf_ear, "cat_ears": _cat_ear,
            "bear_ears": _bear_ear}[style]  # fmt: skip
    left = make(fit, color)
    return [fit.part(joined([left, mirrored(left)]), "skin")]


def _grown_tube(points: Sequence[Sequence[float]], widths: Sequence[float], color: np.ndarray, count: int = 20) -> Mesh:
    path = resampled(np.array(points, np.float32), count)
    width = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(widths)), widths)
    return tubes(path[None], np.array([0.2, 0.3, 1.0]), width, width, color, 10)


def _ridged(color: Color, count: int = 20) -> np.ndarray:
    share = np.linspace(0, 1, count)
    return varied(color, 0.12 * np.sin(share * 60) - 0.15 + 0.3 * share)


def _horn(fit: Fit, color: Color) -> Mesh:
    points = [(3.6, 11.3, 5.0), (4.6, 13.6, 5.6), (5.8, 16.4, 5.2), (5.9, 19.0, 3.6)]
    return _grown_tube(points, (1.2, 1.0, 0.65, 0.06), _ridged(color))


def _ram_horn(fit: Fit, color: Color) -> Mesh:
    points = [
        (5.0, 11.0, 3.0),
        (7.6, 12.6, 0.6),
        (9.6, 11.2, -2.4),
        (10.6, 7.4, -2.6),
        (10.6, 4.6, 0.4),
        (10.9, 5.6, 3.6),
        (11.8, 8.0, 4.4),
    ]
    return _grown_tube(points, (1.4, 1.5, 1.4, 1.2, 0.9, 0.5, 0.05), _ridged(color, 32), 32)


def _antenna(fit: Fit, color: Color) -> Mesh:
    stem = _grown_tube(
        [(2.4, 12.6, 4.6), (3.0, 15.5, 5.6), (4.4, 18.0, 5.6)], (0.35, 0.25, 0.25), varied(color, np.full(14, 0.0)), 14
    )
    return joined([stem, ellipsoids(np.array([[4.6, 18.5, 5.6]]), np.full((1, 3), 0.85), varied(color, np.array([0.2])), 10, 14)])


def _elf_ear(fit: Fit, color: Color) -> Mesh:
    path = resampled(np.array([(7.5, 2.6, 0.2), (8.7, 4.2, -0.8), (10.6, 6.2, -2.2), (13.0, 8.8, -3.4)], np.float32), 14)
    share = np.linspace(0, 1, 14)
    wide = np.interp(share, [0, 0.3, 0.7, 1], [1.5, 1.75, 0.95, 0.05])
    return tubes(
        path[None], unit(np.array([0.35, -0.55, 0.75])), wide, 0.35 * np.sqrt(wide), varied(color, 0.03 * np.sin(share * 9)), 10
    )


def _cat_ear(fit: Fit, color: Color) -> Mesh:
    share = np.linspace(0, 1, 10)
    path = np.array([5.0, 11.6, 1.5]) + share[:, None] * np.array([2.2, 6.0, 0.6])
    wide = 2.5 * (1 - share**1.6) + 0.05
    outer = tubes(path[None].astype(np.float32), np.array([1.0, 0, 0.25]), wide, 0.55 * wide, varied(color, 0 * share), 12)
    inner_path = path[:-1] + np.array([0.0, -0.1, 0.62]) * (1 - share[:-1, None] * 0.75)
    tint = varied(np.array([0.85, 0.55, 0.55]), 0 * share[:-1])
    inner = tubes(inner_path[None].astype(np.float32), np.array([1.0, 0, 0.25]), wide[:-1] * 0.68, 0.42 * wide[:-1], tint, 12)
    return joined([outer, inner])


def _bear_ear(fit: Fit, color: Color) -> Mesh:
    centers = np.array([[6.2, 13.4, 0.5], [6.25, 13.4, 1.35]], np.float32)
    radii = np.array([[2.7, 2.7, 1.4], [1.7, 1.7, 0.85]])
    shades = np.stack([varied(color, 0.0), varied(color, 0.35)])
    return ellipsoids(centers, radii, shades, 12, 18)


def _nose_ring(fit: Fit, color: Color) -> Part:
    base = fit.landmark(33)[0]
    angle = np.linspace(-0.35 * np.pi, 1.35 * np.pi, 18) + np.pi
    room = np.clip((base[1] - fit.landmark(51)[0, 1]) / 1.3, 0.3, 1)  # to the upper lip
    ring = base + np.stack([0.5 * np.cos(angle), -0.15 + 0.45 * np.sin(angle), 0.1 + 0 * angle], -1) * room
    mesh = tubes(ring[None].astype(np.float32), np.array([0, 0, 1.0]), 0.1 * room, 0.1 * room, varied(color, 0.0), 7)
    return fit.part_here(mesh, "metal", int(LANDMARKS[33]))
