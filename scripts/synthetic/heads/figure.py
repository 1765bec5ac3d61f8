"""The complete mesh of a character: skin, eyes, mouth, and everything it wears, posed for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .characters import Character, Color, brow_color
from .expressions import Expression, exaggerate
from .geometry.clothes import clothes
from .geometry.facial_hair import beard, brows
from .geometry.fitting import Fit, MeanHead
from .geometry.hair import hair
from .geometry.hats import hat, rim_of
from .geometry.model import LANDMARKS, VERTICES, HeadModel, vertex_normals
from .geometry.parts import Part
from .geometry.proportions import anchors_of
from .geometry.wear import creature, earrings, glasses
from .views import View

KINDS = {
    "skin": 0, "neck": 1, "mouth": 2, "teeth": 3, "eye": 4, "hair": 5, "cloth": 6, "plastic": 7, "metal": 8,
}  # fmt: skip
"""Materials as shaders/head.frag numbers them."""
HEAD_PARTS = {
    "face": ("skin", (1, 1, 1)), "neck": ("neck", (1, 1, 1)), "mouth_socket": ("mouth", (0.42, 0.13, 0.13)),
    "eye_sockets": ("neck", (1, 1, 1)), "gums": ("mouth", (0.72, 0.33, 0.33)), "teeth": ("teeth", (0.93, 0.91, 0.86)),
    "sclera_left": ("eye", (1, 1, 1)), "sclera_right": ("eye", (1, 1, 1))
}  # fmt: skip
"""Material and color of each part of the head. The iris is painted on the outer eyeball, which has the cornea's bulge. Lashes
are the dark line of the lids: the model's strips of lashes are wider than a pixel."""
NECK_PIVOT = np.array([0, -9.0, -2.5], np.float32)  # cm, about which the head turns
NECK_TOP, NECK_BOTTOM = -8.0, -13.5  # cm; the turn fades from the head's to the shoulders' between them
BODY_TURN = 0.25  # share of the head's turn that the shoulders follow
EYES_TURN_BACK = 0.8  # share of the head's turn
EYE_LIMITS = 22.0, 10.0  # degrees aside, and up or down; lids do not follow this part of the gaze
METALS = ((0.85, 0.68, 0.28), (0.75, 0.76, 0.78))  # gold and silver
HORN = (0.75, 0.7, 0.6)
CELL, FINE_CELL = 1.35, 0.5  # cm, sides of the cells whose vertices are joined for facets; the finer one around eyes and mouth
SOCKET_DEPTH = 0.7  # cm


@dataclass(frozen=True)
class StaticMesh:
    """What does not change with the expression, ready for upload.

    Attributes:
        source: (N,) int32, vertex of the head that each vertex of the mesh's head repeats (texture seams repeat some).
        triangles: (M, 3) int32 of the whole mesh.
        rest: (N + parts, 3) float32, positions on the mean head in cm; of parts, their anchors there plus their offsets.
        texture: (N + parts, 2) float32, texture coordinates.
        tint: (N + parts, 3) float32 sRGB.
        kind: (N + parts,) float32, values of KINDS.
        head_triangles: (T, 3) int32 vertices of the head, for normals.
    """

    source: np.ndarray
    triangles: np.ndarray
    rest: np.ndarray
    texture: np.ndarray
    tint: np.ndarray
    kind: np.ndarray
    head_triangles: np.ndarray


class Figure:
    """A character's meshes on one head model."""

    def __init__(self, mean: MeanHead, character: Character) -> None:
        self.model, self.character = (model := mean.model), character
        self.identity = model.identity(character.identity)
        self.anchors = anchors_of(self.identity)
        self.neutral = character.proportions.apply(self.identity, self.anchors)
        self.parts, self.body_parts = build_parts(Fit(mean, self.neutral), character)
        self.mesh = _static_mesh(model, character, [*self.parts, *self.body_parts])

    def deform(self, expression: Expression, gaze: tuple[float, float] | None = None) -> np.ndarray:
        """The head (V, 3) float32 with an expression, not yet turned; `gaze` in degrees replaces the expression's."""
        yaw, pitch = gaze or expression.gaze
        shapes = exaggerate(expression.shapes, self.character.gain)
        vertices = self.identity + self.model.expression(shapes)
        for side, sign in (("left", 1), ("right", -1)):
            start, end = VERTICES[f"eyeball_{side}"]
            center = self.anchors.left_eye if sign > 0 else self.anchors.right_eye
            vertices[start:end] = center + (vertices[start:end] - center) @ _rotation(yaw, pitch, 0).T
        return self.character.proportions.apply(vertices, self.anchors)

    def pose(self, expression: Expression, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pose the mesh.

        Returns:
            Positions (N, 3) and unit normals (N, 3) of the whole mesh, float32, and the 68 landmarks (68, 3), in cm.
        """
        head = self.deform(expression, toward_camera(expression.gaze, view))
        if self.character.family == "lowpoly":  # or the mouth's inside would come through the coarser lips
            start, end = VERTICES["mouth_socket"]
            head[start:end, 2] -= SOCKET_DEPTH
        normals = vertex_normals(head, self.mesh.head_triangles)
        turn = _rotation(view.yaw, view.pitch, view.roll)
        body = _rotation(*(BODY_TURN * angle for angle in (view.yaw, view.pitch, view.roll)))

        def turned(points: np.ndarray, directions: np.ndarray, height: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
            """Turn points and normals with the head down to the neck, with the body below it (without heights: everywhere)."""
            moved = (points - NECK_PIVOT) @ body.T + NECK_PIVOT
            if height is None:
                return moved, directions @ body.T
            share = np.clip((height - NECK_BOTTOM) / (NECK_TOP - NECK_BOTTOM), 0, 1)[:, None].astype(np.float32)
            share = share * share * (3 - 2 * share)
            mixed = directions @ (turn - body).T * share + directions @ body.T
            return moved + share * ((points - NECK_PIVOT) @ (turn - body).T), mixed

        heights = self.neutral[:, 1]
        pieces = [turned(head[self.mesh.source], normals[self.mesh.source], heights[self.mesh.source])]
        for part in self.parts:  # hair that hangs over the shoulders turns with the head
            pieces.append(turned(part.posed(head), part.normals, heights[part.anchors]))
        pieces += [turned(part.posed(self.neutral), part.normals, None) for part in self.body_parts]
        landmarks = turned(head[LANDMARKS], normals[LANDMARKS], heights[LANDMARKS])[0]
        positions, directions = (np.concatenate([piece[index] for piece in pieces]).astype(np.float32) for index in (0, 1))
        return positions, directions, landmarks.astype(np.float32)


def toward_camera(gaze: tuple[float, float], view: View) -> tuple[float, float]:
    """Gaze in degrees relative to the head, if `gaze` is that relative to the direction of the camera: eyes turn back so far."""
    yaw, pitch = (
        float(angle - np.clip(EYES_TURN_BACK * turn, -limit, limit))
        for angle, turn, limit in zip(gaze, (view.yaw, view.pitch), EYE_LIMITS, strict=True)
    )
    return yaw, pitch


def build_parts(fit: Fit, character: Character) -> tuple[list[Part], list[Part]]:
    """Everything that is fixed to the head, and what is fixed to the shoulders."""
    outfit = character.outfit
    parts = hair(fit, outfit.hair, outfit.hair_color, character.random("hair"), rim_of(outfit.hat))
    if not character.painted_brows:
        parts += brows(fit, outfit.brows, brow_color(character), character.random("brows"), character.brow_thickness)
    parts += beard(fit, outfit.beard, outfit.hair_color, character.random("beard"))
    parts += glasses(fit, outfit.glasses, outfit.glasses_color)
    parts += hat(fit, outfit.hat, outfit.hat_color, character.random("hat"))
    parts += earrings(fit, outfit.earrings, METALS[character.number % len(METALS)])
    parts += creature(fit, outfit.creature, character.skin.tone if outfit.creature.endswith("ears") else HORN)
    body = clothes(fit, outfit.clothes, outfit.clothes_color, character.random("clothes"), outfit.hat_color)
    return parts, body


class _Corners(NamedTuple):
    """Corners (3T, ...) of the head's triangles: vertex, texture coordinate and number of their part; its material and tint."""

    vertex: np.ndarray
    texel: np.ndarray
    part: np.ndarray
    kind: np.ndarray
    tint: np.ndarray


def _head_corners(model: HeadModel, skin: Color) -> _Corners:
    rows = []
    for number, (name, (material, tint)) in enumerate(HEAD_PARTS.items()):
        triangles, count = model.triangles[name], model.triangles[name].size
        color = np.array(skin if material == "neck" else tint, np.float32)
        rows.append(_Corners(
            triangles.ravel(), model.uv_triangles[name].ravel(), np.full(count, number),
            np.full(count, KINDS[material], np.float32), np.tile(color, (count, 1)),
        ))  # fmt: skip
    return _Corners(*(np.concatenate(values) for values in zip(*rows, strict=True)))


def _static_mesh(model: HeadModel, character: Character, parts: list[Part]) -> StaticMesh:
    corners = _head_corners(model, character.skin.tone)
    facets = character.family == "lowpoly"
    vertex = cluster(model)[corners.vertex] if facets else corners.vertex
    keys = np.stack([vertex, corners.texel, corners.part], axis=1)  # vertices at a texture's seam occur twice
    unique, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    source, faces = unique[:, 0].astype(np.int32), inverse.reshape(-1, 3).astype(np.int32)
    if facets:  # without those whose corners fell together
        at = source[faces]
        faces = faces[(at[:, 0] != at[:, 1]) & (at[:, 1] != at[:, 2]) & (at[:, 2] != at[:, 0])]
    starts = len(source) + np.cumsum([0, *(len(part.anchors) for part in parts)])
    shifted = [part.triangles + start for part, start in zip(parts, starts, strict=False)]
    kinds = [np.full(len(part.anchors), KINDS["neck" if part.material == "skin" else part.material]) for part in parts]
    return StaticMesh(
        source=source,
        triangles=np.concatenate([faces, *shifted]).astype(np.int32),
        rest=_joined(model.vertices[source], [model.vertices[part.anchors] + part.offsets for part in parts]),
        texture=_joined(model.uv[unique[:, 1]] % 1.000001, [np.zeros((len(part.anchors), 2)) for part in parts]),
        tint=_joined(corners.tint[first], [part.colors for part in parts]),
        kind=_joined(corners.kind[first], kinds),
        head_triangles=corners.vertex.reshape(-1, 3),
    )


def _joined(head: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([head, *parts]).astype(np.float32)


def cluster(model: HeadModel) -> np.ndarray:
    """Map (V,) of each vertex to the representative of its cell: few large facets, finer around eyes, brows and mouth.

    The parts of the mouth and the eyeballs are never joined with the skin.
    """
    points = model.vertices
    fine = np.zeros(len(points), bool)
    for group in (LANDMARKS[17:27], LANDMARKS[36:48], LANDMARKS[48:68]):
        for landmark in points[group]:
            fine |= np.linalg.norm(points - landmark, axis=1) < 1.1
    out = np.arange(len(points))
    start, end = VERTICES["face"][0], VERTICES["neck"][1]
    cells = np.floor(points[start:end] / np.where(fine[start:end], FINE_CELL, CELL)[:, None] + 0.5).astype(int)
    # Upper and lower lips and lids, which move differently, stay apart.
    moves = [model.shapes[name][start:end, 1] < -0.5 for name in ("jawOpen", "eyeBlink_L", "eyeBlink_R")]
    keys = np.column_stack([cells, fine[start:end], *moves])
    _, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    sums = np.stack([np.bincount(inverse, points[start:end, axis]) for axis in range(3)], axis=1)
    centers = sums / np.bincount(inverse)[:, None]
    distance = np.linalg.norm(points[start:end] - centers[inverse], axis=1)
    order = np.lexsort((distance, inverse))
    firsts = order[np.unique(inverse[order], return_index=True)[1]]
    out[start:end] = start + firsts[inverse]
    return out


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation (3, 3) float32 of angles in degrees: to the person's left, up, and tilted to the person's left."""
    turn, nod, tilt = np.radians([yaw, -pitch, -roll])
    around_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    around_z = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    return (around_z @ around_y @ around_x).astype(np.float32)
