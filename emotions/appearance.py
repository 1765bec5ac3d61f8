"""What a person looks like in a few bytes, to be told from others in the same frames: colours of hair, face and clothes.

Not a means to recognise anyone elsewhere: another shirt or lamp changes it. Expressions hardly do.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .framing import cut
from .results import Box

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
# Where another one may cover something: beside their box in its widths, and from where to where below its upper edge in heights.
OTHER_HEAD, OTHER_BODY = (0.25, -0.4, 1.2), (0.6, 1.2, 2.7)
LIGHT, COLOUR = 0.6, 1.0  # weights of a difference in lightness, which lamps and cameras change, and in colour
TAU = 1.0
"""Seconds in which known looks come near to new ones."""


def hidden(box: Box, others: Sequence[Box]) -> np.ndarray:
    """(16,) bool: which places around a face the head or body of another one in the picture may cover."""
    if not others:
        return np.zeros(len(PLACES), bool)
    rest = np.array([[one.left, one.top, one.width, one.height] for one in others])
    places = _places(box)
    x = np.abs(places[:, :1] - rest[:, 0] - rest[:, 2] / 2) / rest[:, 2] - 0.5  # (16, N): from the box's side, in widths
    y = (places[:, 1:] - rest[:, 1]) / rest[:, 3]
    return np.any([(x < beside) & (y >= top) & (y < bottom) for beside, top, bottom in (OTHER_HEAD, OTHER_BODY)], axis=(0, 2))


def appearance(pixels: np.ndarray, box: Box, covered: np.ndarray) -> bytes:
    """Mean CIELAB colours (8 bits each) of 16 places around a face in (H, W, 3) uint8 RGB: 48 bytes.

    `box` in its pixels; `covered` (16,) as `hidden` gives it: there nothing is told, but for the face itself, which was found
    because it is seen.
    """
    step = CELL * _side(box)
    corner = _corner(box)
    matrix = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
    colours = cv2.cvtColor(cut(pixels, matrix, GRID), cv2.COLOR_RGB2LAB)[ROWS, COLUMNS]  # (16, 3)
    colours[:, 0] = np.maximum(colours[:, 0], UNSEEN + 1)
    unseen = covered.copy()
    unseen[FACE] = False
    places = _places(box)
    unseen |= (places < 0).any(axis=1) | (places >= pixels.shape[1::-1]).any(axis=1)
    colours[unseen] = UNSEEN
    return colours.tobytes()


def differences(seen: Sequence[bytes], known: Sequence[bytes]) -> np.ndarray:
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


def blend(known: bytes, seen: bytes, seconds: float) -> bytes:
    """What is known of a person's looks, moved towards what was seen after `seconds`; places known but not seen stay."""
    old, new = _table([known])[0], _table([seen])[0]
    share = 1 - np.exp(-seconds / TAU)
    mixed = np.rint(old + share * (new - old))
    had, has = old[:, :1] > UNSEEN, new[:, :1] > UNSEEN
    return np.where(had & has, mixed, np.where(has, new, old)).astype(np.uint8).tobytes()


def _side(box: Box) -> float:
    return max(float(np.sqrt(box.area)), 1.0)


def _corner(box: Box) -> np.ndarray:
    """The grid's upper left corner."""
    side = _side(box)
    return np.array([box.left + box.width / 2, box.top + MIDDLE * side]) - CELL * side * GRID / 2


def _places(box: Box) -> np.ndarray:
    """(16, 2): the middles of the places."""
    return np.column_stack([COLUMNS + 0.5, ROWS + 0.5]) * (CELL * _side(box)) + _corner(box)


def _table(appearances: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(appearances), np.uint8).reshape(len(appearances), len(PLACES), 3).astype(np.float64)
