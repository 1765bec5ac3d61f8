"""Exaggerated proportions: smooth deformations of a posed head, with which stylised characters differ from scanned people."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .model import LANDMARKS, VERTICES

EYE_CORE, EYE_EDGE = 1.9, 4.4  # radii in cm around the eye's centre: scaled fully within the first, not at all beyond the second
MOUTH_LEVEL, CHIN_LEVEL = -4.3, -7.5  # heights in cm of the mean head
CROWN_LEVEL = 6.5


@dataclass(frozen=True)
class Anchors:
    """Points of a neutral head in cm that deformations refer to: centres of the eyeballs, of the nose's tip and of the mouth."""

    left_eye: np.ndarray
    right_eye: np.ndarray
    nose: np.ndarray
    mouth: np.ndarray


def anchors_of(neutral: np.ndarray) -> Anchors:
    """Anchors of a neutral head (V, 3)."""

    def middle(part: str) -> np.ndarray:
        start, end = VERTICES[part]
        return (neutral[start:end].max(axis=0) + neutral[start:end].min(axis=0)) / 2

    return Anchors(
        middle("eyeball_left"), middle("eyeball_right"), neutral[LANDMARKS[30]], neutral[LANDMARKS[[51, 57]]].mean(axis=0)
    )


@dataclass(frozen=True)
class Proportions:
    """Factors of size, 1 as scanned; the same deformation moves a head's skin, eyes, teeth and everything fixed to them.

    Attributes:
        eyes: size of the eyes with their lids.
        crown: height of the head above the brows.
        jaw: width of the jaw.
        chin: length of the face below the mouth.
        nose: size of the nose.
        mouth: width of the mouth.
        ears: size of the ears.
        neck: width of the neck.
        width: width of the whole head.
    """

    eyes: float = 1.0
    crown: float = 1.0
    jaw: float = 1.0
    chin: float = 1.0
    nose: float = 1.0
    mouth: float = 1.0
    ears: float = 1.0
    neck: float = 1.0
    width: float = 1.0

    def scaled(self, **factors: float) -> Proportions:
        """A copy with some factors multiplied."""
        return replace(self, **{name: getattr(self, name) * factor for name, factor in factors.items()})

    def apply(self, vertices: np.ndarray, anchors: Anchors) -> np.ndarray:
        """Deform a posed head (V, 3) float32 whose neutral head has these anchors."""
        points = vertices.astype(np.float32, copy=True)
        if self.eyes != 1:
            scaled = [_scale_around(points, eye, self.eyes, EYE_CORE, EYE_EDGE) for eye in (anchors.left_eye, anchors.right_eye)]
            points = scaled[0] + scaled[1] - points
        if self.nose != 1:
            points = _scale_around(points, anchors.nose - [0, -0.6, 1.2], self.nose, 1.6, 3.6)
        if self.mouth != 1:
            points = _widen(points, anchors.mouth, self.mouth)
        if self.ears != 1:
            side = _smooth(np.abs(points[:, 0]), 7.2, 9.0) * _smooth(4 - points[:, 2], 0, 3)
            side *= 1 - _smooth(np.abs(points[:, 1] - 1.5), 4, 6)  # not the temples
            for sign in (-1, 1):
                center = np.array([sign * 7.6, 1.5, -1.0], np.float32)
                mask = side * (sign * points[:, 0] > 0)
                points += mask[:, None] * (self.ears - 1) * (points - center)
        height = points[:, 1].copy()
        if self.jaw != 1:
            points[:, 0] *= 1 + (self.jaw - 1) * _smooth(-height, 0.5, 7) * (1 - _smooth(-height, 10, 13))
        if self.neck != 1:
            below = _smooth(-height, 9.5, 13.5)
            points[:, 0] *= 1 + (self.neck - 1) * below
            points[:, 2] = -1 + (points[:, 2] + 1) * (1 + (self.neck - 1) * below)
        if self.chin != 1:  # what is below moves down as a whole
            points[:, 1] += (self.chin - 1) * np.clip(height - MOUTH_LEVEL, CHIN_LEVEL - MOUTH_LEVEL, 0)
        if self.crown != 1:
            points[:, 1] += (self.crown - 1) * np.maximum(height - CROWN_LEVEL, 0)
            bulge = 1 + 0.45 * (self.crown - 1) * _smooth(height, CROWN_LEVEL - 4, CROWN_LEVEL + 4)
            points[:, 0] *= bulge
            points[:, 2] *= bulge
        if self.width != 1:
            points[:, 0] *= self.width
        return points


def _smooth(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothstep: 0 below `low`, 1 above `high`."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _scale_around(points: np.ndarray, center: np.ndarray, factor: float, core: float, edge: float) -> np.ndarray:
    offsets = points - center.astype(np.float32)
    weight = 1 - _smooth(np.linalg.norm(offsets, axis=1), core, edge)
    return points + (weight * (factor - 1))[:, None] * offsets


def _widen(points: np.ndarray, center: np.ndarray, factor: float) -> np.ndarray:
    """Scale across, around the mouth, with less of it in height; teeth and tongue move too."""
    offsets = points - center.astype(np.float32)
    distance = np.linalg.norm(offsets * [0.8, 1, 0.45], axis=1)
    weight = ((1 - _smooth(distance, 2.2, 5.0)) * (factor - 1))[:, None]
    return points + weight * offsets * np.array([1, 0.35, 0.15], np.float32)
