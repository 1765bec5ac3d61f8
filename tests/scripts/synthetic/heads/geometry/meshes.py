"""Checks of meshes and of what they hide, for tests of everything that is fixed to a head."""

import numpy as np

from scripts.synthetic.heads.geometry.fitting import Fit
from scripts.synthetic.heads.geometry.model import LANDMARKS
from scripts.synthetic.heads.geometry.parts import Part
from scripts.synthetic.heads.geometry.proportions import Proportions, anchors_of

BROWS, EYES, LIPS = range(17, 27), range(36, 48), range(48, 68)
PROPORTIONS = (
    Proportions(),
    Proportions(eyes=1.35, crown=1.3, jaw=0.8, chin=0.8, nose=0.8, ears=1.5, neck=0.65),
    Proportions(crown=0.88, jaw=1.25, chin=1.4, nose=1.5, mouth=1.2, ears=0.7, neck=1.15, width=0.9),
)


def sample_fits(mean) -> list[Fit]:
    """Heads of three identities: one as scanned, two exaggerated in opposite directions."""
    random, fits = np.random.default_rng(8), []
    for proportions in PROPORTIONS:
        neutral = mean.model.identity(random.normal(0, 0.9, 40))
        fits.append(Fit(mean, proportions.apply(neutral, anchors_of(neutral))))
    return fits


def components(part: Part) -> np.ndarray:
    """Number (N,) of the connected piece that each vertex belongs to."""
    labels = np.arange(len(part.anchors))
    while True:
        before = labels.copy()
        lowest = labels[part.triangles].min(axis=1)
        for corner in range(3):
            np.minimum.at(labels, part.triangles[:, corner], lowest)
        labels = labels[labels]
        if (labels == before).all():
            return np.unique(labels, return_inverse=True)[1]


def outward_share(part: Part, head: np.ndarray) -> float:
    """Share of the enclosed volume whose surface is counter-clockwise as seen from outside."""
    points, pieces = part.posed(head).astype(np.float64), components(part)
    counts = np.bincount(pieces)
    middles = np.stack([np.bincount(pieces, points[:, axis]) / counts for axis in range(3)], axis=-1)
    corners = (points - middles[pieces])[part.triangles]
    volumes = (corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum(axis=-1) / 6
    signed = np.bincount(pieces[part.triangles[:, 0]], volumes)
    return float(np.clip(signed, 0, None).sum() / np.abs(signed).sum())


def check_mesh(part: Part, head: np.ndarray) -> None:
    """Indices, types, finite values, unit normals and orientation."""
    count = len(part.anchors)
    assert count > 0 and part.offsets.shape == part.normals.shape == part.colors.shape == (count, 3)
    assert part.anchors.dtype == part.triangles.dtype == np.int32 and part.offsets.dtype == np.float32
    assert part.triangles.min() == 0 and part.triangles.max() == count - 1
    assert part.anchors.min() >= 0 and part.anchors.max() < len(head)
    assert np.isfinite(part.offsets).all() and np.abs(part.posed(head)).max() < 60
    assert part.colors.min() >= 0 and part.colors.max() <= 1
    lengths = np.linalg.norm(part.normals, axis=1)
    assert (np.abs(lengths - 1) < 1e-3).mean() > 0.98  # only collapsed tips have none
    assert outward_share(part, head) > 0.9


def covered(parts: list[Part], head: np.ndarray, landmarks, pitch: float = 0.0, yaw: float = 0.0) -> list[int]:
    """Landmarks that the parts hide from a far camera in front, `pitch` degrees above and `yaw` degrees to the person's left."""
    up, aside = np.radians([pitch, yaw])
    turn = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
    turn = turn @ np.array([[np.cos(aside), 0, -np.sin(aside)], [0, 1, 0], [np.sin(aside), 0, np.cos(aside)]])
    hidden = []
    places = head[LANDMARKS] @ turn.T
    for part in parts:
        corners = (part.posed(head) @ turn.T)[part.triangles]
        asked = places[list(landmarks)]
        low, high = corners.min(axis=1) <= asked.max(axis=0), corners.max(axis=1) >= asked.min(axis=0)
        corners = corners[low[:, :2].all(axis=1) & high.all(axis=1)]
        first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        usable = np.abs(area) > 1e-9
        corners, first, second, area = corners[usable], first[usable], second[usable], area[usable]
        for number in landmarks:
            x, y = (places[number, :2] - corners[:, 0, :2]).T
            a = (x * second[:, 1] - y * second[:, 0]) / area
            b = (first[:, 0] * y - first[:, 1] * x) / area
            inside = (a >= 0) & (b >= 0) & (a + b <= 1)
            depth = corners[inside, 0, 2] + a[inside] * first[inside, 2] + b[inside] * second[inside, 2]
            if (depth > places[number, 2] + 0.05).any():
                hidden.append(number)
    return sorted(set(hidden))
