"""Whether a text is in English, the one language the text model knows: by its script and its words.

No language is named: what matters is only whether the model's training says anything about the text. A text is refused where
most letters are of another script; where other languages' commonest words outnumber English ones; or where too few of its words
are English. Slang, names and misspellings are common in comments, so short texts get the benefit of the doubt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from .foreign_words import FOREIGN
from .tokenizer import DRAWN_OUT, EMOJI, plain

ASIDE = re.compile(r"\[(?:NAME|RELIGION)\]|(?:https?://|www\.)\S+|[@#]\w+|\b[ur]/\w+")
"""GoEmotions' masks, links, handles and tags: of no language."""
WRITTEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
EMOTICON = re.compile(
    r"[:;=8xX][-o*'\u2019]?[()\[\]DPpOoSs/\\|3<>*]|[()\[\]D][-o*']?[:;=]|<3|\^[_.]*\^|[>-][_.]+[<-]|T_+T|\\o/|\u00af\\"
)

FUNCTION_WORDS = frozenset(
    "the a an and or but if of to in on at by for from with as is are was were be been am i you he she it we they me him "
    "her us them my your his its our their this that these those not no do does did have has had will would can could "
    "should so what who how why when where which there here all any some just like don't i'm it's that's you're can't "
    "didn't doesn't isn't won't i've i'll".split()
)
LEAST_ENGLISH = 0.5
"""Share of a text's words that must be English, from MANY words on."""
MANY = 4


def written_words(text: str) -> list[str]:
    """The words of `text` as they are written, without what is of no language."""
    return WRITTEN.findall(ASIDE.sub(" ", text))


def says_nothing(text: str) -> bool:
    """Whether there is neither a letter or digit, nor an emoji or emoticon."""
    return not (any(map(str.isalnum, text)) or EMOJI.search(text) or EMOTICON.search(text))


def is_english(words: list[str], english: Collection[str]) -> bool:
    """Whether a text of these words (as written, letters only inside) is English, or too short to be told otherwise.

    `english` holds known words as `tokens.plain` gives them; a word in it is English, whatever else it is. No words at all (an
    emoji, a number) is fine.
    """
    letters = [letter for word in words for letter in word if letter.isalpha()]
    if not letters:
        return True
    if 2 * sum(_latin(letter) for letter in letters) < len(letters):
        return False
    words = [word.replace("\u2019", "'") for word in words]
    read = [plain(word) for word in words]
    known = [_known(word, english) for word in read]
    foreign = [word in FOREIGN or not written.isascii() for word, written in zip(read, words, strict=True)]
    if len(read) < MANY:
        telling = sum(there and not ours for there, ours in zip(foreign, known, strict=True))
        return sum(known) > telling or not telling and (len(read) < MANY - 1 or any(known))
    accented = sum(not word.isascii() for word in words)
    elsewhere = accented + sum(
        word in FOREIGN and not ours and written.isascii() for word, ours, written in zip(read, known, words, strict=True)
    )
    ours = sum(word in FUNCTION_WORDS and written.isascii() for word, written in zip(read, words, strict=True))
    return elsewhere <= ours and sum(known) >= LEAST_ENGLISH * len(read)


def _known(word: str, english: Collection[str]) -> bool:
    return any(form in english for form in (word, word.split("'")[0], DRAWN_OUT.sub(r"\1", word), DRAWN_OUT.sub(r"\1\1", word)))


def _latin(letter: str) -> bool:
    return (
        letter.isascii() or unicodedata.name(letter, "").startswith("LATIN") or "MATHEMATICAL" in unicodedata.name(letter, "")
    )
