"""Fits shapes designed on the mean head to a character's head.

Hair, hats and clothes are designed in the coordinates of the mean head (cm; x to the person's left, y up, z to the front). A
smooth deformation that carries the mean head's skin to the character's carries them along.
"""

from __future__ import annotations

import numpy as np

from .model import LANDMARKS, VERTICES, HeadModel, vertex_normals
from .parts import Part
from .shapes3d import Color, Mesh, smoothstep, unit

CROWN = 10527
"""The vertex at the top of the head, which no expression moves: rigid parts follow it."""
FACE = VERTICES["face"][1]
"""Vertices below this number are of the face with the ears and the front of the neck."""
SKIN = VERTICES["neck"][1]
"""Vertices below this number are skin."""
CENTER = np.array([0, 4, -0.5], np.float32)
"""Middle of the mean head's skull, about which the hull is star-shaped."""
HULL_ROWS, HULL_COLUMNS = 49, 96
NECK_TOP, NECK_BOTTOM, NECK_ROWS, NECK_COLUMNS = -8.5, -14.0, 12, 72
NECK_WIDTH = 6.6  # cm
NECK_AXIS = -1.2  # z of the vertical line inside the neck, in cm


class MeanHead:
    """What is known of the mean head once for all characters: regions, its hull without ears, nodes of the deformation.

    Attributes:
        model: the head model.
        triangles: (T, 3) int32, the skin's triangles.
        normals: (S, 3) float32, normals of the skin's vertices.
        ear: (S,) bool, vertices of the ears.
    """

    def __init__(self, model: HeadModel):
        self.model = model
        self.points = model.vertices[:SKIN]
        self.triangles = np.concatenate([model.triangles["face"], model.triangles["neck"]])
        self.normals = vertex_normals(self.points, self.triangles)
        self.ear = self._ears()
        self.nodes = self._nodes()
        self._solver = np.linalg.pinv(self._system(self.points[self.nodes])).astype(np.float32)
        self._hull = self._make_hull()
        self._neck = self._make_neck()

    def _ears(self) -> np.ndarray:
        x, y, z = np.abs(self.points[:, 0]), self.points[:, 1], self.points[:, 2]
        return (x > 6.9) & (y > -2.8) & (y < 5.7) & (z > -3.9) & (z < 2.2)

    def _nodes(self) -> np.ndarray:
        """Skin vertices about 2 cm apart, not on ears, eyes, nose and mouth, whose size may differ from what lies over them."""
        x, y, z = self.points.T
        feature = (z > 8.2) & (np.abs(x) < 5.4) & (y < 5.4) & (y > -5)
        usable = np.flatnonzero(~self.ear & ~feature)
        cells = np.floor(self.points[usable] / 2).astype(np.int64)
        keys = (cells[:, 0] * 1000 + cells[:, 1]) * 1000 + cells[:, 2]
        return usable[np.unique(keys, return_index=True)[1]]

    @staticmethod
    def _system(nodes: np.ndarray) -> np.ndarray:
        """Matrix of the biharmonic spline with a linear part."""
        nodes = nodes.astype(np.float64)
        count = len(nodes)
        system = np.zeros((count + 4, count + 4))
        system[:count, :count] = np.linalg.norm(nodes[:, None] - nodes[None], axis=-1)
        system[:count, count] = system[count, :count] = 1
        system[:count, count + 1 :] = nodes
        system[count + 1 :, :count] = nodes.T
        return system

    def spline(self, moved: np.ndarray) -> np.ndarray:
        """Coefficients (nodes + 4, 3) of the deformation that carries the nodes to `moved` (nodes, 3)."""
        offsets = np.concatenate([moved - self.points[self.nodes], np.zeros((4, 3), np.float32)])
        return (self._solver @ offsets).astype(np.float32)

    def _make_hull(self) -> np.ndarray:
        """Distance of the skin from the center by elevation (rows, bottom to top) and azimuth (columns, from the front)."""
        usable = ~self.ear & (self.points[:, 1] > -10) & ((np.arange(SKIN) >= FACE) | (np.arange(SKIN) % 3 == 0))
        offsets = self.points[usable] - CENTER
        distances = np.linalg.norm(offsets, axis=1)
        elevation = np.linspace(-np.pi / 2, np.pi / 2, HULL_ROWS)
        azimuth = np.arange(HULL_COLUMNS) * 2 * np.pi / HULL_COLUMNS
        grid = directions(elevation[:, None], azimuth[None]).reshape(-1, 3)
        closeness = grid.astype(np.float32) @ (offsets / distances[:, None]).T
        weights = np.exp(400 * (closeness - closeness.max(axis=1, keepdims=True)))
        return ((weights @ distances) / weights.sum(axis=1)).reshape(HULL_ROWS, HULL_COLUMNS).astype(np.float32)

    def radius(self, vectors: np.ndarray) -> np.ndarray:
        """Distance (...) from CENTER to the skin, without ears, in the directions of `vectors` (..., 3)."""
        vectors = unit(vectors)
        row = (np.arcsin(np.clip(vectors[..., 1], -1, 1)) / np.pi + 0.5) * (HULL_ROWS - 1)
        column = np.arctan2(vectors[..., 0], vectors[..., 2]) / (2 * np.pi) % 1 * HULL_COLUMNS
        return _bilinear(self._hull, row, column)

    def lifted(self, points: np.ndarray, height: np.ndarray | float) -> np.ndarray:
        """Points (..., 3) moved along the line from CENTER to `height` (...) cm above the skin."""
        vectors = unit(points - CENTER)
        return CENTER + vectors * (self.radius(vectors) + height)[..., None]

    def height(self, points: np.ndarray) -> np.ndarray:
        """Height (...) of points (..., 3) above the skin in cm, along the line from CENTER."""
        offsets = points - CENTER
        return np.linalg.norm(offsets, axis=-1) - self.radius(offsets)

    def _make_neck(self) -> np.ndarray:
        """Distance of the neck's skin from its axis by height (rows, top to bottom) and azimuth (columns, from the front)."""
        usable = self.points[:, 1] < NECK_TOP + 2
        x, y, z = self.points[usable].T
        outward = np.hypot(x, z - NECK_AXIS)
        azimuth = np.arctan2(x, z - NECK_AXIS)
        levels = np.linspace(NECK_TOP, NECK_BOTTOM, NECK_ROWS)
        turns = np.arange(NECK_COLUMNS) * 2 * np.pi / NECK_COLUMNS
        away = np.angle(np.exp(1j * (turns[:, None] - azimuth[None]))) * 6
        squared = away[None] ** 2 + (levels[:, None, None] - y) ** 2
        weights = np.exp(-2.5 * (squared - squared.min(axis=-1, keepdims=True)))
        return ((weights @ outward) / weights.sum(axis=-1)).astype(np.float32)

    def around_neck(
        self, azimuth: np.ndarray, level: np.ndarray | float, height: np.ndarray | float, widest: float = NECK_WIDTH
    ) -> np.ndarray:
        """Points around the neck.

        Args:
            azimuth: (...) radians from the front to the person's left.
            level: (...) y in cm.
            height: (...) distance from the skin in cm.
            widest: the neck's radius at most, so that points do not follow the shoulders.

        Returns:
            (..., 3) float32.
        """
        row = (np.asarray(level) - NECK_TOP) / (NECK_BOTTOM - NECK_TOP) * (NECK_ROWS - 1)
        distance = np.minimum(_bilinear(self._neck, row, azimuth / (2 * np.pi) % 1 * NECK_COLUMNS), widest) + height
        return np.stack(
            [np.sin(azimuth) * distance, level + 0 * azimuth, NECK_AXIS + np.cos(azimuth) * distance], -1
        ).astype(np.float32)  # fmt: skip


def directions(elevation: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3): elevation above the horizon and azimuth from the front to the person's left, in radians."""
    elevation, azimuth = np.broadcast_arrays(elevation, azimuth)
    flat = np.cos(elevation)
    return np.stack([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)], -1).astype(np.float32)


def _bilinear(table: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Values of a table at fractional rows (limited to it) and columns (cyclic)."""
    rows, columns = table.shape
    row = np.clip(row, 0, rows - 1.001)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left
    left, after = left % columns, (left + 1) % columns
    upper = table[top, left] * (1 - right) + table[top, after] * right
    lower = table[top + 1, left] * (1 - right) + table[top + 1, after] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)


class Fit:
    """A character's head for which parts are made.

    Args:
        mean: the mean head.
        neutral: (V, 3) float32, the character's neutral head in cm, after its proportions.
    """

    def __init__(self, mean: MeanHead, neutral: np.ndarray):
        self.mean = mean
        self.model = mean.model
        self.neutral = np.asarray(neutral, np.float32)
        self.normals = vertex_normals(self.neutral[:SKIN], mean.triangles)
        self._spline = mean.spline(self.neutral[mean.nodes])

    def warp(self, points: np.ndarray) -> np.ndarray:
        """Carry points (..., 3) near the mean head to the character's."""
        flat = np.asarray(points, np.float32).reshape(-1, 3)
        nodes = self.mean.points[self.mean.nodes]
        squared = (flat**2).sum(1)[:, None] + (nodes**2).sum(1)[None] - 2 * flat @ nodes.T
        count = len(nodes)
        moved = np.sqrt(np.maximum(squared, 0)) @ self._spline[:count] + self._spline[count] + flat @ self._spline[count + 1 :]
        return (flat + moved).reshape(np.shape(points)).astype(np.float32)

    def over_ears(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) of this head moved outwards where its ears stick out more than the deformation tells."""
        ear = self.mean.points[self.mean.ear]
        excess = self.neutral[:SKIN][self.mean.ear] - self.warp(ear)
        points = points.copy()
        for side in (-1, 1):
            here = ear[:, 0] * side > 0
            middle = self.neutral[:SKIN][self.mean.ear][here].mean(axis=0)
            room = max(float((excess[here, 0] * side).max()), 0.0)
            distance = np.linalg.norm((points - middle) * np.array([0.5, 1, 1], np.float32), axis=1)
            points[:, 0] += side * room * (1 - smoothstep(distance, 2.5, 7.5))
        return points

    def part(self, mesh: Mesh, material: str, anchors: np.ndarray | int = CROWN) -> Part:
        """Part of a mesh on the mean head, which the deformation carries to this one; it follows the given vertices."""
        points = self.warp(mesh.points)
        return self.part_here(Mesh(points, mesh.triangles, mesh.colors), material, anchors)

    def part_here(self, mesh: Mesh, material: str, anchors: np.ndarray | int = CROWN) -> Part:
        """Part of a mesh that already fits this head."""
        anchors = np.broadcast_to(np.asarray(anchors, np.int32), len(mesh.points)).astype(np.int32)
        offsets = (mesh.points - self.neutral[anchors]).astype(np.float32)
        return Part(anchors, offsets, mesh.triangles, mesh.normals(), mesh.colors, material)

    def landmark(self, *numbers: int) -> np.ndarray:
        """Neutral positions (N, 3) of landmarks."""
        return self.neutral[LANDMARKS[list(numbers)]]


def shell(
    fit: Fit, field: np.ndarray, heights: np.ndarray, colors: Color, depth: float = 0.25, edge: float = 0.5
) -> tuple[Mesh, np.ndarray]:
    """Skin where `field` is positive, raised along its normals; beyond the border it dives under the skin.

    Args:
        fit: the head.
        field: (S,) about the distance in cm to the border of the region, positive inside.
        heights: (S,) height above the skin in cm.
        colors: (3,) or (S, 3) sRGB.
        depth: how deep under the skin it ends, in cm.
        edge: distance in cm beyond the border at which it ends.

    Returns:
        The mesh on this head, and (N,) int32 the skin vertex that each of its points follows.
    """
    chosen = fit.mean.triangles[(field > -edge)[fit.mean.triangles].all(axis=1)]
    used, triangles = np.unique(chosen, return_inverse=True)
    raised = np.where(field > 0, heights, np.maximum(-depth, field * depth / edge))[used]
    points = fit.neutral[used] + fit.normals[used] * raised[:, None]
    shades = np.broadcast_to(np.asarray(colors, np.float32), (len(field), 3))[used]
    mesh = Mesh(points.astype(np.float32), triangles.reshape(-1, 3).astype(np.int32), shades.astype(np.float32))
    return mesh, used.astype(np.int32)
