"""Appearance descriptor of a face in 48 bytes: colours of hair, face and clothes, to keep tracks of several people apart.

It is no means of identification: other clothes or other light change it. Expressions hardly do.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..face.alignment import warp_crop
from ..face.results import Box

GRID = 8
CELL_SIZE = 0.32
"""Side of a grid cell over the mean side of the box."""
GRID_CENTER = 0.9
"""Height of the grid's centre below the box's upper edge, in mean sides."""
# (row, column) of the 16 cells of the grid that are described: hair and cheeks, the face from forehead to chin, the chest.
CELLS = (
    (1, 3), (1, 4), (2, 2), (2, 5),
    (2, 3), (2, 4), (3, 3), (3, 4), (4, 3), (4, 4),
    (6, 2), (6, 3), (6, 4), (6, 5), (7, 3), (7, 4),
)  # fmt: skip
ROWS, COLUMNS = np.transpose(CELLS)
HEAD, FACE = slice(0, 10), slice(4, 10)
HIDDEN = 0  # lightness of a cell outside of the image, or one that another person may cover: it is not compared
MIN_SHARED_CELLS = 5
"""Cells that must be visible in both descriptors for a comparison."""
# Regions that another face's head and body may cover: beyond the sides of its box, in widths; from and to below its top, in
# heights.
OTHER_HEAD, OTHER_BODY = (0.25, -0.4, 1.2), (0.6, 1.2, 2.7)
LIGHTNESS_WEIGHT, COLOUR_WEIGHT = 0.6, 1.0  # lightness also changes with the light and the camera's exposure
TAU = 1.0
"""Time constant in seconds with which a descriptor follows new ones."""


def describe(pixels: np.ndarray, boxes: Sequence[Box]) -> tuple[list[bytes], np.ndarray]:
    """Compute the appearance descriptors of the faces of one image.

    A descriptor is the mean CIELAB colour, 8 bits a channel, of 16 cells around the face. Cells that another face's head or body
    may cover are HIDDEN, except those of the face itself, which was detected and so is visible.

    Args:
        pixels: Image (H, W, 3) uint8 RGB.
        boxes: The N face boxes in pixels of the image.

    Returns:
        N descriptors of 48 bytes, and (N,) bool: whether another face may cover part of the head.
    """
    if not boxes:
        return [], np.zeros(0, bool)
    table = np.array([[box.left, box.top, max(box.width, 1), max(box.height, 1)] for box in boxes])
    sides = np.sqrt(table[:, 2] * table[:, 3])
    centers = np.column_stack([table[:, 0] + table[:, 2] / 2, table[:, 1] + GRID_CENTER * sides])
    corners = centers - CELL_SIZE * GRID / 2 * sides[:, None]
    grids = [_cell_means(pixels, corner, CELL_SIZE * side) for corner, side in zip(corners, sides, strict=True)]
    cells = cv2.cvtColor(np.concatenate(grids), cv2.COLOR_RGB2LAB).reshape(len(boxes), GRID, GRID, 3)
    colours = cells[:, ROWS, COLUMNS]  # (N, 16, 3)
    colours[..., 0] = np.maximum(colours[..., 0], HIDDEN + 1)
    positions = np.column_stack([COLUMNS + 0.5, ROWS + 0.5]) * (CELL_SIZE * sides)[:, None, None] + corners[:, None]  # (N, 16, 2)
    hidden: np.ndarray = _covered(positions, table)
    occluded = np.asarray(hidden[:, HEAD].any(axis=1))
    hidden[:, FACE] = False
    hidden |= (positions < 0).any(axis=-1) | (positions >= pixels.shape[1::-1]).any(axis=-1)
    colours[hidden] = HIDDEN
    return [one.tobytes() for one in colours], occluded


def distance(descriptors: Sequence[bytes], others: Sequence[bytes]) -> np.ndarray:
    """Compute the pairwise distances of N and M descriptors.

    A difference in lightness that all cells share is due to the light or the camera, and is ignored.

    Returns:
        (N, M) float64: root mean square over the cells that are visible in both; NaN where these are too few.
    """
    one, other = _table(descriptors)[:, None], _table(others)[None]  # (N, 1, 16, 3), (1, M, 16, 3)
    shared = ((one[..., 0] > HIDDEN) & (other[..., 0] > HIDDEN)).astype(np.float64)
    count = shared.sum(axis=-1)
    gap = (one - other) * shared[..., None]
    gap[..., 0] -= (gap[..., 0].sum(axis=-1) / np.maximum(count, 1))[..., None] * shared
    squares = (gap**2 * np.array([LIGHTNESS_WEIGHT, COLOUR_WEIGHT, COLOUR_WEIGHT])).sum(axis=(-2, -1))
    return np.where(count < MIN_SHARED_CELLS, np.nan, np.sqrt(squares / np.maximum(count, 1)))


def update(descriptor: bytes, observed: bytes, seconds: float) -> bytes:
    """Move a track's descriptor towards an observed one.

    Args:
        descriptor: Descriptor of the track.
        observed: Descriptor in the new frame; cells that are HIDDEN in it keep their value.
        seconds: Time since the track's last observation.
    """
    old, new = _table([descriptor])[0], _table([observed])[0]
    weight = 1 - np.exp(-seconds / TAU)
    mixed = np.rint(old + weight * (new - old))
    was_visible, is_visible = old[:, :1] > HIDDEN, new[:, :1] > HIDDEN
    updated: np.ndarray = np.where(was_visible & is_visible, mixed, np.where(is_visible, new, old)).astype(np.uint8)
    return updated.tobytes()


def _cell_means(pixels: np.ndarray, corner: np.ndarray, step: float) -> np.ndarray:
    """Average GRID x GRID cells of `step` pixels from `corner` on, each from about 36 of its pixels, which are enough."""
    stride = max(1, int(step / 6))
    matrix = np.column_stack([np.eye(2) * step, corner]) / stride
    return warp_crop(pixels[::stride, ::stride], matrix, GRID)


def _covered(positions: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (N, 16) bool: which cells (N, 16, 2) of each face another face's head or body may cover; `boxes` (N, 4)."""
    x, y = positions[..., :1], positions[..., 1:]
    beside = np.abs(x - boxes[:, 0] - boxes[:, 2] / 2) / boxes[:, 2] - 0.5  # (N, 16, N): from the box's side, in widths
    below = (y - boxes[:, 1]) / boxes[:, 3]
    covers = [(beside < aside) & (below >= top) & (below < bottom) for aside, top, bottom in (OTHER_HEAD, OTHER_BODY)]
    covered: np.ndarray = ((covers[0] | covers[1]) & ~np.eye(len(boxes), dtype=bool)[:, None]).any(axis=-1)
    return covered


def _table(descriptors: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(descriptors), np.uint8).reshape(len(descriptors), len(CELLS), 3).astype(np.float64)
