"""The one reading of texts that training and serving share, held by a golden list."""

from __future__ import annotations

import pytest

from emotions.runtime.manifest import ModelRegistry
from emotions.text.classifier import TextClassifier
from emotions.text.tokenizer import END, NAME, SPECIAL_TOKENS, START, UNKNOWN, Vocabulary

PIECES = [*SPECIAL_TOKENS, *"abcdefghijklmnopqrstuvwxyz!?'.", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
          "so", "good", "##ness", "i", "love", "face", "with", "tears", "of", "joy", "http", "cool", "cafe", "don"]  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(list(dict.fromkeys(PIECES)))


def read(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[row] for word in vocabulary.words(text) for row in word.token_ids]


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
def test_reading(vocabulary, text, pieces):
    assert read(vocabulary, text) == pieces


def test_words_keep_their_places(vocabulary):
    text = "  So… don't!!\n😂 [NAME]"
    assert [text[word.start : word.end] for word in vocabulary.words(text)] == ["So", "…", "don't", "!!", "😂", "[NAME]"]


def test_rows_begin_and_end_and_are_cut(vocabulary):
    words = vocabulary.words("[NAME] so good")
    rows = vocabulary.encode(words, 128)
    assert rows[0] == START and rows[1] == NAME and rows[-1] == END and len(rows) == 5
    assert len(vocabulary.encode(words * 99, 10)) == 11 - 1 + 1 - 1


def test_no_text_breaks_it(vocabulary):
    for text in ("\ud800", "\0\x01", "𝔍𝔬𝔶", "a" * 10_000, "_" * 500, "'''", "[NAME", "1234567890" * 50, "ﬁ", "İ", "ß"):
        assert all(0 <= row < len(vocabulary) for word in vocabulary.words(text) for row in word.token_ids)


def test_a_vocabulary_begins_with_the_special_rows():
    with pytest.raises(ValueError, match="begins with"):
        Vocabulary(["the", "a"])


GOLDEN = {
    "I loooove this, thank you 😍!!": "[CLS] i love this , thank you smiling face with heart shaped eyes ! ! [SEP]",
    "[NAME] can't be serious?? That's disgusting.": "[CLS] [NAME] can ' t be serious ? ? that ' s disgusting . [SEP]",
}


def test_the_served_model_reads_as_it_learnt_to():
    """What training saw for these texts: a change of reading wants a new model."""
    vocabulary = TextClassifier(ModelRegistry()).vocabulary
    for text, pieces in GOLDEN.items():
        rows = vocabulary.encode(vocabulary.words(text), 128)
        assert " ".join(vocabulary.tokens[row] for row in rows) == pieces and UNKNOWN not in rows
