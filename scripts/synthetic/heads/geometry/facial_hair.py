"""Brows, beards and moustaches: they follow the skin that they lie on, so they move with the expression."""

from __future__ import annotations

import numpy as np

from .fitting import SKIN, Fit, shell
from .model import LANDMARKS, VERTICES
from .parts import Part
from .regions import beard_field
from .shapes3d import Color, Mesh, Noise, joined, resampled, sheet, smoothstep, tubes, unit, varied

BROW_STYLES = ("natural", "strip", "bushy")
BEARD_STYLES = (
    "none", "moustache", "pencil", "handlebar", "horseshoe", "goatee", "chin", "chinstrap", "short", "full", "long",
)  # fmt: skip
MOUSTACHES = {
    "moustache": ((0.12, -1.85), (1.1, -1.95), (2.1, -2.45), (2.9, -3.1)),
    "pencil": ((0.25, -1.9), (1.1, -2.0), (2.0, -2.45), (2.8, -3.05)),
    "handlebar": ((0.12, -1.85), (1.1, -1.95), (2.1, -2.4), (3.1, -2.75)),
    "horseshoe": ((0.12, -1.85), (1.1, -1.95), (2.2, -2.35), (3.2, -3.1), (3.5, -4.4), (3.3, -6.0)),
}
BROW_POINTS, BROW_ROWS = 16, 6


class FrontSurface:
    """The front of a head's skin as a function of x and y of the mean head.

    Args:
        fit: the head.
    """

    def __init__(self, fit: Fit):
        mean = fit.mean
        self._fit = fit
        x, y, z = mean.points.T
        self._vertices = np.flatnonzero(
            (mean.normals[:, 2] > 0.05) & (z > 4) & (y < 9) & (y > -8.5) & (np.arange(SKIN) < VERTICES["face"][1])
        )
        self._places = mean.points[self._vertices]

    def place(self, x: np.ndarray, y: np.ndarray, height: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Points (..., 3) of this head `height` cm over its skin, and the skin vertices (...) that they follow."""
        x, y, height = (np.asarray(values, np.float32) for values in np.broadcast_arrays(x, y, height))
        squared = (x.reshape(-1, 1) - self._places[:, 0]) ** 2 + (y.reshape(-1, 1) - self._places[:, 1]) ** 2
        near = np.argpartition(squared, 4, axis=1)[:, :4]
        distances = np.take_along_axis(squared, near, axis=1)
        weights = 1 / (distances + 1e-4)
        weights = (weights / weights.sum(axis=1, keepdims=True))[..., None]
        vertices = self._vertices[near]
        mean = self._fit.mean
        middle = (weights * mean.points[vertices]).sum(axis=1)
        normal = unit((weights * mean.normals[vertices]).sum(axis=1))
        shift = np.stack([x.ravel() - middle[:, 0], y.ravel() - middle[:, 1]], -1)
        rise = -(shift * normal[:, :2]).sum(axis=1) / np.maximum(normal[:, 2], 0.3)
        outward = unit((weights * self._fit.normals[vertices]).sum(axis=1))
        points = (weights * self._fit.neutral[vertices]).sum(axis=1) + np.column_stack([shift, rise])
        points = points + outward * height.reshape(-1, 1)
        anchors = np.take_along_axis(vertices, distances.argmin(axis=1)[:, None], axis=1)[:, 0]
        return points.reshape(*x.shape, 3).astype(np.float32), anchors.reshape(x.shape).astype(np.int32)


def _strip(
    surface: FrontSurface, curve: np.ndarray, widths: np.ndarray, height: np.ndarray, color: np.ndarray, rows: int = BROW_ROWS
) -> tuple[Mesh, np.ndarray]:
    """A raised strip along a curve (K, 2) of x and y, of half widths (K,), with its edges under the skin; and its anchors."""
    steps = np.gradient(curve, axis=0)
    aside = np.stack([-steps[:, 1], steps[:, 0]], -1)
    aside = aside / np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-6) * np.sign(steps[:, :1].sum())
    place = np.linspace(-1, 1, rows)
    flat = curve[None] + place[:, None, None] * (aside * widths[:, None])[None]
    dome = np.maximum(1 - place**2, 0)[:, None] ** 0.6 * height[None] - 0.06
    points, anchors = surface.place(flat[..., 0], flat[..., 1], dome)
    mesh = sheet(points, np.broadcast_to(color, points.shape), flip=bool(steps[:, 0].sum() < 0))
    return mesh, anchors.ravel()


def _strokes(
    surface: FrontSurface, roots: np.ndarray, headings: np.ndarray, width: float, height: float, colors: np.ndarray
) -> tuple[Mesh, np.ndarray]:
    """Short tapered hairs from roots (L, 2) along headings (L, 2), of colors (L, 3); and their anchors."""
    share = np.array([0, 0.4, 0.75, 1.0])
    flat = roots[:, None] + headings[:, None] * share[:, None]
    points, anchors = surface.place(flat[..., 0], flat[..., 1], height * np.array([0.6, 1.05, 1.1, 0.9]))
    taper = width * np.array([0.6, 1, 0.7, 0.1])
    across = np.cross(np.gradient(points, axis=1), np.array([0, 0, 1.0]))
    mesh = tubes(points, across, taper, taper * 0.7, colors[:, None], 4)
    ring = np.repeat(anchors, 4, axis=1)
    return mesh, np.concatenate([ring, anchors[:, :1], anchors[:, -1:]], axis=1).ravel()


def brows(
    fit: Fit, style: str, color: Color, random: np.random.Generator, thickness: float = 1.0
) -> list[Part]:  # fmt: skip
    """Brows along the landmarks 17 to 26, of a style of BROW_STYLES: strips, or strips with hairs.

    Args:
        fit: the head.
        style: one of BROW_STYLES.
        color: sRGB in 0..1.
        random: decides hairs and shades.
        thickness: factor of their width; 0.4 is thin, 2 a cartoon's.

    Raises:
        ValueError: an unknown style.
    """
    if style not in BROW_STYLES:
        raise ValueError(f"unknown style of brows: {style!r}")
    surface = FrontSurface(fit)
    pieces = []
    for numbers in ((21, 20, 19, 18, 17), (22, 23, 24, 25, 26)):
        curve = resampled(fit.mean.points[LANDMARKS[list(numbers)]], BROW_POINTS)[:, :2] - [0, 0.12]
        share = np.linspace(0, 1, BROW_POINTS)
        widths = 0.42 * thickness * np.interp(share, [0, 0.08, 0.3, 0.6, 1], [0.55, 0.85, 1, 0.8, 0.16])
        height = (0.1 + 0.13 * thickness) * np.interp(share, [0, 0.2, 0.7, 1], [0.8, 1, 0.8, 0.4])
        base = -0.12 if style != "strip" else 0.0
        shades = varied(color, base + 0.05 * np.sin(share * 9))
        pieces.append(_strip(surface, curve, widths, height, shades))
        if style != "strip":
            pieces.append(_brow_hairs(surface, curve, widths, color, random, thickness, style == "bushy"))
    meshes, anchors = zip(*pieces, strict=True)
    return [fit.part_here(joined(meshes), "hair", np.concatenate(anchors))]


def _brow_hairs(
    surface: FrontSurface, curve: np.ndarray, widths: np.ndarray, color: Color, random: np.random.Generator,
    thickness: float, bushy: bool,
) -> tuple[Mesh, np.ndarray]:  # fmt: skip
    """Hairs that rise from the brow's lower edge and turn outwards."""
    count = 34 if bushy else 44
    at = np.sort(random.uniform(0, 0.93, count)) * (len(curve) - 1)
    index = at.astype(int)
    part = (at - index)[:, None]
    following = np.minimum(index + 1, len(curve) - 1)
    middle = curve[index] * (1 - part) + curve[following] * part
    half = np.interp(at, np.arange(len(curve)), widths)[:, None]
    outward = unit(np.column_stack([curve[following] - curve[index], np.zeros(count)]) + [1e-6, 0, 0])[:, :2]
    rising = np.array([0, 1.0]) * np.interp(at / (len(curve) - 1), [0, 0.5, 1], [0.9, 0.35, 0.0])[:, None]
    length = (0.75 if bushy else 0.6) * (0.6 + 0.5 * thickness)
    headings = unit(np.column_stack([outward + rising, np.zeros(count)]))[:, :2] * length * random.uniform(0.7, 1.2, (count, 1))
    roots = middle + random.uniform(-0.8, 0.55, (count, 1)) * half * np.array([0, 1.0])
    shades = varied(color, random.normal(0, 0.1, count))
    return _strokes(surface, roots, headings, (0.16 if bushy else 0.09) * (0.5 + 0.5 * thickness), 0.1 + 0.12 * thickness, shades)


def beard(
    fit: Fit, style: str, color: Color, random: np.random.Generator
) -> list[Part]:  # fmt: skip
    """Beard or moustache of a style of BEARD_STYLES; lips stay free. Raises ValueError for an unknown style."""
    if style not in BEARD_STYLES:
        raise ValueError(f"unknown style of beard: {style!r}")
    if style == "none":
        return []
    parts = []
    if style in MOUSTACHES or style in ("goatee", "full", "long", "short"):
        parts.append(_moustache(fit, style if style in MOUSTACHES else "moustache", color, random, style == "short"))
    if style not in MOUSTACHES:
        kind = style if style in ("goatee", "chin", "chinstrap") else "full"
        parts += _beard(
            fit, kind, color, random, {"short": 0.3, "chinstrap": 0.5, "goatee": 0.75, "chin": 0.8, "long": 3.0}.get(style, 1.0)
        )
    return parts


def _moustache(fit: Fit, style: str, color: Color, random: np.random.Generator, flat: bool = False) -> Part:
    surface = FrontSurface(fit)
    pieces, share = [], np.linspace(0, 1, 14)
    thin = 0.16 if style == "pencil" else 0.36
    height = 0.14 if style == "pencil" or flat else 0.42
    for side in (1, -1):
        points = np.array(MOUSTACHES[style]) * [side, 1]
        curve = resampled(np.column_stack([points, np.zeros(len(points))]), 14)[:, :2]
        widths = thin * np.interp(share, [0, 0.2, 0.6, 1], [0.7, 1, 0.95, 0.35])
        heights = height * np.interp(share, [0, 0.2, 0.7, 1], [0.75, 1, 0.8, 0.4])
        pieces.append(_strip(surface, curve, widths, heights, varied(color, -0.1 + 0 * share)))
        if style != "pencil" and not flat:
            count = 26
            index = random.integers(0, 12, count)
            steps = np.gradient(curve, axis=0)[index] * 2.6
            roots = curve[index] + random.uniform(-0.75, 0.6, (count, 1)) * widths[index, None] * [0, 1]
            shades = varied(color, random.normal(0, 0.1, count))
            pieces.append(_strokes(surface, roots, steps + [0, -0.08], 0.13, height * 0.9, shades))
        if style == "handlebar":
            pieces.append(_curled_tip(surface, curve[-1], side, color))
    meshes, anchors = zip(*pieces, strict=True)
    return fit.part_here(joined(meshes), "hair", np.concatenate(anchors))


def _curled_tip(surface: FrontSurface, start: np.ndarray, side: int, color: Color) -> tuple[Mesh, np.ndarray]:
    """The free end of a handlebar moustache; it follows the skin beside the mouth."""
    point, anchor = surface.place(start[0] - 0.4 * side, start[1] + 0.05, 0.3)
    angle = np.linspace(-0.5 * np.pi, 0.95 * np.pi, 12)
    radius = np.linspace(0.95, 0.5, 12)
    curl = np.stack([side * (0.5 + radius * np.cos(angle)), 0.95 + radius * np.sin(angle), np.linspace(0, 0.5, 12)], -1)
    width = np.interp(np.linspace(0, 1, 12), [0, 0.5, 1], [0.3, 0.22, 0.05])
    mesh = tubes((point + curl)[None].astype(np.float32), np.array([0, 0, 1.0]), width, width, varied(color, 0.0), 7)
    return mesh, np.full(len(mesh.points), anchor)


def _beard(fit: Fit, kind: str, color: Color, random: np.random.Generator, size: float) -> list[Part]:
    """A shell over the beard's region, and locks rooted in it unless it is short."""
    mean = fit.mean
    field = beard_field(mean.points, kind) + 0.12 * Noise(random, 0.9)(mean.points)
    field[mean.ear | (np.arange(SKIN) >= VERTICES["face"][1]) & (mean.points[:, 2] < 0)] = -1
    rise = smoothstep(field, 0, 1.3)
    chin = smoothstep(-mean.points[:, 1], 3.5, 7)
    heights = 0.05 + rise * min(size, 1.3) * (0.3 + 0.35 * chin)
    shade = 0.14 * Noise(random, 0.7)(mean.points) + 0.05 * random.normal(size=SKIN) - (0.2 if size > 0.4 else 0.05)
    mesh, anchors = shell(fit, field, heights, varied(color, shade), 0.15, 0.35)
    parts = [fit.part_here(mesh, "hair", anchors)]
    if size > 0.4:
        parts.append(_beard_locks(fit, field, heights, color, random, size))
    return parts


def _beard_locks(
    fit: Fit, field: np.ndarray, heights: np.ndarray, color: Color, random: np.random.Generator, size: float
) -> Part:
    """Locks that hang from the beard's skin; each follows the vertex that it is rooted in."""
    mean = fit.mean
    above_lips = (np.abs(mean.points[:, 0]) < 3.3) & (mean.points[:, 1] > -3.9) & (mean.points[:, 2] > 7)
    roots = np.flatnonzero((field > 0.2) & ~above_lips)
    roots = random.permutation(roots)
    cells = np.floor(mean.points[roots] / 1.1).astype(np.int64)
    roots = roots[np.unique((cells[:, 0] * 1000 + cells[:, 1]) * 1000 + cells[:, 2], return_index=True)[1]]
    normals = fit.normals[roots]
    chin = smoothstep(-mean.points[roots, 1], 4.0, 7.5)[:, None] * smoothstep(mean.points[roots, 2], 3, 7)[:, None]
    down = np.array([0, -1, 0], np.float32) - np.column_stack(
        [0.25 * np.sign(mean.points[roots, 0]) * chin[:, 0], 0 * roots, 0 * roots]
    )
    along = unit(
        down - 0.75 * (down * normals).sum(1, keepdims=True) * normals + 0.3 * normals + random.normal(0, 0.1, normals.shape)
    )
    length = (0.9 + chin * (0.7 + 1.1 * max(size - 0.5, 0))) * random.uniform(0.8, 1.2, (len(roots), 1)) * min(size + 0.3, 1.4)
    share = np.linspace(0, 1, 5)[:, None]
    start = fit.neutral[roots] + normals * (heights[roots, None] * 0.7)
    fall = np.array([0, -0.25, 0]) * share**2 * length[:, None]
    paths = start[:, None] + along[:, None] * length[:, None] * share + normals[:, None] * 0.18 * np.sin(share * np.pi) + fall
    profile = np.interp(share[:, 0], [0, 0.3, 0.7, 1], [0.7, 1, 0.7, 0.1]) * 0.5
    shade = random.normal(0, 0.1, (len(roots), 1)) + np.interp(share[:, 0], [0, 1], [-0.1, 0.06])
    across = np.cross(normals, along)[:, None]
    mesh = tubes(paths.astype(np.float32), across, profile, profile * 0.6, varied(color, shade), 5)
    return fit.part_here(mesh, "hair", np.repeat(roots, len(mesh.points) // len(roots)))
