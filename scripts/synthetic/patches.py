"""Square patches of drawings and of images without faces, labelled as face or not: training data of the drawn-face verifier."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotions.face.alignment import align_crop
from emotions.face.drawn_detector import square_to_box

from .framing import place_on_canvas
from .generate import split_of
from .negatives import non_face_image
from .renderer import AvatarRenderer

SIDE = 256  # side of a drawing in pixels
FACE_PATCHES, OTHER_PATCHES = 3, 5
"""Patches of each drawing with a face, and without."""
FILL_RATIO = 0.5, 0.85
"""Longer side of the facial features (eyes, brows, mouth) / side of a face patch."""
CENTRE_SD = 0.05  # standard deviation of a face patch's centre as a share of its side
FACE_COVERAGE, AMBIGUOUS_COVERAGE = 0.9, 0.75
"""Shares of the facial features inside of a patch. Above the first, at a size of FACE_SIZES, the patch shows the face; above the
second it is ambiguous and used as neither."""
FACE_SIZES, MIN_AMBIGUOUS_SIZE = (0.42, 1.0), 0.35
"""Longer side of the features / side of the patch: range of face patches, and the size from which a patch is ambiguous."""
PATCHES_PER_NON_FACE = 8
Random = np.random.Generator


@dataclass(frozen=True)
class Patches:
    """Crops (N, S, S) uint8 grey, labels `faces` (N,) bool, and splits (N,) str."""

    crops: np.ndarray
    faces: np.ndarray
    splits: np.ndarray


def labelled_patches(renderer: AvatarRenderer, images: int, non_faces: int, size: int, seed: int) -> Patches:
    """Sample patches of `images` drawings per style and expression, half of them on a canvas, and of `non_faces` images."""
    random = np.random.default_rng(seed)
    crops, faces, splits = [], [], []

    def add(grey: np.ndarray, square: np.ndarray, face: bool, split: str) -> None:
        crops.append(align_crop(grey, square_to_box(tuple(square.tolist())), None, size))
        faces.append(face)
        splits.append(split)

    for style, expression in renderer.subjects:
        for _ in range(images):
            image, mask = renderer.render(style, expression, SIDE, random)
            if not mask.any():
                continue
            pixels, place = place_on_canvas(image, random) if random.random() < 0.5 else (image, np.array([0, 0, SIDE]))
            grey, features = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), feature_box(mask, place)
            for _ in range(FACE_PATCHES):
                add(grey, face_square(features, random), True, split_of(style))
            for _ in range(OTHER_PATCHES):
                add(grey, other_square(features, grey.shape, random), False, split_of(style))
    for number in range(non_faces):
        grey = cv2.cvtColor(non_face_image(random), cv2.COLOR_RGB2GRAY)
        for _ in range(PATCHES_PER_NON_FACE):
            add(grey, random_square(grey.shape, random), False, "validation" if number % 5 == 0 else "train")
    return Patches(np.stack(crops), np.array(faces), np.array(splits))


def feature_box(mask: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return (left, top, right, bottom) of the facial features in an image; the drawing's `mask` lies at `place` (left, top,
    side)."""
    rows, columns = np.nonzero(mask)
    corners = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return np.tile(place[:2], 2) + corners * (place[2] / len(mask))


def face_square(features: np.ndarray, random: Random) -> np.ndarray:
    """Sample (centre x, centre y, side) of a patch around the face, with random jitter."""
    low, high = features[:2], features[2:]
    side = (high - low).max() / random.uniform(*FILL_RATIO)
    return np.append((low + high) / 2 + random.normal(0, CENTRE_SD, 2) * side, side)


def other_square(features: np.ndarray, shape: tuple[int, ...], random: Random) -> np.ndarray:
    """Sample a patch that does not frame the face: a part of it, beside it, much too large, or anywhere."""
    low, high = features[:2], features[2:]
    longer, middle = (high - low).max(), (low + high) / 2
    while True:
        match random.choice(4, p=(0.35, 0.25, 0.15, 0.25)):
            case 0:
                square = np.append(random.uniform(low, high), longer * random.uniform(0.18, 0.6))
            case 1:
                side, angle = longer / random.uniform(*FILL_RATIO), random.uniform(0, 2 * np.pi)
                away = np.array([np.cos(angle), np.sin(angle)]) * side * random.uniform(0.4, 0.9)
                square = np.append(middle + away, side)
            case 2:
                side = longer / random.uniform(0.1, 0.33)
                square = np.append(middle + random.normal(0, 0.2, 2) * side, side)
            case _:
                square = random_square(shape, random)
        if not _could_be_face(features, square):
            return square


def random_square(shape: tuple[int, ...], random: Random) -> np.ndarray:
    height, width = shape[:2]
    side = min(height, width) * random.uniform(0.15, 1.1)
    return np.array([random.uniform(0, width), random.uniform(0, height), side])


def _could_be_face(features: np.ndarray, square: np.ndarray) -> bool:
    inside = (features.reshape(2, 2) - square[:2]) / square[2] + 0.5  # corners of the area in sides of the square
    size = inside[1] - inside[0]
    coverage = np.prod(np.clip(np.minimum(inside[1], 1) - np.maximum(inside[0], 0), 0, None)) / np.prod(size)
    fits = FACE_SIZES[0] < size.max() < FACE_SIZES[1]
    return (coverage > FACE_COVERAGE and fits) or (coverage > AMBIGUOUS_COVERAGE and size.max() > MIN_AMBIGUOUS_SIZE)
