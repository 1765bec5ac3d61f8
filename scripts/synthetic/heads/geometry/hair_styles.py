"""Styles of hair: lengths, heights and directions of growth on the mean head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .regions import HAIRLINE, RECEDING
from .shapes3d import smoothstep, unit

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Direction (L, 3) of growth at points (L, 3) of locks with roots (L, 3)."""
WHORL = np.array([0.8, 13.2, -5.0], np.float32)
PARTING, SIDE_PARTING = 0.4, 3.0  # x in cm


@dataclass(frozen=True)
class Style:
    """How hair is made; lengths in cm on the mean head.

    Attributes:
        flow: name of the direction of growth, one of FLOWS, "gather", "gather_sides", STRAIGHT or "balls"; empty for no locks.
        count: locks on the whole sphere about the head, of which the scalp keeps about half.
        length: length of the locks at the top and at the sides; radius of balls.
        width: half width of a lock.
        cap: height of the cap under the locks.
        lift: height of the locks' middle over the skin at the top and at the sides.
        hang: height at which hanging locks end; None for locks that stay on the head.
        curl: amplitude of waves across the lock.
        fringe: whether locks fall over the forehead.
        line: the hairline, as regions.HAIRLINE.
        roundness: half height of a lock by its half width.
        bumps: height of bumps of a cap without locks.
    """

    flow: str = ""
    count: int = 420
    length: tuple[float, float] = (4.0, 3.0)
    width: float = 0.85
    cap: float = 0.25
    lift: tuple[float, float] = (0.6, 0.4)
    hang: float | None = None
    curl: float = 0.0
    fringe: bool = False
    line: np.ndarray = field(default_factory=lambda: HAIRLINE)
    roundness: float = 0.45
    bumps: float = 0.0


STYLES = {
    "bald": Style(cap=0.0),
    "buzz": Style(cap=0.22),
    "receding": Style("away", 420, (2.5, 2.5), 0.7, 0.2, (0.35, 0.35), line=RECEDING),
    "short": Style("away", 440, (4.0, 3.0), 0.85, 0.4, (0.8, 0.5)),
    "crop": Style("forward", 440, (4.5, 3.0), 0.85, 0.4, (0.8, 0.5), fringe=True),
    "side_part": Style("side_part", 440, (7.5, 4.0), 0.9, 0.4, (1.2, 0.5)),
    "quiff": Style("back", 440, (6.0, 2.6), 0.95, 0.4, (2.6, 0.4)),
    "slicked": Style("back", 420, (7.5, 6.0), 0.8, 0.35, (0.7, 0.45)),
    "curly": Style("balls", 520, (0.95, 0.85), 0.9, 0.6, (1.2, 0.7)),
    "afro": Style(cap=3.2, bumps=0.42),
    "bob": Style("part", 420, (14, 10), 0.95, 0.5, (0.9, 0.9), hang=-6.0),
    "bob_fringe": Style("part", 420, (14, 10), 0.95, 0.5, (0.9, 0.9), hang=-5.0, fringe=True),
    "long": Style("part", 420, (24, 20), 1.0, 0.5, (0.9, 0.8), hang=-14.0),
    "long_fringe": Style("part", 420, (24, 20), 1.0, 0.5, (0.9, 0.8), hang=-13.0, fringe=True),
    "wavy": Style("part", 380, (22, 18), 1.2, 0.6, (1.2, 1.3), hang=-11.5, curl=0.55),
    "dreads": Style("part", 300, (20, 16), 0.6, 0.45, (0.9, 0.9), hang=-10.0, curl=0.2, roundness=1.0),
    "bun": Style("gather", 420, (9, 9), 0.8, 0.35, (0.6, 0.5)),
    "topknot": Style("gather", 420, (9, 9), 0.8, 0.35, (0.6, 0.5)),
    "ponytail": Style("gather", 420, (9, 9), 0.8, 0.35, (0.6, 0.5)),
    "pigtails": Style("gather_sides", 420, (9, 9), 0.8, 0.35, (0.6, 0.5)),
    "mohawk": Style("crest", 1100, (5.0, 4.0), 1.15, 0.16, (0.3, 0.3), roundness=0.55),
    "spiky": Style("spikes", 330, (4.2, 2.2), 1.2, 0.5, (0.5, 0.4), roundness=0.8),
    "tufts": Style("tufts", 700, (4.0, 4.0), 0.5, 0.0, (0.3, 0.3), roundness=0.8),
}  # fmt: skip
GATHERS = {"bun": (0, 11.5, -10.2), "topknot": (0, 16.4, -2.5), "ponytail": (0, 11.0, -9.8), "pigtails": (7.8, 5.0, -5.2)}
"""Where gathered hair meets: on the person's left for pigtails."""
STRAIGHT = ("crest", "spikes", "tufts")
"""Directions of growth away from the head."""


def top_share(points: np.ndarray) -> np.ndarray:
    """Share (...) by which points belong to the top of the head and not to its sides."""
    return smoothstep(points[..., 1], 7.0, 11.5)


def _away(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    return points - WHORL + np.array([0, -1.5, 0], np.float32)


def _forward(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    ahead = np.array([0, -0.3, 1], np.float32)
    behind = unit(points - WHORL) + np.array([0, -0.4, 0], np.float32)
    return ahead + smoothstep(points[:, 2], 1, -4)[:, None] * (behind - ahead)


def _back(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    return np.array([0, -0.35, -1], np.float32) + np.zeros_like(points)


def _side_part(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    side = np.where(roots[:, 0] > SIDE_PARTING, 1.0, -1.0)
    return np.stack([side, -0.5 - 0.8 * (1 - top_share(points)), np.where(roots[:, 2] > 2, 0.15, -0.4)], -1)


def _part(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    side = np.where(roots[:, 0] > PARTING, 1.0, -1.0)
    over = top_share(points) * smoothstep(points[:, 2], -9, -3)
    back = -0.35 * over * smoothstep(roots[:, 2], 0, 6)
    return np.stack([side * over, -1.15 + 0.9 * over, back], -1)


FLOWS: dict[str, Flow] = {"away": _away, "forward": _forward, "back": _back, "side_part": _side_part, "part": _part}


def flow_of(style: str) -> Flow:
    """Direction of growth of a style whose locks lie on the head."""
    name = STYLES[style].flow
    if name in FLOWS:
        return FLOWS[name]
    target = np.array(GATHERS[style], np.float32)
    if name == "gather":
        return lambda points, roots: target - points
    aside = np.array([-1, 1, 1], np.float32)
    return lambda points, roots: np.where(roots[:, :1] > 0, target, target * aside) - points
