"""Skin textures, painted in the coordinates of the mean head and stored in the face's texture coordinates.

Every texel knows its position on the mean head in cm, so that a brow or a fold is drawn where anatomy has it; since all heads
share the topology, it then lies right on every one of them. Folds that appear with an expression are separate layers, which the
renderer adds with the strength of the action units that cause them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from .characters import Character, brow_color
from .geometry.model import LANDMARKS, HeadModel

SIDE = 640
"""Side of the textures in pixels: about 2 pixels a millimetre at the eyes."""
FOLDS = ("forehead_center", "forehead_side", "glabella", "nose_root", "nasolabial", "crow_feet", "under_eye", "marionette")
"""Layers of folds in the order of the renderer's weights."""
FOLD_CAUSES: Mapping[str, Mapping[str, float]] = {
    "forehead_center": {"browInnerUp": 1.0},
    "forehead_side": {"browOuterUp": 1.0},
    "glabella": {"browDown": 1.0},
    "nose_root": {"noseSneer": 1.0, "browDown": 0.25},
    "nasolabial": {"mouthSmile": 0.9, "noseSneer": 0.7, "mouthUpperUp": 0.5, "mouthDimple": 0.4},
    "crow_feet": {"cheekSquint": 0.7, "cheekRaiser": 0.4, "mouthSmile": 0.3, "eyeSquint": 0.2},
    "under_eye": {"cheekSquint": 0.6, "eyeSquint": 0.5, "cheekRaiser": 0.3},
    "marionette": {"mouthFrown": 1.0, "mouthStretch": 0.4},
}
"""Strength of a layer for each expression shape, both sides together (Hjortsjo 1969; Ekman, Friesen and Hager 2002)."""
FOLDS_AT_REST = {"nasolabial": 0.6, "forehead_center": 0.35, "forehead_side": 0.3, "under_eye": 0.5, "crow_feet": 0.3}
"""Strength of a layer that an old face shows at rest."""
FOLD_LINES: Mapping[str, Sequence[Sequence[tuple[float, float]]]] = {
    "forehead_center": [[(0, 7.6), (2.6, 7.9)], [(0, 8.6), (2.8, 8.9)], [(0, 9.7), (2.6, 9.9)]],
    "forehead_side": [[(2.2, 7.7), (4.0, 7.9), (5.2, 7.2)], [(2.4, 8.8), (4.0, 8.9), (5.2, 8.2)]],
    "glabella": [[(0.62, 4.7), (0.55, 5.6), (0.8, 6.7)], [(0.15, 5.2), (0.12, 6.2)]],
    "nose_root": [[(0.0, 4.0), (0.7, 3.9)], [(0.5, 3.3), (1.4, 2.5)], [(0.5, 2.8), (1.3, 1.8)], [(0.0, 3.5), (0.6, 3.4)]],
    "nasolabial": [[(1.55, -0.1), (2.2, -1.0), (2.9, -2.3), (3.25, -3.6), (3.2, -4.6)]],
    "crow_feet": [[(4.9, 3.5), (5.8, 4.2)], [(4.95, 3.2), (6.1, 3.2)], [(4.8, 2.9), (5.9, 2.1)]],
    "under_eye": [[(1.7, 2.7), (2.6, 2.2), (3.6, 2.2), (4.5, 2.6)], [(2.0, 2.0), (3.2, 1.5), (4.6, 1.9)]],
    "marionette": [[(2.75, -3.9), (3.1, -4.8), (3.2, -5.8)]],
}
"""Lines of the folds on the person's left half of the mean head: (x, y) in cm; the right half mirrors them."""
FOLD_WIDTH = 0.085  # cm from a fold's deepest line to where its depth has fallen to a third


class SkinPainter:
    """Paints textures of the face part for characters on one head model."""

    def __init__(self, model: HeadModel) -> None:
        self.position = _position_map(model)
        x, y, z = self.position[..., 0], self.position[..., 1], self.position[..., 2]
        self.across, self.height, self.depth = np.abs(x), y, z
        points = model.vertices[LANDMARKS]
        self.brow_along, self.brow_off = _curve_coordinates(self.across, y, points[22:27, :2] - [0, 0.3])
        self.lips = _polygon_mask(x, y, points[48:60, :2]) * (z > 8.5)
        upper, lower = points[[42, 43, 44, 45], :2], points[[45, 46, 47, 42], :2]
        self.upper_lid, self.lower_lid = (_distance(self.across, y, line) for line in (upper, lower))
        self.front = np.clip((z - 4) / 3, 0, 1)
        self.noise = [_noise(SIDE, cells, 7 + cells) for cells in (6, 24, 96, 320)]
        # Relief of all folds, (SIDE, SIDE, 8) float32, -1 at the deepest line.
        self.folds = np.stack([self._fold(FOLD_LINES[name]) for name in FOLDS], axis=-1)

    def paint(self, character: Character) -> tuple[np.ndarray, np.ndarray]:
        """Paint a character's face.

        Returns:
            Color (SIDE, SIDE, 3) uint8 sRGB and relief (SIDE, SIDE) float32 in cm.
        """
        skin, random = character.skin, character.random("skin")
        color = np.broadcast_to(np.array(skin.tone, np.float32), (SIDE, SIDE, 3)).copy()
        relief = np.zeros((SIDE, SIDE), np.float32)
        mottle = 0.035 * self.noise[0] + 0.02 * self.noise[1]
        color *= (1 + (0.4 if skin.pores == 0 else 1) * mottle)[..., None]
        self._redden(color, skin.blush)
        if skin.freckles:
            spots = _blobs(random, int(400 * skin.freckles), self.position, 0.06)
            area = np.exp(-(((self.height - 1.5) / 3) ** 2)) * self.front
            color *= 1 - 0.35 * (spots * area)[..., None] * np.array([0.6, 0.9, 1.0], np.float32)
        if skin.markings:
            self._mark(color, skin.markings, random)
        if skin.stubble:
            self._shade_beard(color, skin.stubble, np.array(character.outfit.hair_color, np.float32))
        self._paint_lids(color, character)
        self._paint_lips(color, relief, character)
        if character.painted_brows:
            self._paint_brows(color, relief, character, random)
        relief += skin.pores * (0.0035 * self.noise[3] + 0.006 * self.noise[2])
        if character.family == "clay":  # finger marks
            relief += 0.025 * self.noise[1] + 0.004 * np.sin(14 * self.height + 4 * self.noise[0])
        return np.round(np.clip(color, 0, 1) * 255).astype(np.uint8), relief

    def _fold(self, lines: Sequence[Sequence[tuple[float, float]]]) -> np.ndarray:
        relief = np.zeros((SIDE, SIDE), np.float32)
        for line in lines:
            points = np.array(line, np.float32)
            along, off = _curve_coordinates(self.across, self.height, points)
            fade = np.clip(np.minimum(along, 1 - along) * 5 + 0.15, 0, 1) if line[0][0] > 0 else np.clip((1 - along) * 4, 0, 1)
            valley = -np.exp(-((off / FOLD_WIDTH) ** 2)) + 0.45 * np.exp(-((off / (3 * FOLD_WIDTH)) ** 2))
            relief += fade * valley
        return relief * (self.depth > 2)

    def _redden(self, color: np.ndarray, strength: float) -> None:
        cheeks = np.exp(-(((self.across - 4.2) / 1.6) ** 2 + ((self.height + 0.2) / 1.5) ** 2))
        nose = np.exp(-((self.across / 0.9) ** 2 + ((self.height - 0.4) / 1.2) ** 2))
        ears = np.clip((self.across - 7.6) / 1.0, 0, 1)
        red = strength * np.maximum(np.maximum(0.9 * cheeks, 0.6 * nose), 0.5 * ears) * np.clip(self.front + ears, 0, 1)
        color *= 1 - red[..., None] * np.array([0.02, 0.22, 0.2], np.float32)
        sockets = np.exp(-(((self.across - 3.1) / 1.6) ** 2 + ((self.height - 3.4) / 1.2) ** 2)) * self.front
        color *= 1 - 0.12 * sockets[..., None] * np.array([0.6, 0.9, 0.8], np.float32)

    def _mark(self, color: np.ndarray, tint: tuple[float, float, float], random: np.random.Generator) -> None:
        """Stripes or spots at the sides of the face; eyes, brows and mouth stay plain."""
        kind = random.integers(3)
        side = np.clip((self.across - 4.2) / 0.8, 0, 1) + np.clip((self.height - 7.6) / 0.6, 0, 1)
        if kind == 0:
            pattern = np.clip(4 * np.sin(2.6 * self.height + 1.3 * self.across + 1.5 * self.noise[0]) - 2, 0, 1)
        elif kind == 1:
            pattern = _blobs(random, 150, self.position, 0.28)
        else:
            pattern = np.clip((np.abs(self.noise[1]) - 0.7) * 4, 0, 1)
        amount = (np.clip(side, 0, 1) * pattern * 0.8)[..., None]
        color += amount * (np.array(tint, np.float32) - color)

    def _shade_beard(self, color: np.ndarray, strength: float, hair: np.ndarray) -> None:
        jaw = np.clip((-self.height - 2.6 + 0.35 * np.maximum(self.across - 3.5, 0)) / 0.8, 0, 1)
        lip = np.exp(-((self.across / 2.4) ** 4 + ((self.height + 1.75) / 0.5) ** 4))
        area = np.maximum(jaw * np.clip((8.6 + self.height) / 1.5, 0, 1), lip) * np.clip((self.depth - 1) / 2, 0, 1)
        grain = np.clip(0.55 + 0.45 * self.noise[3], 0, 1)
        amount = (0.55 * strength * area * grain * (1 - self.lips))[..., None]
        color += amount * (0.6 * hair + 0.4 * np.array([0.25, 0.27, 0.3], np.float32) - color)

    def _paint_lids(self, color: np.ndarray, character: Character) -> None:
        skin = character.skin
        dark = np.array([0.10, 0.07, 0.06], np.float32)
        if skin.shadow:
            above = (self.height > 3.3) * np.exp(-((self.upper_lid / 0.5) ** 2)) * self.front
            color += (0.6 * above)[..., None] * (np.array(skin.shadow, np.float32) - color)
        line = skin.liner * np.maximum(np.exp(-((self.upper_lid / 0.09) ** 2)), 0.5 * np.exp(-((self.lower_lid / 0.06) ** 2)))
        color += (0.9 * line * self.front)[..., None] * (dark - color)

    def _paint_lips(self, color: np.ndarray, relief: np.ndarray, character: Character) -> None:
        soft = cv2.GaussianBlur(self.lips, (0, 0), 1.6)
        color += (0.85 * soft)[..., None] * (np.array(character.skin.lips, np.float32) - color)
        if character.skin.pores:
            relief -= 0.012 * soft * np.maximum(np.sin(22 * self.position[..., 0] + 3 * self.noise[2]), 0)

    def _paint_brows(self, color: np.ndarray, relief: np.ndarray, character: Character, random: np.random.Generator) -> None:
        """Brows of short hairs for people, one shape with a clean edge for stylised characters."""
        along, off, thickness = self.brow_along, self.brow_off, character.brow_thickness
        half = 0.34 * thickness * np.interp(along, [0, 0.12, 0.35, 0.7, 1], [0.55, 1.0, 1.0, 0.75, 0.12]).astype(np.float32)
        inside = np.clip((half - np.abs(off)) / 0.12 + 0.5, 0, 1) * (along > 0.001) * (along < 0.999) * self.front
        hair = np.array(brow_color(character), np.float32)
        if character.family in ("doll", "flat"):
            amount = np.clip(inside * 1.6, 0, 1)
        else:
            lean = 9 * along - 3.2 * off  # hairs lean outwards
            strands = 0.55 + 0.45 * np.sin(11 * lean + 5 * self.noise[2] + random.uniform(0, 6))
            amount = inside * np.clip(0.45 + 0.55 * strands, 0, 1) * (0.95 if character.family != "scan" else 0.85)
            relief += 0.03 * inside * strands
        color += amount[..., None] * (hair - color)


def fold_weights(shapes: Mapping[str, float], age: float) -> np.ndarray:
    """Weights (8,) float32 of FOLDS for weighted expression shapes; age deepens them, and shows some at rest."""
    weights = []
    for name in FOLDS:
        total = 0.0
        for shape, factor in FOLD_CAUSES[name].items():
            sides = [shapes.get(f"{shape}_{side}", 0.0) for side in "LR"]
            total += factor * (sum(sides) / 2 + shapes.get(shape, 0.0))
        rest = FOLDS_AT_REST.get(name, 0.15)
        weights.append(min(max(total, 0.0), 1.3) * (0.55 + 0.6 * age) + rest * max(age - 0.25, 0))
    return np.array(weights, np.float32)


def _position_map(model: HeadModel) -> np.ndarray:
    """Position on the mean head of every texel of the face part: (SIDE, SIDE, 3) float32 cm, extended beyond the seams."""
    out = np.zeros((SIDE, SIDE, 3), np.float32)
    known = np.zeros((SIDE, SIDE), bool)
    places = model.uv * [SIDE, -SIDE] + [0, SIDE] - 0.5
    for corners, texels in zip(model.triangles["face"], places[model.uv_triangles["face"]], strict=True):
        low = np.maximum(np.floor(texels.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(texels.max(axis=0)).astype(int), SIDE - 1)
        columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        edges = np.array([texels[1] - texels[0], texels[2] - texels[0]]).T
        determinant = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
        if abs(determinant) < 1e-9:
            continue
        dx, dy = columns - texels[0, 0], rows - texels[0, 1]
        second = (dx * edges[1, 1] - dy * edges[0, 1]) / determinant
        third = (dy * edges[0, 0] - dx * edges[1, 0]) / determinant
        inside = (second >= -0.02) & (third >= -0.02) & (second + third <= 1.02)
        weights = np.stack([1 - second - third, second, third], axis=-1)[inside].astype(np.float32)
        out[rows[inside], columns[inside]] = weights @ model.vertices[corners]
        known[rows[inside], columns[inside]] = True
    _, nearest = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    order = np.zeros((nearest.max() + 1, 2), int)
    order[nearest[known]] = np.argwhere(known)
    return out[order[nearest][..., 0], order[nearest][..., 1]]


def _curve_coordinates(x: np.ndarray, y: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place along a polyline (0..1) and signed distance from it in cm, positive above it, for every texel."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    best = np.full(x.shape, np.inf, np.float32)
    along = np.zeros(x.shape, np.float32)
    sign = np.ones(x.shape, np.float32)
    for start, end, before, length in zip(line[:-1], line[1:], starts, lengths, strict=False):
        direction = ((end - start) / length).astype(np.float32)
        dx, dy = x - start[0], y - start[1]
        place = np.clip(dx * direction[0] + dy * direction[1], 0, length)
        distance = np.hypot(dx - place * direction[0], dy - place * direction[1])
        nearer = distance < best
        best = np.where(nearer, distance, best)
        along = np.where(nearer, (before + place) / starts[-1], along)
        sign = np.where(nearer, np.sign(dy * direction[0] - dx * direction[1] + 1e-9), sign)
    return along.astype(np.float32), (best * sign).astype(np.float32)


def _distance(x: np.ndarray, y: np.ndarray, line: np.ndarray) -> np.ndarray:
    return np.abs(_curve_coordinates(x, y, line)[1])


def _polygon_mask(x: np.ndarray, y: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """1 inside of a polygon, by the crossing number; (SIDE, SIDE) float32."""
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside.astype(np.float32)


def _noise(side: int, cells: int, seed: int) -> np.ndarray:
    """Smooth value noise (side, side) float32 with mean 0 and deviation 1 of about `cells` bumps across."""
    grid = np.random.default_rng(seed).normal(0, 1, (cells, cells)).astype(np.float32)
    noise = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / noise.std()


def _blobs(random: np.random.Generator, count: int, position: np.ndarray, radius: float) -> np.ndarray:
    """Round spots (SIDE, SIDE) float32 0..1 at random texels; `radius` in cm as measured at the cheek."""
    out = np.zeros((SIDE, SIDE), np.float32)
    pixels = radius * 0.055 * SIDE
    for x, y, size in zip(*random.uniform(0, SIDE, (2, count)), random.uniform(0.6, 1.5, count), strict=True):
        cv2.circle(out, (int(x * 16), int(y * 16)), int(max(pixels * size, 0.7) * 16), 1.0, -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(out, (0, 0), 0.8)
