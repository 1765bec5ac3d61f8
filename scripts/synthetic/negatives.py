"""Negative examples for the drawn-face verifier: images of flat shapes, letters and charts."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

SIZES = ((640, 480), (480, 640), (512, 512), (800, 600), (320, 320))
Random = np.random.Generator


def non_face_image(random: Random) -> np.ndarray:
    """Render an image (H, W, 3) uint8 with one or two kinds of content."""
    width, height = SIZES[random.integers(len(SIZES))]
    image = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    for kind in random.permutation(len(KINDS))[: random.integers(1, 3)]:
        KINDS[kind](image, random)
    return image


def shapes(image: np.ndarray, random: Random) -> None:
    height, width = image.shape[:2]
    for _ in range(random.integers(2, 25)):
        place = _place(image, random)
        side, thickness = int(random.integers(8, width // 3)), _thickness(random)
        match random.integers(4):
            case 0:
                cv2.circle(image, place, side // 2, _colour(random), thickness, cv2.LINE_AA)
            case 1:
                corner = place[0] + side, place[1] + int(random.integers(5, width // 3))
                cv2.rectangle(image, place, corner, _colour(random), thickness)
            case 2:
                cv2.line(image, place, _place(image, random), _colour(random), abs(thickness), cv2.LINE_AA)
            case _:
                axes = side, int(random.integers(5, height // 4))
                turn, end = int(random.integers(0, 180)), int(random.integers(90, 361))
                cv2.ellipse(image, place, axes, turn, 0, end, _colour(random), thickness, cv2.LINE_AA)


def letters(image: np.ndarray, random: Random) -> None:
    for _ in range(random.integers(1, 12)):
        text = "".join(chr(code) for code in random.integers(33, 127, random.integers(1, 12)))
        font, size = int(random.integers(0, 8)), float(random.uniform(0.5, 6))
        cv2.putText(image, text, _place(image, random), font, size, _colour(random), abs(_thickness(random)), cv2.LINE_AA)


def bars(image: np.ndarray, random: Random) -> None:
    height, width = image.shape[:2]
    count, colour = int(random.integers(3, 13)), _colour(random)
    step = (width - 80) // count
    for number in range(count):
        left, top = 40 + number * step, height - 40 - int(random.integers(10, height - 90))
        cv2.rectangle(image, (left, top), (left + max(step - 8, 3), height - 40), colour, -1)
    cv2.line(image, (35, height - 38), (width - 35, height - 38), _colour(random), 2)


def tiles(image: np.ndarray, random: Random) -> None:
    """Squares or dots on a grid, some left out, similar to identicons, keyboards, dice and patterns."""
    count, colours, round_ones = int(random.integers(2, 9)), [_colour(random) for _ in range(3)], random.random() < 0.5
    step, mirrored = max(image.shape[:2]) // count, random.random() < 0.5
    chosen = random.random((count + 1, count + 1)) < 0.6
    for row, column in zip(*np.nonzero(chosen | chosen[:, ::-1] if mirrored else chosen), strict=True):
        left, top = int(column) * step, int(row) * step
        colour = colours[random.integers(3)]
        if round_ones:
            cv2.circle(image, (left + step // 2, top + step // 2), step // 3, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, (left, top), (left + step, top + step), colour, -1)


KINDS: tuple[Callable[[np.ndarray, Random], None], ...] = (shapes, letters, bars, tiles)


def _colour(random: Random) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue


def _place(image: np.ndarray, random: Random) -> tuple[int, int]:
    height, width = image.shape[:2]
    return int(random.integers(-20, width)), int(random.integers(0, height))


def _thickness(random: Random) -> int:
    """Sample a line width in pixels; -1 fills the shape."""
    return -1 if random.random() < 0.6 else int(random.integers(1, 13))
