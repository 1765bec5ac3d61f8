"""Vocabulary of the text model, selected from BERT's word pieces, and the English words of the language check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from emotions.text.language import FUNCTION_WORDS, NON_ENGLISH_WORDS, letter_words
from emotions.text.tokenizer import NAME, RELIGION, SPECIAL_TOKENS, Vocabulary, normalize

MIN_COUNT, MIN_COUNT_NON_ENGLISH = 2, 30
"""Minimum frequency of an English word in the training texts; higher for frequent words of other languages ("de", "que")."""
FIRST_WORD = 1996
"""Row of "the" in BERT's uncased vocabulary; whole words follow, frequent ones first."""


def english_words(texts: Iterable[str]) -> list[str]:
    """English words of training texts, as `tokenizer.normalize` returns them, in alphabetical order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalize(word) for word in letter_words(text))
    minimum = {word: MIN_COUNT_NON_ENGLISH if word in NON_ENGLISH_WORDS else MIN_COUNT for word in counts}
    return sorted({word for word, count in counts.items() if count >= minimum[word]} | FUNCTION_WORDS)


def full_vocabulary(pieces: list[str]) -> Vocabulary:
    """BERT's complete vocabulary after this project's special tokens."""
    return Vocabulary([*SPECIAL_TOKENS, *(piece for piece in pieces if not (piece.startswith("[") and piece.endswith("]")))])


def select_vocabulary(pieces: list[str], texts: Iterable[str], size: int) -> tuple[Vocabulary, np.ndarray]:
    """Select the model's vocabulary of `size` tokens; return it with the tokens' frequencies in `texts`, (size,) float64.

    It has all ASCII characters, alone and as continuations, so that any word can be spelt, then the most frequent pieces of the
    texts, then BERT's most frequent words. After the special tokens it is sorted by frequency: `Vocabulary` relies on it.
    """
    full, counts = full_vocabulary(pieces), Counter[int]()
    for text in texts:
        counts.update(number for word in full.words(text) for number in word.token_ids)
    spelling = [piece for piece in pieces if len(piece.removeprefix("##")) == 1 and piece.isascii()]
    common = [piece for piece in pieces[FIRST_WORD:] if not piece.startswith("##")]
    by_use = [full.tokens[number] for number, _ in counts.most_common() if number >= len(SPECIAL_TOKENS)]
    chosen = list(dict.fromkeys([*spelling, *by_use, *common]))[: size - len(SPECIAL_TOKENS)]
    tokens = [*SPECIAL_TOKENS, *sorted(chosen, key=lambda piece: -counts[full.token_id(piece)])]
    return Vocabulary(tokens), np.array([counts[full.token_id(token)] for token in tokens], np.float64)


def embedding_table(vocabulary: Vocabulary, pieces: list[str], table: np.ndarray) -> np.ndarray:
    """(tokens, W) BERT's embeddings of the vocabulary's tokens; masked names and religions get the mean of some."""
    row = {piece: number for number, piece in enumerate(pieces)}
    found = np.stack([table[row.get(piece, row["[UNK]"])] for piece in vocabulary.tokens])
    found[NAME] = table[[row[name] for name in ("john", "mary", "james", "anna", "david")]].mean(axis=0)
    found[RELIGION] = table[[row[name] for name in ("christian", "muslim", "jewish", "buddhist")]].mean(axis=0)
    return found
