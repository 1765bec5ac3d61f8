"""Word attributions by leave-one-out occlusion: how much the probability drops when a word is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .results import WordAttribution
from .tokenizer import Word

Score = Callable[[list[list[Word]]], np.ndarray]
"""Function from N lists of words to the (N,) probabilities of the emotion in question."""


@dataclass(frozen=True)
class ScoredChunk:
    """Words that the network takes at once.

    Attributes:
        words: The words.
        probability: Their probability of the emotion in question.
        weight: Weight of the chunk in the prediction for the whole text.
    """

    words: list[Word]
    probability: float
    weight: float


def word_attributions(
    score: Score, chunks: Sequence[ScoredChunk], max_words: int, max_tokens: int
) -> tuple[WordAttribution, ...]:
    """Measure how much each word contributes to the probability of an emotion.

    Args:
        score: Function that scores lists of words.
        chunks: All chunks of the text.
        max_words: Number of words to leave out. Chunks with the highest weighted probability come first: a long text would
            otherwise cost quadratic time.
        max_tokens: Tokens to score in all: each word that is left out costs those of the rest of its chunk.

    Returns:
        Attributions in the order of the text: the drop of the whole text's probability without the word, negative if it rises.
    """
    found: list[WordAttribution] = []
    tokens = 0
    for part in sorted(chunks, key=lambda part: -part.weight * part.probability):
        cost = sum(len(word.token_ids) for word in part.words) + 2  # with the tokens of start and end
        count = min(max_words - len(found), (max_tokens - tokens) // cost)
        candidates = [word for word in part.words if word.token_ids][:count]
        if not candidates:
            continue
        tokens += len(candidates) * cost
        without = score([[other for other in part.words if other is not word] for word in candidates])
        drops = part.weight * (part.probability - without)
        found += [WordAttribution(word.start, word.end, float(drop)) for word, drop in zip(candidates, drops, strict=True)]
        if len(found) >= max_words:
            break
    return tuple(sorted(found, key=lambda attribution: attribution.start))
