"""Word attributions by leave-one-out occlusion: how much the probability drops when a word is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .results import WordAttribution
from .tokenizer import Word

Score = Callable[[list[list[Word]]], np.ndarray]
"""Function from N lists of words to the (N,) probabilities of the emotion in question."""


def word_attributions(score: Score, chunks: Sequence[tuple[list[Word], float]], max_words: int) -> tuple[WordAttribution, ...]:
    """Measure how much each word contributes to the probability of an emotion.

    Args:
        score: Function that scores lists of words.
        chunks: Words that the network takes at once, each with its weight in the prediction for the whole text.
        max_words: Number of words to leave out. Chunks with the highest weighted probability come first: a long text would
            otherwise cost quadratic time.

    Returns:
        Attributions in the order of the text: the drop of the whole text's probability without the word, negative if it rises.
    """
    if not chunks:
        return ()
    strength = score([words for words, _ in chunks]) * np.array([weight for _, weight in chunks])
    found: list[WordAttribution] = []
    for number in np.argsort(-strength, kind="stable"):
        words, weight = chunks[number]
        candidates = [word for word in words if word.token_ids][: max_words - len(found)]
        if not candidates:
            continue
        without = score([[other for other in words if other is not word] for word in candidates])
        drops = strength[number] - weight * without
        found += [WordAttribution(word.start, word.end, float(drop)) for word, drop in zip(candidates, drops, strict=True)]
    return tuple(sorted(found, key=lambda attribution: attribution.start))
