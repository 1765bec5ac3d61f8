"""What a person looks like in a few bytes, to be told from others in the same frames: colours of hair, face and clothes.

Not a means to recognise anyone elsewhere: another shirt or lamp changes it. Expressions hardly do.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..face.alignment import warp_crop
from ..face.results import Box

GRID = 8
CELL = 0.32
"""Side of a cell: times the box's mean side."""
MIDDLE = 0.9
"""Height of the grid's middle below the box's upper edge, in mean sides."""
# (row, column) of the places that count, of the grid's 8 x 8: hair and cheeks, the face from forehead to chin, the chest.
PLACES = (
    (1, 3), (1, 4), (2, 2), (2, 5),
    (2, 3), (2, 4), (3, 3), (3, 4), (4, 3), (4, 4),
    (6, 2), (6, 3), (6, 4), (6, 5), (7, 3), (7, 4),
)  # fmt: skip
ROWS, COLUMNS = np.transpose(PLACES)
HEAD, FACE = slice(0, 10), slice(4, 10)
UNSEEN = 0  # the lightness of a place outside of the picture, or where somebody else may be: it tells nothing
FEWEST = 5
"""Places that two must both show to be compared."""
# Where another may cover something: beside their box in its widths, and from where to where below its top in heights.
OTHER_HEAD, OTHER_BODY = (0.25, -0.4, 1.2), (0.6, 1.2, 2.7)
LIGHT, COLOUR = 0.6, 1.0  # weights of a difference in lightness, which lamps and cameras change, and in colour
TAU = 1.0
"""Seconds in which known looks come near to new ones."""


def describe(pixels: np.ndarray, boxes: Sequence[Box]) -> tuple[list[bytes], np.ndarray]:
    """Mean CIELAB colours (8 bits each) of 16 places around each of N faces in (H, W, 3) uint8 RGB: 48 bytes a face.

    `boxes` in its pixels. Where another face's head or body may be in front nothing is told, but for the face itself, which was
    found because it is seen. The second result, (N,) bool: whether another one may cover some of the head.
    """
    if not boxes:
        return [], np.zeros(0, bool)
    table = np.array([[box.left, box.top, max(box.width, 1), max(box.height, 1)] for box in boxes])
    sides = np.sqrt(table[:, 2] * table[:, 3])
    middles = np.column_stack([table[:, 0] + table[:, 2] / 2, table[:, 1] + MIDDLE * sides])
    corners = middles - CELL * GRID / 2 * sides[:, None]
    grids = [_grid(pixels, corner, CELL * side) for corner, side in zip(corners, sides, strict=True)]
    cells = cv2.cvtColor(np.concatenate(grids), cv2.COLOR_RGB2LAB).reshape(len(boxes), GRID, GRID, 3)
    colours = cells[:, ROWS, COLUMNS]  # (N, 16, 3)
    colours[..., 0] = np.maximum(colours[..., 0], UNSEEN + 1)
    places = np.column_stack([COLUMNS + 0.5, ROWS + 0.5]) * (CELL * sides)[:, None, None] + corners[:, None]  # (N, 16, 2)
    unseen: np.ndarray = _covered(places, table)
    crowded = np.asarray(unseen[:, HEAD].any(axis=1))
    unseen[:, FACE] = False
    unseen |= (places < 0).any(axis=-1) | (places >= pixels.shape[1::-1]).any(axis=-1)
    colours[unseen] = UNSEEN
    return [one.tobytes() for one in colours], crowded


def distance(seen: Sequence[bytes], known: Sequence[bytes]) -> np.ndarray:
    """(N, M) float: how differently each of N and each of M look, the root mean square over the places that both show; NaN
    where these are too few.

    A difference in lightness that all places share is the lamp's or the camera's, and does not count.
    """
    one, other = _table(seen)[:, None], _table(known)[None]  # (N, 1, 16, 3), (1, M, 16, 3)
    both = ((one[..., 0] > UNSEEN) & (other[..., 0] > UNSEEN)).astype(np.float64)
    count = both.sum(axis=-1)
    gap = (one - other) * both[..., None]
    gap[..., 0] -= (gap[..., 0].sum(axis=-1) / np.maximum(count, 1))[..., None] * both
    squares = (gap**2 * np.array([LIGHT, COLOUR, COLOUR])).sum(axis=(-2, -1))
    return np.where(count < FEWEST, np.nan, np.sqrt(squares / np.maximum(count, 1)))


def update(known: bytes, seen: bytes, seconds: float) -> bytes:
    """What is known of a person's looks, moved towards what was seen after `seconds`; places known but not seen stay."""
    old, new = _table([known])[0], _table([seen])[0]
    share = 1 - np.exp(-seconds / TAU)
    mixed = np.rint(old + share * (new - old))
    had, has = old[:, :1] > UNSEEN, new[:, :1] > UNSEEN
    blended: np.ndarray = np.where(had & has, mixed, np.where(has, new, old)).astype(np.uint8)
    return blended.tobytes()


def _grid(pixels: np.ndarray, corner: np.ndarray, step: float) -> np.ndarray:
    """Means of GRID x GRID squares of `step` pixels from `corner` on, from some 36 pixels of each: more tell nothing new."""
    stride = max(1, int(step / 6))
    matrix = np.column_stack([np.eye(2) * step, corner]) / stride
    return warp_crop(pixels[::stride, ::stride], matrix, GRID)


def _covered(places: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, 16) bool: which places (N, 16, 2) of each face another's head or body may cover; `boxes` (N, 4)."""
    x, y = places[..., :1], places[..., 1:]
    beside = np.abs(x - boxes[:, 0] - boxes[:, 2] / 2) / boxes[:, 2] - 0.5  # (N, 16, N): from the box's side, in widths
    below = (y - boxes[:, 1]) / boxes[:, 3]
    covers = [(beside < aside) & (below >= top) & (below < bottom) for aside, top, bottom in (OTHER_HEAD, OTHER_BODY)]
    covered: np.ndarray = ((covers[0] | covers[1]) & ~np.eye(len(boxes), dtype=bool)[:, None]).any(axis=-1)
    return covered


def _table(appearances: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(appearances), np.uint8).reshape(len(appearances), len(PLACES), 3).astype(np.float64)
