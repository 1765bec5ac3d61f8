"""Meshes of simple shapes: tubes along curves, sheets between rings, ellipsoids; and smooth noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .model import vertex_normals

Color = Sequence[float] | np.ndarray
"""sRGB in 0..1: three numbers."""


@dataclass(frozen=True)
class Mesh:
    """Points (N, 3) float32, triangles (M, 3) int32 counter-clockwise from outside, colors (N, 3) float32 sRGB in 0..1."""

    points: np.ndarray
    triangles: np.ndarray
    colors: np.ndarray

    def normals(self) -> np.ndarray:
        """Smooth unit normals (N, 3) float32."""
        return vertex_normals(self.points, self.triangles)


def smoothstep(values: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between them. `low` may be greater than `high`: then it falls."""
    share = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several."""
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]).astype(np.float32),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]).astype(np.int32),
        np.concatenate([mesh.colors for mesh in meshes]).astype(np.float32),
    )


def painted(points: np.ndarray, triangles: np.ndarray, color: Color) -> Mesh:
    """Mesh with one color, (3,), or one of each point, (N, 3)."""
    points = np.asarray(points, np.float32).reshape(-1, 3)
    colors = np.broadcast_to(np.asarray(color, np.float32), points.shape)
    return Mesh(points, np.asarray(triangles, np.int32), np.clip(colors, 0, 1).astype(np.float32))


def mirrored(mesh: Mesh) -> Mesh:
    """The mesh on the other side of the plane x = 0."""
    return Mesh(mesh.points * np.array([-1, 1, 1], np.float32), mesh.triangles[:, ::-1].copy(), mesh.colors)


def grid_triangles(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Triangles (T, 3) int32 of a grid of rows x columns points, row after row.

    They face the side from which rows run upwards and columns run to the right. `closed` joins the last column to the first.
    """
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    following = (column + 1) % columns
    a, b = row * columns + column, row * columns + following
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]).astype(np.int32)


def sheet(points: np.ndarray, color: Color, closed: bool = False, flip: bool = False) -> Mesh:
    """Mesh of a grid of points (rows, columns, 3); see `grid_triangles` for the side that it faces, which `flip` changes."""
    triangles = grid_triangles(points.shape[0], points.shape[1], closed)
    colors = np.asarray(color, np.float32)
    if colors.ndim > 1:
        colors = colors.reshape(-1, 3)
    return painted(points, triangles[:, ::-1] if flip else triangles, colors)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) scaled to unit length."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def tangents_of(paths: np.ndarray, closed: bool = False) -> np.ndarray:
    """Unit tangents (L, K, 3) of curves (L, K, 3)."""
    if closed:
        return unit(np.roll(paths, -1, axis=1) - np.roll(paths, 1, axis=1))
    tangents = np.empty_like(paths)
    tangents[:, 1:-1] = paths[:, 2:] - paths[:, :-2]
    tangents[:, 0], tangents[:, -1] = paths[:, 1] - paths[:, 0], paths[:, -1] - paths[:, -2]
    return unit(tangents)


def tubes(
    paths: np.ndarray, across: np.ndarray, widths: np.ndarray | float, heights: np.ndarray | float, colors: np.ndarray,
    sides: int = 6, closed: bool = False,
) -> Mesh:  # fmt: skip
    """Tubes with elliptical cross-sections along curves.

    Args:
        paths: (L, K, 3) curves.
        across: directions in which the tubes are wide, broadcast to (L, K, 3); made perpendicular to the curves.
        widths: half widths in cm, broadcast to (L, K).
        heights: half heights in cm, broadcast to (L, K).
        colors: sRGB, broadcast to (L, K, 3).
        sides: corners of a cross-section.
        closed: whether the last point of each curve joins the first. Otherwise both ends are capped with a point.
    """
    count, length = paths.shape[:2]
    tangents = tangents_of(paths, closed)
    across = np.broadcast_to(across, paths.shape)
    across = unit(across - (across * tangents).sum(-1, keepdims=True) * tangents)
    upward = np.cross(tangents, across)
    angles = np.arange(sides) * 2 * np.pi / sides
    wide = np.broadcast_to(widths, (count, length))[..., None, None] * np.cos(angles)[:, None] * across[:, :, None]
    high = np.broadcast_to(heights, (count, length))[..., None, None] * np.sin(angles)[:, None] * upward[:, :, None]
    rings = paths[:, :, None] + wide + high
    shades = np.broadcast_to(np.broadcast_to(colors, paths.shape)[:, :, None], rings.shape)
    band = grid_triangles(length + closed, sides, True) % (length * sides)
    size = length * sides
    if closed:
        points, shades = rings.reshape(count, size, 3), shades.reshape(count, size, 3)
    else:
        points = np.concatenate([rings.reshape(count, size, 3), paths[:, :1], paths[:, -1:]], axis=1)
        shades = np.concatenate([shades.reshape(count, size, 3), shades[:, :1, 0], shades[:, -1:, 0]], axis=1)
        corner, following = np.arange(sides), (np.arange(sides) + 1) % sides
        start = np.stack([np.full(sides, size), following, corner], -1)
        end = np.stack([np.full(sides, size + 1), size - sides + corner, size - sides + following], -1)
        band = np.concatenate([band, start, end])
    stride = points.shape[1]
    triangles = (band[None] + (np.arange(count) * stride)[:, None, None]).reshape(-1, 3)
    return painted(points, triangles, shades.reshape(-1, 3))


def ellipsoids(centers: np.ndarray, radii: np.ndarray, colors: np.ndarray, rows: int = 6, columns: int = 8) -> Mesh:
    """Ellipsoids with centers (L, 3), radii and colors broadcast to (L, 3)."""
    elevation = np.linspace(-np.pi / 2, np.pi / 2, rows)[:, None]
    turn = np.arange(columns)[None] * 2 * np.pi / columns + 0 * elevation
    x, y, z = np.cos(elevation) * np.sin(turn), np.sin(elevation) + 0 * turn, np.cos(elevation) * np.cos(turn)
    sphere = np.stack([x, y, z], -1).reshape(-1, 3)
    count = len(centers)
    scaled = sphere[None] * np.broadcast_to(radii, (count, 3))[:, None]
    points = centers[:, None] + scaled
    stride = len(sphere)
    triangles = (grid_triangles(rows, columns, True)[None] + (np.arange(count) * stride)[:, None, None]).reshape(-1, 3)
    return painted(points, triangles, np.repeat(np.broadcast_to(colors, (count, 3)), stride, axis=0))


def subdivided(mesh: Mesh) -> tuple[Mesh, np.ndarray]:
    """Split each triangle into four; also the points (N, 2) between which each new point lies (twice itself for old ones)."""
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1).astype(np.int64)
    codes, places = np.unique(edges[:, 0] * len(mesh.points) + edges[:, 1], return_inverse=True)
    old = np.arange(len(mesh.points))
    parents = np.concatenate([np.stack([old, old], -1), np.stack([codes // len(old), codes % len(old)], -1)])
    middle = (places.reshape(-1, 3) + len(old)).astype(np.int32)
    (a, b, c), (ab, bc, ca) = mesh.triangles.T, middle.T
    triangles = np.concatenate([np.stack(corners, -1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    points, colors = mesh.points[parents].mean(axis=1), mesh.colors[parents].mean(axis=1)
    return Mesh(points, triangles, colors), parents


def resampled(curve: np.ndarray, count: int) -> np.ndarray:
    """Points (count, 3) spaced evenly along a smooth curve (Catmull-Rom) through the given points (N, 3)."""
    padded = np.concatenate([2 * curve[:1] - curve[1:2], curve, 2 * curve[-1:] - curve[-2:-1]])
    spans, steps = len(padded) - 3, 12
    share = np.tile(np.arange(steps) / steps, spans)[:, None]
    index = np.repeat(np.arange(spans), steps)
    a, b, c, d = (padded[index + offset] for offset in range(4))
    dense = 0.5 * (2 * b + (c - a) * share + (2 * a - 5 * b + 4 * c - d) * share**2 + (3 * b - a - 3 * c + d) * share**3)
    dense = np.concatenate([dense, padded[-2:-1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    places = np.linspace(0, along[-1], count)
    return np.stack([np.interp(places, along, dense[:, axis]) for axis in range(3)], -1).astype(np.float32)


class Noise:
    """Smooth noise in space: a sum of waves with random directions, about -1 to 1."""

    def __init__(self, random: np.random.Generator, wavelength: float, waves: int = 8):
        directions = unit(random.normal(size=(waves, 3)))
        lengths = wavelength * random.uniform(0.7, 1.6, waves)
        self._vectors = (directions * (2 * np.pi / lengths)[:, None]).astype(np.float32)
        self._phases = random.uniform(0, 2 * np.pi, waves).astype(np.float32)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values (...) at points (..., 3)."""
        return np.sin(points @ self._vectors.T + self._phases).sum(-1) * np.float32(np.sqrt(2 / len(self._phases)) / 1.6)


def varied(color: Color, share: np.ndarray | float) -> np.ndarray:
    """Colors (..., 3): `color` darkened where `share` (...) is negative and lightened where it is positive, by that share."""
    base = np.asarray(color, np.float32)
    share = np.asarray(share, np.float32)[..., None]
    return np.clip(np.where(share < 0, base * (1 + share), base + (1 - base) * share), 0, 1).astype(np.float32)
