"""Squares of drawings, charts and patterns, labelled by whether a drawn face lies in them as faces are read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotions.face.alignment import align_crop
from emotions.face.drawn_detector import square_to_box

from .framing import on_canvas
from .generate import split_of
from .negatives import graphic
from .renderer import Artist

SIDE = 256  # pixels of a drawing's side
FACES, OTHERS = 3, 5
"""Squares of each drawing that are a face's, and that are not."""
FILLS = 0.5, 0.85
"""Longer side of what tells the expression (eyes, brows, mouth) over that of a square which is a face's."""
OFF = 0.05  # deviation of its middle, in its sides
SEEN, DOUBTFUL = 0.9, 0.75
"""Shares of that area in a square: above the first, at a fitting size, it is a face's; above the second neither."""
SIZES, FEW = (0.42, 1.0), 0.35
"""Over the square's side: sizes that fit, and below which it is surely no face's."""
OF_A_GRAPHIC = 8
Random = np.random.Generator


@dataclass(frozen=True)
class Windows:
    """Crops (N, S, S) uint8 grey, whether each is a face's (N,) bool, and its split (N,)."""

    crops: np.ndarray
    faces: np.ndarray
    splits: np.ndarray


def windows(artist: Artist, pictures: int, graphics: int, size: int, seed: int) -> Windows:
    """Squares of `pictures` drawings of every style and expression, half of them on a canvas, and of `graphics` without a
    face.
    """
    random = np.random.default_rng(seed)
    crops, faces, splits = [], [], []

    def keep(grey: np.ndarray, square: np.ndarray, face: bool, split: str) -> None:
        crops.append(align_crop(grey, square_to_box(tuple(square.tolist())), None, size))
        faces.append(face)
        splits.append(split)

    for style, expression in artist.subjects:
        for _ in range(pictures):
            picture, mask = artist.plain(style, expression, SIDE, random)
            if not mask.any():
                continue
            pixels, place = on_canvas(picture, random) if random.random() < 0.5 else (picture, np.array([0, 0, SIDE]))
            grey, area = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), area_of(mask, place)
            for _ in range(FACES):
                keep(grey, face_square(area, random), True, split_of(style))
            for _ in range(OTHERS):
                keep(grey, other_square(area, grey.shape, random), False, split_of(style))
    for number in range(graphics):
        grey = cv2.cvtColor(graphic(random), cv2.COLOR_RGB2GRAY)
        for _ in range(OF_A_GRAPHIC):
            keep(grey, anywhere(grey.shape, random), False, "validation" if number % 5 == 0 else "train")
    return Windows(np.stack(crops), np.array(faces), np.array(splits))


def area_of(mask: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(left, top, right, bottom) in a picture of what tells the expression, the drawing's `mask` lying at (left, top, side)."""
    rows, columns = np.nonzero(mask)
    corners = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return np.tile(place[:2], 2) + corners * (place[2] / len(mask))


def face_square(area: np.ndarray, random: Random) -> np.ndarray:
    """(middle x, middle y, side) of a square in which the face lies as it is read, give and take a little."""
    low, high = area[:2], area[2:]
    side = (high - low).max() / random.uniform(*FILLS)
    return np.append((low + high) / 2 + random.normal(0, OFF, 2) * side, side)


def other_square(area: np.ndarray, shape: tuple[int, ...], random: Random) -> np.ndarray:
    """A square that is not the face's: a part of it, beside it, far too large, or anywhere."""
    low, high = area[:2], area[2:]
    longer, middle = (high - low).max(), (low + high) / 2
    while True:
        match random.choice(4, p=(0.35, 0.25, 0.15, 0.25)):
            case 0:
                square = np.append(random.uniform(low, high), longer * random.uniform(0.18, 0.6))
            case 1:
                side, angle = longer / random.uniform(*FILLS), random.uniform(0, 2 * np.pi)
                away = np.array([np.cos(angle), np.sin(angle)]) * side * random.uniform(0.4, 0.9)
                square = np.append(middle + away, side)
            case 2:
                side = longer / random.uniform(0.1, 0.33)
                square = np.append(middle + random.normal(0, 0.2, 2) * side, side)
            case _:
                square = anywhere(shape, random)
        if not _may_be_a_face(area, square):
            return square


def anywhere(shape: tuple[int, ...], random: Random) -> np.ndarray:
    height, width = shape[:2]
    side = min(height, width) * random.uniform(0.15, 1.1)
    return np.array([random.uniform(0, width), random.uniform(0, height), side])


def _may_be_a_face(area: np.ndarray, square: np.ndarray) -> bool:
    inside = (area.reshape(2, 2) - square[:2]) / square[2] + 0.5  # corners of the area in sides of the square
    size = inside[1] - inside[0]
    seen = np.prod(np.clip(np.minimum(inside[1], 1) - np.maximum(inside[0], 0), 0, None)) / np.prod(size)
    fits = SIZES[0] < size.max() < SIZES[1]
    return (seen > SEEN and fits) or (seen > DOUBTFUL and size.max() > FEW)
