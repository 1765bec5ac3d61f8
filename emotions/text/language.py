"""Language check of texts: English or not, judged by script and words.

The text model is trained on English only. No language is identified. A text is rejected if most of its letters are of a
non-Latin script, if frequent words of other languages outnumber English function words, or if too few of its words are English.
Comments contain slang, names and misspellings, so short texts are accepted if the evidence is ambiguous.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from .emoticons import EMOTICON
from .normalization import compose, normalize_text
from .tokenizer import CODE, ELONGATED, EMOJI, normalize


def _read_word_list(file: str) -> frozenset[str]:
    """Read the words of a UTF-8 file beside this module; lines that start with # are comments."""
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


NON_ENGLISH_WORDS = _read_word_list("non_english_words.txt")
"""Most frequent words of other languages in Latin script, without accents. Some are English words too; a word in the model's list
of English words counts as English (see scripts/text/vocabulary.py)."""
FUNCTION_WORDS = _read_word_list("english_function_words.txt")
"""English function words."""
IGNORED = re.compile(rf"\[(?:NAME|RELIGION)\]|(?:https?://|www\.)\S+|{CODE.pattern}|[@#]\w+|\b[ur]/\w+")
"""GoEmotions' masks, links, code, user names and tags: they say nothing about the language."""
LETTER_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
MIN_ENGLISH_SHARE = 0.5
"""Minimum share of English words in a text of at least MIN_WORDS words."""
MIN_WORDS = 4
"""Number of words from which the strict rules apply; shorter texts are accepted if the evidence is ambiguous."""


def letter_words(text: str) -> list[str]:
    """Extract the words of `text` with their accents, without invisible characters, emoticons and what matches IGNORED."""
    plain = normalize_text(compose(text), accents=True).text
    return LETTER_WORD.findall(EMOTICON.sub(" ", IGNORED.sub(" ", plain)))


def is_empty(text: str) -> bool:
    """Return True if `text` has no letter or digit and no emoji or emoticon outside of code."""
    plain = CODE.sub(" ", normalize_text(text).text)
    return not (any(map(str.isalnum, plain)) or EMOJI.search(plain) or EMOTICON.search(plain))


def is_english(words: list[str], english: Collection[str]) -> bool:
    """Return True if a text is English, or too short to be classified as another language.

    Args:
        words: The text's words as `letter_words` extracts them. A text without any (an emoji, a number) is accepted.
        english: Known English words as `tokenizer.normalize` returns them. A word in it counts as English even if it is also
            one of NON_ENGLISH_WORDS.
    """
    letters = [letter for word in words for letter in word if letter.isalpha()]
    if not letters:
        return True
    if 2 * sum(_is_latin(letter) for letter in letters) < len(letters):
        return False
    normalized = [normalize(word) for word in words]
    known = [_is_known(word, english) for word in normalized]
    if len(words) < MIN_WORDS:
        other = sum(
            not is_known and (word in NON_ENGLISH_WORDS or not original.isascii())
            for word, is_known, original in zip(normalized, known, words, strict=True)
        )
        return sum(known) > other or not other and (len(words) < MIN_WORDS - 1 or any(known))
    accented = sum(not word.isascii() for word in words)
    other = accented + sum(
        word in NON_ENGLISH_WORDS and not is_known and original.isascii()
        for word, is_known, original in zip(normalized, known, words, strict=True)
    )
    function_words = sum(word in FUNCTION_WORDS and original.isascii() for word, original in zip(normalized, words, strict=True))
    return other <= function_words and sum(known) >= MIN_ENGLISH_SHARE * len(words)


def _is_known(word: str, english: Collection[str]) -> bool:
    """Look up a word, its part before an apostrophe, and its forms without elongated letters."""
    return any(form in english for form in (word, word.split("'")[0], ELONGATED.sub(r"\1", word), ELONGATED.sub(r"\1\1", word)))


def _is_latin(letter: str) -> bool:
    # Mathematical letters are Latin ones in a fancy font, as social media use them.
    if letter.isascii():
        return True
    name = unicodedata.name(letter, "")
    return name.startswith("LATIN") or "MATHEMATICAL" in name
