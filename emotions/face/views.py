"""Views of a face crop whose predictions are averaged (test-time augmentation).

A face and its mirror image show the same expression, and a detector places a face only to within a few pixels: the mean of the
predictions for such views is more often right than a single one. Ten views are five places, each mirrored too, as
in the ten-crop of Krizhevsky et al. ("ImageNet Classification with Deep Convolutional Neural Networks", 2012); here the crop is
shifted up, down, left and right, keeps its size, and its edges are repeated. In training, soft labels are averaged over the same
views.
"""

from __future__ import annotations

import numpy as np

from .defaults import VIEWS

SHIFT = 1 / 16
"""Shift of the views in sides of the crop: 3 of 48 pixels, as for soft labels."""
SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""(down, across) in units of SHIFT."""


def check_views(views: int) -> None:
    """Raise ValueError unless `views` is one of VIEWS."""
    if views not in VIEWS:
        raise ValueError(f"views must be one of {', '.join(map(str, VIEWS))}, not {views!r}")


def crop_views(crops: np.ndarray, views: int) -> np.ndarray:
    """Make the views of face crops.

    Args:
        crops: (N, S, S) uint8.
        views: 1 for the crops alone, 2 with their mirror images, 10 for the crops and four shifts, each with its mirror image.

    Returns:
        Views (views, N, S, S) uint8; those of a smaller number come first.

    Raises:
        ValueError: `views` has another value.
    """
    check_views(views)
    if views == 1:
        return crops[None]
    size = crops.shape[1]
    shift = round(size * SHIFT)
    padded = np.pad(crops, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
    found = []
    for down, across in SHIFTS[: views // 2]:
        top, left = shift * (1 + down), shift * (1 + across)
        view = padded[:, top : top + size, left : left + size]
        found += [view, view[:, :, ::-1]]
    return np.stack(found)
