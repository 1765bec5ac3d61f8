"""Normalization of typed text before it is tokenized, in training and serving alike; positions in the original text are kept.

People type the same sentence in many ways: with typographic apostrophes and quotation marks, full-width or mathematical letters,
accents as separate characters, HTML entities, and with characters that nobody sees (zero-width spaces, soft hyphens, byte order
marks, variation selectors, marks of writing direction). All of them are read as the plain characters that are meant.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

APOSTROPHES = "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u02bd\u02c8\uff07\ua78c\u07f4\u055a"
QUOTATION_MARKS = "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\u301f\uff02"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d"
REPLACEMENTS = {
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(QUOTATION_MARKS, '"'),
    **dict.fromkeys(DASHES, "-"),
    **dict.fromkeys("\u2028\u2029\u0085\u000b\u000c", "\n"),
    **{mark: mark for mark in "\u00af\u00b4\u00a8\u00b8"},  # parts of emoticons; their compatibility forms begin with a space
}
"""Characters that are written for another one, which is more frequent."""
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Characters without a glyph whose category does not say so."""
SKIN_TONES = "\U0001f3fb-\U0001f3ff"
ENTITIES = {
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "nbsp": " ",
    "#39": "'",
    "#x27": "'",
    "#34": '"',
    "#x200B": "",
}
"""HTML entities that exported comments contain."""
SPECIAL = re.compile(
    rf"(?P<entity>&(?:{'|'.join(ENTITIES)});)|(?P<inner>(?<=[^\W\d_])[`\u00b4](?=[^\W\d_]))|(?P<tone>[{SKIN_TONES}])|[^\x00-\x7f]"
)
"""What may be replaced: entities, a grave or acute accent within a word, skin tones, and all that is not ASCII."""


MAX_MARKS = 30
"""Combining marks in a row that are kept, as in Unicode's stream-safe text format (UAX 15): sorting more of them takes time that
is quadratic in their number."""


@dataclass(frozen=True)
class NormalizedText:
    """A normalized text and where its characters come from.

    Attributes:
        text: The normalized text.
        starts: For each of its characters the index where its source begins in the original text; None where the texts are equal.
        ends: The index where its source ends, likewise.
    """

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text that `text[start:end]`, which must not be empty, was made of."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def compose(text: str) -> str:
    """Compose letters and accents (Unicode's NFC) in linear time: of combining marks in a row, MAX_MARKS are kept."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def normalize_text(text: str, accents: bool = False) -> NormalizedText:
    """Normalize a text in linear time.

    Args:
        text: Any text, unpaired surrogates included.
        accents: Keep accents that are one character with their letter.

    Returns:
        The normalized text. It has no invisible characters and, by default, no accents; its apostrophes and quotation marks are
        ASCII, and compatibility characters (full-width, mathematical, ligatures; Unicode's NFKC) are plain ones.
    """
    matches = list(SPECIAL.finditer(text))
    if not matches:
        return NormalizedText(text)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in (*matches, None):
        first, last = match.span() if match else (len(text), len(text))
        pieces.append(text[at:first])
        starts.extend(range(at, first))
        ends.extend(range(at + 1, first + 1))
        if match:
            plain = _replacement(match, accents)
            pieces.append(plain)
            starts.extend([first] * len(plain))
            ends.extend([last] * len(plain))
        at = last
    return NormalizedText("".join(pieces), starts, ends)


def _replacement(match: re.Match[str], accents: bool) -> str:
    if match.lastgroup == "entity":
        return ENTITIES[match.group()[1:-1]]
    if match.lastgroup == "inner":
        return "'"
    return "" if match.lastgroup == "tone" else _plain(match.group(), accents)


@lru_cache(maxsize=4096)
def _plain(character: str, accents: bool) -> str:
    """Return what a character that is not ASCII is read as: nothing if it is invisible or a combining mark."""
    if character in REPLACEMENTS:
        return REPLACEMENTS[character]
    category = unicodedata.category(character)
    if category == "Cf" or category.startswith("M") or character in FILLERS:
        return ""
    if category == "Zs":
        return " "
    compatible = unicodedata.normalize("NFKC", character)
    if accents:
        return compatible
    plain = "".join(part for part in unicodedata.normalize("NFD", compatible) if not unicodedata.category(part).startswith("M"))
    plain = "".join(REPLACEMENTS.get(part, part) for part in plain)
    return plain if plain.strip() or not compatible.strip() else character
