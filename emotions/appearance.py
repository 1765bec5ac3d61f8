"""What a person looks like in a few bytes, to be told from others in the same frames: colours of hair, face and clothes.

Not a means to recognise anyone elsewhere: another shirt or lamp changes it. Expressions hardly do.
"""

from __future__ import annotations

import cv2
import numpy as np

from .framing import cut
from .results import Box

GRID = 8
CELL = 0.32
"""Side of a cell: times the box's mean side."""
MIDDLE = 0.9
"""Height of the grid's middle below the box's upper edge, in mean sides."""
# (row, column) of the cells that count, of the grid's 8 x 8: hair, forehead, cheeks, chin, shoulders and chest.
CELLS = ((1, 3), (1, 4), (2, 2), (2, 5), (2, 3), (2, 4), (3, 3), (3, 4), (4, 3), (4, 4), (6, 2), (6, 3), (6, 4), (6, 5), (7, 3), (7, 4))
TAU = 1.0
"""Seconds in which known looks come near to new ones."""
OUTSIDE = 0  # the lightness of a cell outside of the picture: it tells nothing
LIGHT, COLOUR = 0.35, 1.0  # weights of a difference in lightness, which lamps and cameras change, and in colour


def appearance(pixels: np.ndarray, box: Box) -> bytes:
    """Mean CIELAB colours (8 bits each) of 16 places around a face in (H, W, 3) uint8 RGB: 48 bytes. `box` in its pixels."""
    side = max(float(np.sqrt(box.area)), 1.0)
    step = CELL * side
    corner = np.array([box.left + box.width / 2, box.top + MIDDLE * side]) - step * GRID / 2
    matrix = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
    cells = cv2.cvtColor(cut(pixels, matrix, GRID), cv2.COLOR_RGB2LAB)
    rows, columns = np.transpose(CELLS)
    colours = cells[rows, columns]  # (16, 3)
    colours[:, 0] = np.maximum(colours[:, 0], OUTSIDE + 1)
    places = np.column_stack([columns + 0.5, rows + 0.5]) * step + corner
    outside = (places < 0).any(axis=1) | (places >= pixels.shape[1::-1]).any(axis=1)
    colours[outside] = OUTSIDE
    return colours.tobytes()


def differences(seen: list[bytes], known: list[bytes]) -> np.ndarray:
    """(N, M) float: how differently each of N and each of M look; the root mean square over the places that both show.

    A difference in lightness that all places share is the lamp's or the camera's, and does not count.
    """
    one, other = _table(seen)[:, None], _table(known)[None]  # (N, 1, 16, 3), (1, M, 16, 3)
    both = ((one[..., 0] > OUTSIDE) & (other[..., 0] > OUTSIDE)).astype(np.float64)
    count = np.maximum(both.sum(axis=-1), 1)
    gap = (one - other) * both[..., None]
    gap[..., 0] -= gap[..., 0].sum(axis=-1, keepdims=True) / count[..., None] * both
    squares = (gap**2 * np.array([LIGHT, COLOUR, COLOUR])).sum(axis=-1)
    return np.sqrt(squares.sum(axis=-1) / count)


def _table(appearances: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(appearances), np.uint8).reshape(len(appearances), len(CELLS), 3).astype(np.float64)


def blend(known: bytes, seen: bytes, seconds: float) -> bytes:
    """What is known of a person's looks, moved towards what was seen after `seconds`; places known but not seen stay."""
    old, new = _table([known])[0], _table([seen])[0]
    share = 1 - np.exp(-seconds / TAU)
    mixed = np.rint(old + share * (new - old))
    inside_old, inside_new = old[:, :1] > OUTSIDE, new[:, :1] > OUTSIDE
    mixed = np.where(inside_old & inside_new, mixed, np.where(inside_new, new, old))
    return mixed.astype(np.uint8).tobytes()
