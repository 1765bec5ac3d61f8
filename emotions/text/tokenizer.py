"""Text to word pieces: the one function that training, evaluation and serving share.

Text is read word by word, each word keeping its place in the text, so that an answer can point at the words it came from. A
word's pieces are BERT's uncased WordPiece (Wu et al., 2016; Devlin et al., 2019) over the model's own, smaller vocabulary,
after three changes: drawn-out letters are shortened ("soooo" to "so"), an emoji becomes its Unicode name ("loudly crying
face") or what people mean by it, and a run of one punctuation mark counts as three at most.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PAD, UNKNOWN, START, END, NAME, RELIGION = range(6)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[NAME]", "[RELIGION]")
"""The first rows of every vocabulary; the last two are GoEmotions' masks."""
LONGEST_WORD = 60
"""Letters of a word that are looked at; longer ones are links and noise."""
CACHED_WORDS = 20_000
EMOJI = re.compile("[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\u2764\u3030\u303d]")
UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Joiners, variation selectors and skin tones: they change how a neighbour looks, and say nothing themselves."""
WORD = re.compile(
    r"\[(?:NAME|RELIGION)\]"
    r"|(?:https?://|www\.)\S+"
    r"|[^\W_]+(?:['\u2019][^\W_]+)*"
    r"|(?P<mark>[^\w\s]|_)(?P=mark)*"
)
MEANT = {
    **dict.fromkeys("\U0001f621\U0001f92c\U0001f624", "angry"),
    **dict.fromkeys("\U0001f922\U0001f92e", "disgusting"),
    **dict.fromkeys("\U0001f62e\U0001f62f\U0001f632", "wow surprised"),
    **dict.fromkeys("\U0001f644\U0001f612", "annoyed"),
    **dict.fromkeys("\u2764\u2665\U0001f499\U0001f49a\U0001f49b\U0001f49c\U0001f5a4\U0001f9e1\U0001f90d", "love"),
}
"""Emoji whose Unicode name says another thing ("pouting face", "heavy black heart") -> what they are used for."""
DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, emoji or run of punctuation: `text[start:end]`, and its pieces as rows of the vocabulary (none where it says
    nothing)."""

    start: int
    end: int
    pieces: tuple[int, ...]


def plain(word: str) -> str:
    """`word` in lower case without accents, as BERT's uncased models read it."""
    word = word.lower().replace("\u2019", "'")
    if word.isascii():
        return word
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if unicodedata.category(letter) != "Mn")


class Vocabulary:
    """The pieces a model knows, in the order of its rows; `pieces` that follow a word's first begin with `##`."""

    def __init__(self, pieces: Sequence[str]) -> None:
        if tuple(pieces[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIAL)}")
        self.pieces = tuple(pieces)
        self._rows = {piece: row for row, piece in enumerate(pieces)}
        self._cache: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.pieces)

    def __contains__(self, piece: str) -> bool:
        return piece in self._rows

    def row(self, piece: str) -> int:
        """The row of a piece, that of `[UNK]` where there is none."""
        return self._rows.get(piece, UNKNOWN)

    def words(self, text: str) -> list[Word]:
        """The words of `text` in its order, with their places and pieces; white space and unseen characters belong to none."""
        return [Word(match.start(), match.end(), self._word(match.group())) for match in WORD.finditer(text)]

    def rows(self, words: Iterable[Word], limit: int) -> list[int]:
        """What the network reads: start, the words' pieces (as many as make `limit` rows in all), end."""
        rows = [START]
        for word in words:
            rows.extend(word.pieces)
        return [*rows[: limit - 1], END]

    def _word(self, word: str) -> tuple[int, ...]:
        found = self._cache.get(word)
        if found is None:
            if len(self._cache) >= CACHED_WORDS:
                self._cache.clear()
            found = self._cache[word] = tuple(self._read(word))
        return found

    def _read(self, word: str) -> list[int]:
        if word in SPECIAL:
            return [self._rows[word]]
        first = word[0]
        if UNSEEN.match(first):
            return []
        if EMOJI.match(first):
            meant = MEANT.get(first) or unicodedata.name(first, "").lower().replace("-", " ")
            return [row for part in meant.split() for row in self._pieces(part)]
        if not (first.isalnum() or first == "_"):
            return [row for mark in word[:3] for row in self._pieces(plain(mark))]
        if word.startswith(("http://", "https://", "www.")):
            return self._pieces("http")
        parts = re.split("(')", plain(word[:LONGEST_WORD]))
        return [row for part in parts if part for row in self._pieces(self._shorten(part))]

    def _shorten(self, word: str) -> str:
        """`word` with letters that stand three times and more written twice or once, whichever is a known word."""
        if not DRAWN_OUT.search(word):
            return word
        twice, once = DRAWN_OUT.sub(r"\1\1", word), DRAWN_OUT.sub(r"\1", word)
        return twice if twice in self._rows and self._rows[twice] < self._rows.get(once, len(self)) else once

    def _pieces(self, word: str) -> list[int]:
        """Greedy longest match first; a word with a character that is in no piece is one unknown."""
        rows, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                row = self._rows.get(("##" if start else "") + word[start:end])
                if row is not None:
                    break
            else:
                return [UNKNOWN]
            rows.append(row)
            start = end
        return rows


def read_vocabulary(data: bytes) -> Vocabulary:
    """A vocabulary from a file's bytes: UTF-8, one piece a line."""
    return Vocabulary(data.decode("utf-8").removesuffix("\n").split("\n"))


# A long text cut into what the network reads at once: sentences, and pieces of sentences that are too long.

BREAK = re.compile(r"(?<=[.!?\u2026])[\"'\u2019\u201d)\]]*\s+|\s*\n\s*")
ABBREVIATION = re.compile(r"(?:^|\W)(?:mr|mrs|ms|dr|st|prof|vs|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence, without the white space around it.

    A sentence ends at a full stop, question or exclamation mark or ellipsis before white space, and at a line's end; not
    behind a title or a single letter.
    """
    start = 0
    for found in BREAK.finditer(text):
        if "\n" not in found.group() and ABBREVIATION.search(text[max(start, found.start() - 8) : found.start()]):
            continue
        yield from _trimmed(text, start, found.end())
        start = found.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    inner = text[start:end]
    if stripped := inner.strip():
        begun = start + inner.index(stripped[0])
        yield begun, begun + len(stripped)


def runs(words: list[Word], limit: int) -> Iterator[list[Word]]:
    """`words` in runs of at most `limit` pieces; a word of more is a run of its own."""
    run: list[Word] = []
    room = limit
    for word in words:
        if run and len(word.pieces) > room:
            yield run
            run, room = [], limit
        run.append(word)
        room -= len(word.pieces)
    if run:
        yield run
