"""Views: head pose, camera, light and background of one picture, sampled for every picture of a character."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .characters import Character

MAX_YAW, MAX_PITCH, MAX_ROLL = 40.0, 25.0, 20.0  # degrees
PALE = ("toon", "flat", "sketch")
"""Families that are lit evenly, since their styles carry their own light."""

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Light from directions (x left, y up, z to the camera; unit length) in linear colors."""

    key_direction: Color
    key: Color
    fill_direction: Color
    fill: Color
    rim_direction: Color
    rim: Color
    sky: Color
    ground: Color


@dataclass(frozen=True)
class View:
    """A view.

    Attributes:
        yaw, pitch, roll: head pose in degrees: turned to the person's left, up, and tilted to the person's left.
        field: vertical field of view in degrees.
        face_share: height of the face, from brows to chin, as a share of the picture's height.
        shift: place of the face's centre relative to the picture's centre, as shares of its side, (right, down).
        light: see Light.
        exposure: factor of brightness.
        background_seed: seed of the background.
    """

    yaw: float
    pitch: float
    roll: float
    field: float
    face_share: float
    shift: tuple[float, float]
    light: Light
    exposure: float
    background_seed: int


def sample_view(character: Character, random: np.random.Generator, pose_spread: float = 1.0) -> View:
    """Sample a view. Half of all heads are turned by less than 12 degrees; none by more than MAX_YAW, MAX_PITCH, MAX_ROLL."""

    def angle(spread: float, limit: float) -> float:
        return float(np.clip(random.standard_t(5) * spread * pose_spread, -limit, limit))

    return View(
        yaw=angle(15, MAX_YAW), pitch=angle(7, MAX_PITCH), roll=angle(5, MAX_ROLL),
        field=float(random.uniform(14, 38)), face_share=float(random.uniform(0.3, 0.56)),
        shift=(float(random.normal(0, 0.035)), float(random.normal(0.03, 0.03))),
        light=sample_light(character.family in PALE, random), exposure=float(np.exp(random.normal(0.05, 0.14))),
        background_seed=int(random.integers(2**31)),
    )  # fmt: skip


def front_view(character: Character, seed: int = 0) -> View:
    """A view from the front in even light, for contact sheets."""
    light = Light(
        _unit(-0.45, 0.55, 0.8), (1.0, 0.97, 0.9), _unit(0.8, 0.1, 0.6), (0.35, 0.38, 0.42), _unit(0.6, 0.6, -0.6),
        (0.8, 0.8, 0.9), (0.42, 0.44, 0.5), (0.26, 0.24, 0.22),
    )  # fmt: skip
    return View(0, 0, 0, 22, 0.43, (0, 0.02), light, 1.05, seed)


def sample_light(even: bool, random: np.random.Generator) -> Light:
    """Sample light: daylight, a lamp from one side, an overcast sky or a colored room; `even` avoids hard contrasts."""
    strength = random.uniform(0.7, 1.0) if even else random.uniform(0.55, 1.45)
    around = random.uniform(0.3, 0.5) if even else random.uniform(0.2, 0.55)
    tint = random.normal(0, 0.05 if random.random() < 0.8 else 0.2, 3)
    side = random.uniform(-1, 1)
    return Light(
        _unit(side, random.uniform(0.1, 1.0), random.uniform(0.5, 1.1)), _color(strength, tint, random),
        _unit(-np.sign(side) * random.uniform(0.4, 1), random.uniform(-0.2, 0.4), 0.6),
        _color(random.uniform(0.05, 0.5), -tint, random),
        _unit(random.uniform(-1, 1), random.uniform(0.1, 0.8), -0.8), _color(random.uniform(0, 1.2), -tint, random),
        _color(around, tint / 2, random), _color(around * random.uniform(0.45, 0.8), tint / 2, random),
    )  # fmt: skip


def background(view: View, family: str, side: int) -> np.ndarray:
    """Background (side, side, 3) uint8: plain, a gradient or a blurred room; paper for the family `sketch`."""
    random = np.random.default_rng(view.background_seed)
    if family == "sketch" and random.random() < 0.7:
        paper = random.uniform(215, 248) * np.array([1, random.uniform(0.96, 1), random.uniform(0.88, 1)])
        grain = cv2.resize(random.normal(0, 3, (side // 2, side // 2)), (side, side))
        return np.clip(paper + grain[..., None], 0, 255).astype(np.uint8)
    kind = random.random()
    first, second = random.uniform(25, 240, (2, 3))
    if kind < 0.3:
        return np.broadcast_to(first, (side, side, 3)).astype(np.uint8).copy()
    rows, columns = np.mgrid[0:side, 0:side] / side
    if kind < 0.5:
        angle = random.uniform(0, 2 * np.pi)
        share = 0.5 + (columns - 0.5) * np.cos(angle) / 1.42 + (rows - 0.5) * np.sin(angle) / 1.42
        if random.random() < 0.4:
            share = np.clip(np.hypot(columns - 0.5, rows - 0.45) * 1.5, 0, 1)
        return (first + share[..., None] * (second - first)).astype(np.uint8)
    return _room(side, random)


def _room(side: int, random: np.random.Generator) -> np.ndarray:
    """A room out of focus: wall and floor, rectangles for furniture, windows and pictures, discs for lamps."""
    wall = random.uniform(60, 230) * np.clip(random.normal(1, 0.12, 3), 0.5, 1.4)
    image: np.ndarray = np.empty((side, side, 3), np.float32)
    image[:] = wall
    image[int(side * random.uniform(0.6, 0.95)) :] = wall * random.uniform(0.3, 0.8)
    for _ in range(random.integers(3, 10)):
        left, top = random.uniform(-0.2, 0.9, 2) * side
        width, height = random.uniform(0.08, 0.5, 2) * side
        color = random.uniform(10, 250) * np.clip(random.normal(1, 0.25, 3), 0.3, 1.6)
        cv2.rectangle(image, (int(left), int(top)), (int(left + width), int(top + height)), tuple(map(float, color)), -1)
    for _ in range(random.integers(0, 6)):
        center = tuple(int(value) for value in random.uniform(0, side, 2))
        cv2.circle(
            image, center, int(random.uniform(0.01, 0.06) * side), tuple(map(float, random.uniform(180, 255, 3))), -1, cv2.LINE_AA
        )
    image = cv2.GaussianBlur(image, (0, 0), side * random.uniform(0.01, 0.05))
    return np.clip(image + random.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def _unit(x: float, y: float, z: float) -> Color:
    length = float(np.sqrt(x * x + y * y + z * z))
    return x / length, y / length, z / length


def _color(strength: float, tint: np.ndarray, random: np.random.Generator) -> Color:
    red, green, blue = (float(value) for value in np.maximum(strength * (1 + tint + random.normal(0, 0.02, 3)), 0))
    return red, green, blue
