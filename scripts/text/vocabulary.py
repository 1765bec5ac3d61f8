"""The model's own vocabulary: those of BERT's word pieces that English comments need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from emotions.text.language import FUNCTION_WORDS, NON_ENGLISH_WORDS, letter_words
from emotions.text.tokenizer import NAME, RELIGION, SPECIAL_TOKENS, Vocabulary, normalize

# The English words that the language check knows: those of GoEmotions' training texts.

LEAST, LEAST_FOREIGN = 2, 30
"""Times a word must stand in the texts; more for one that another language uses all the time ("de", "que")."""


def english_words(texts: Iterable[str]) -> list[str]:
    """Words as `tokenizer.normalize` gives them, in alphabetical order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalize(word) for word in letter_words(text))
    frequent = {word for word, count in counts.items() if count >= (LEAST_FOREIGN if word in NON_ENGLISH_WORDS else LEAST)}
    return sorted(frequent | FUNCTION_WORDS)


FIRST_WORD = 1996
"""Row of "the" in BERT's uncased vocabulary: whole words follow, frequent ones first."""


def whole(pieces: list[str]) -> Vocabulary:
    """BERT's vocabulary behind this project's special rows."""
    return Vocabulary([*SPECIAL_TOKENS, *(piece for piece in pieces if not (piece.startswith("[") and piece.endswith("]")))])


def choose(pieces: list[str], texts: Iterable[str], size: int) -> tuple[Vocabulary, np.ndarray]:
    """The `size` rows of the model's vocabulary, and how often each stands in `texts`.

    All ASCII letters, digits and marks alone and inside words, so that any word can be spelt; then the pieces that the texts
    use most; where they run out, BERT's most frequent words. The rows are in that order: a lower row is a more frequent piece.
    """
    full, counts = whole(pieces), Counter[int]()
    for text in texts:
        counts.update(row for word in full.words(text) for row in word.token_ids)
    spelling = [piece for piece in pieces if len(piece.removeprefix("##")) == 1 and piece.isascii()]
    common = [piece for piece in pieces[FIRST_WORD:] if not piece.startswith("##")]
    by_use = [full.tokens[row] for row, _ in counts.most_common() if row >= len(SPECIAL_TOKENS)]
    chosen = list(dict.fromkeys([*spelling, *by_use, *common]))[: size - len(SPECIAL_TOKENS)]
    rows = [*SPECIAL_TOKENS, *sorted(chosen, key=lambda piece: -counts[full.token_id(piece)])]
    vocabulary = Vocabulary(rows)
    return vocabulary, np.array([counts[full.token_id(piece)] for piece in rows], np.float64)


def vectors(vocabulary: Vocabulary, pieces: list[str], table: np.ndarray) -> np.ndarray:
    """(rows, W): BERT's vectors of the vocabulary's pieces; a name and a religion begin as the mean of some."""
    row = {piece: number for number, piece in enumerate(pieces)}
    found = np.stack([table[row.get(piece, row["[UNK]"])] for piece in vocabulary.tokens])
    found[NAME] = table[[row[name] for name in ("john", "mary", "james", "anna", "david")]].mean(axis=0)
    found[RELIGION] = table[[row[name] for name in ("christian", "muslim", "jewish", "buddhist")]].mean(axis=0)
    return found
