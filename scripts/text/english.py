"""The English words that the language check knows: those of GoEmotions' training texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from emotions.text.language import FOREIGN, FUNCTION_WORDS, written_words
from emotions.text.tokenizer import plain

LEAST, LEAST_FOREIGN = 2, 30
"""Times a word must stand in the texts; more for one that another language uses all the time ("de", "que")."""


def english_words(texts: Iterable[str]) -> list[str]:
    """Words as `tokens.plain` gives them, in alphabetical order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(plain(word) for word in written_words(text))
    frequent = {word for word, count in counts.items() if count >= (LEAST_FOREIGN if word in FOREIGN else LEAST)}
    return sorted(frequent | FUNCTION_WORDS)
