"""Pictures with known labels for the robustness table: each shows one face whose centre is at the picture's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotions.errors import ImageError
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS

from ...data.dataset import DatasetError, Faces
from ...synthetic.heads.dataset.reader import load_heads, whole_pictures
from ..framing import placed
from ..portraits import read_csv

SIDE = 384
"""Side of all pictures in pixels; the face takes about half of it."""
LONDON_SIDE = 0.65
"""Side of the window that is cut out of a portrait, as a share of its width."""
LONDON_CENTRE = 0.575
"""Height of the window's centre, and so of the face's, as a share of the portrait's height."""


@dataclass(frozen=True)
class PictureSet:
    """Sampled pictures of a data set.

    Attributes:
        name: name on the command line.
        title: name in tables.
        pixels: (N, SIDE, SIDE, 3) uint8 RGB.
        labels: (N,) int, class ids.
    """

    name: str
    title: str
    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def sample(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows (K,) of a random sample with equal numbers of each class that occurs in `labels` (N,), in all at most `count`.

    A class with fewer rows gives all that it has. At least one row of each class is taken.
    """
    random, classes = np.random.default_rng(seed), np.unique(labels)
    each = max(1, count // max(1, len(classes)))
    return np.sort(np.concatenate([random.permutation(np.flatnonzero(labels == label))[:each] for label in classes]))


def london(folder: Path, count: int, seed: int) -> PictureSet:
    """Frontal studio photographs, smiling or neutral (scripts/evaluate/portraits.py), cut to the face's surroundings."""
    try:
        rows = read_csv(folder / "labels.csv")
        labels = np.array([EMOTIONS.index(row["label"]) for row in rows], int)
        kept = sample(labels, count, seed)
        pictures = [_london_window(open_image(folder / rows[row]["file"]).pixels) for row in kept]
    except (ImageError, KeyError, OSError, ValueError) as error:
        raise DatasetError(f"{folder} has not labels.csv and the photographs that it names: {error!r}") from None
    return PictureSet("london", "London (photographs)", np.stack(pictures), labels[kept])


def rendered(path: Path, count: int, seed: int) -> PictureSet:
    """Whole pictures of rendered heads: families of the test split, which are never trained on, at full strength."""
    heads = load_heads(path)
    heads = heads.where((heads.pictures != "") & (heads.faces.splits == "test") & heads.at_level("full"))
    if not len(heads):
        raise DatasetError(f"{path} has no whole picture of a test family at full strength")
    kept = heads.where(sample(heads.emotions, count, seed))
    pictures = [_resized(pixels) for pixels in whole_pictures(path, kept.pictures.tolist())]
    return PictureSet("rendered", "rendered heads", np.stack(pictures), kept.emotions)


def fer2013(path: Path, count: int, seed: int) -> PictureSet:
    """Labelled test faces, enlarged and set into a larger picture with repeated edges: no detector is made for 48 pixels."""
    test = Faces.load(path).split("test")
    test = test.where(test.labels >= 0)
    if not len(test):
        raise DatasetError(f"{path} has no labelled test face")
    kept = test.where(sample(test.labels, count, seed))
    return PictureSet(
        "fer2013", "FER2013 (enlarged)", np.stack([_resized(placed(face)) for face in kept.pixels]), kept.labels.astype(int)
    )


SETS: dict[str, Callable[[Path, int, int], PictureSet]] = {"london": london, "rendered": rendered, "fer2013": fer2013}
"""Readers of the sets: path, number of pictures and seed -> sample."""


def load_sets(paths: dict[str, Path], names: Sequence[str], count: int, seed: int) -> list[PictureSet]:
    """Samples of the named sets. Raises DatasetError if one is missing or damaged."""
    return [SETS[name](paths[name], count, seed) for name in names]


def _london_window(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = round(LONDON_SIDE * width)
    left, top = (width - side) // 2, min(max(0, round(LONDON_CENTRE * height - side / 2)), max(0, height - side))
    return _resized(pixels[top : top + side, left : left + side])


def _resized(pixels: np.ndarray) -> np.ndarray:
    method = cv2.INTER_AREA if len(pixels) > SIDE else cv2.INTER_CUBIC
    return cv2.resize(pixels, (SIDE, SIDE), interpolation=method)
