"""Which words carried an answer: each is left out in turn, and what the answer loses is its part in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .results import Carrier
from .tokenizer import Word

Score = Callable[[list[list[Word]]], np.ndarray]
"""Runs of words -> the probability (N,) of the emotion in question."""


def carriers(score: Score, runs: Sequence[tuple[list[Word], float]], most: int) -> tuple[Carrier, ...]:
    """What the answer loses without each word, in the order of the text.

    `runs` are what the network read at once, each with its share in the whole answer. Runs are looked at from the strongest
    on until `most` words were left out once: the reading of a long text would otherwise cost its square.
    """
    if not runs:
        return ()
    strength = score([words for words, _ in runs]) * np.array([share for _, share in runs])
    found: list[Carrier] = []
    for number in np.argsort(-strength, kind="stable"):
        words, share = runs[number]
        words = [word for word in words if word.pieces][: most - len(found)]
        if not words:
            continue
        without = score([[other for other in runs[number][0] if other is not word] for word in words])
        losses = strength[number] - share * without
        found += [Carrier(word.start, word.end, float(loss)) for word, loss in zip(words, losses, strict=True)]
    return tuple(sorted(found, key=lambda word: word.start))
