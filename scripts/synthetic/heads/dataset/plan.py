"""What each row of the set shows: a pure function of the seed and the row's number, balanced in every prefix.

Rows come in blocks, one for each family and emotion in random order. Ten characters of every family take turns from
block to block; after ROUNDS turns the next ten follow. So the first rows of a large set are those of a small one, and
any number of rows is about balanced over families, characters, emotions and strengths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from emotions.labels import EMOTIONS

from ..families import FAMILIES, TEST_FAMILIES, VALIDATION_FAMILIES

CELLS = tuple((family, emotion) for family in FAMILIES for emotion in EMOTIONS)
CHARACTERS = 10
"""Characters of a family that take turns."""
ROUNDS = 4
"""Turns of a character: it shows every emotion as often in the whole set."""
KEPT = 10
"""One picture in so many is kept whole."""
FULL_SHARE, FULL_FROM, LEAST = 1 / 3, 0.85, 0.1
"""A third of the strengths is within FULL_FROM..1, the others are within LEAST..FULL_FROM, evenly."""
GOLDEN = (5**0.5 - 1) / 2  # its multiples modulo 1 fill the interval evenly, whatever their number
PERMUTATION, PHASE, EXPRESSION, VIEW, CROP = range(5)
"""Streams of random numbers: a change to what one of them draws leaves the others as they are."""


@dataclass(frozen=True)
class Row:
    """A picture to render.

    Attributes:
        number: place in the table, from 0.
        family: family of the character.
        character: number of the character in its family.
        emotion: emotion to show.
        strength: strength of the expression, 0..1.
        kept: true if the whole picture is kept beside the crops.
    """

    number: int
    family: str
    character: int
    emotion: str
    strength: float
    kept: bool


def plan_row(seed: int, number: int) -> Row:
    """The row of that number."""
    block, place = divmod(number, len(CELLS))
    cell = _permutation(seed, block)[place]
    turn, slot = divmod(block, CHARACTERS)
    wave, round_ = divmod(turn, ROUNDS)
    character = wave * CHARACTERS + slot
    family, emotion = CELLS[cell]
    position = (np.random.default_rng([seed, PHASE, cell]).random() + (character * ROUNDS + round_) * GOLDEN) % 1
    kept = (cell + block + turn) % KEPT == 0  # in every ten blocks once for each family and emotion, each time another character
    return Row(number, family, character, emotion, strength_at(position), kept)


def strength_at(position: float) -> float:
    """Strength for a position 0..1 that is distributed evenly."""
    if position < FULL_SHARE:
        return float(FULL_FROM + (1 - FULL_FROM) * position / FULL_SHARE)
    return float(LEAST + (FULL_FROM - LEAST) * (position - FULL_SHARE) / (1 - FULL_SHARE))


def by_character(rows: Iterable[Row]) -> dict[tuple[str, int], list[Row]]:
    """Rows of each (family, number of the character), in their order."""
    groups: defaultdict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.family, row.character].append(row)
    return dict(groups)


def split_of(family: str) -> str:
    """Split of a family's pictures; no family is in two splits."""
    if family in TEST_FAMILIES:
        return "test"
    return "validation" if family in VALIDATION_FAMILIES else "train"


def random_of(seed: int, row: Row, stream: int) -> np.random.Generator:
    """Random numbers of a row for one purpose."""
    return np.random.default_rng([seed, stream, row.number])


@lru_cache(maxsize=64)
def _permutation(seed: int, block: int) -> list[int]:
    return np.random.default_rng([seed, PERMUTATION, block]).permutation(len(CELLS)).tolist()
