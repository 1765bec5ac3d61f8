"""Tokenizer: word pieces, positions, truncation, and golden examples of the published model."""

from __future__ import annotations

import pytest

from emotions.runtime.manifest import ModelRegistry
from emotions.text.classifier import TextClassifier
from emotions.text.tokenizer import END, MAX_WORD_LENGTH, NAME, SPECIAL_TOKENS, START, UNKNOWN, Vocabulary

PIECES = [*SPECIAL_TOKENS, *"abcdefghijklmnopqrstuvwxyz!?'.", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
          "so", "good", "##ness", "i", "love", "face", "with", "tears", "of", "joy", "http", "cool", "cafe", "don"]  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(list(dict.fromkeys(PIECES)))


def tokenize(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[number] for word in vocabulary.words(text) for number in word.token_ids]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("So GOOD", ["so", "good"]),
        ("goodness", ["good", "##ness"]),
        ("sooooo cooooool", ["so", "cool"]),
        ("Don't", ["don", "'", "t"]),
        ("don\u2019t", ["don", "'", "t"]),
        ("Café", ["cafe"]),
        ("love 😂😂😂", ["love", *["face", "with", "tears", "of", "joy"]]),
        ("I❤️", ["i", "love"]),
        ("good!!!!!!!", ["good", "!", "!", "!"]),
        ("[NAME] so", ["[NAME]", "so"]),
        ("https://example.org/a?b=c so", ["http", "so"]),
        ("你好", ["[UNK]"]),
        ("\u200b\ufe0f  \n", []),
    ],
)
def test_tokens(vocabulary, text, pieces):
    assert tokenize(vocabulary, text) == pieces


def test_words_keep_their_positions(vocabulary):
    text = "  So… don't!!\n😂 [NAME]"
    assert [text[word.start : word.end] for word in vocabulary.words(text)] == ["So", "…", "don't", "!!", "😂", "[NAME]"]


def test_encode_adds_special_tokens_and_truncates(vocabulary):
    words = vocabulary.words("[NAME] so good")
    token_ids = vocabulary.encode(words, 128)
    assert token_ids[0] == START and token_ids[1] == NAME and token_ids[-1] == END and len(token_ids) == 5
    assert len(vocabulary.encode(words * 99, 10)) == 11 - 1 + 1 - 1


def test_unusual_texts(vocabulary):
    for text in ("\ud800", "\0\x01", "𝔍𝔬𝔶", "a" * 10_000, "_" * 500, "'''", "[NAME", "1234567890" * 50, "ﬁ", "İ", "ß"):
        assert all(0 <= number < len(vocabulary) for word in vocabulary.words(text) for number in word.token_ids)


def test_vocabulary_begins_with_special_tokens():
    with pytest.raises(ValueError, match="begins with"):
        Vocabulary(["the", "a"])


GOLDEN = {
    "I loooove this, thank you 😍!!": "[CLS] i love this , thank you smiling face with heart shaped eyes ! ! [SEP]",
    "[NAME] can't be serious?? That's disgusting.": "[CLS] [NAME] can ' t be serious ? ? that ' s disgusting . [SEP]",
}


def test_golden_tokens_of_the_published_model():
    """The tokens in training: a change of the tokenizer needs a new model."""
    vocabulary = TextClassifier(ModelRegistry()).vocabulary
    for text, pieces in GOLDEN.items():
        token_ids = vocabulary.encode(vocabulary.words(text), 128)
        assert " ".join(vocabulary.tokens[number] for number in token_ids) == pieces and UNKNOWN not in token_ids


def test_the_cache_keeps_no_more_of_a_word_than_is_tokenized():
    """It outlives the texts: their words may have 100,000 characters."""
    vocabulary = TextClassifier().vocabulary
    for number in range(50):
        vocabulary.words(f"{number:03}" + "a" * 10_000)
        vocabulary.words("!" * 10_000)
    assert max(map(len, vocabulary._cache)) <= MAX_WORD_LENGTH
    (word,) = vocabulary.words("b" * 1000)
    assert word.token_ids == vocabulary.words("b" * MAX_WORD_LENGTH)[0].token_ids and (word.start, word.end) == (0, 1000)
