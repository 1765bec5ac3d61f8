"""Normalization of typed text before it is tokenized, in training and serving alike; positions in the original text are kept.

People type the same sentence in many ways: with typographic apostrophes and quotation marks, full-width or mathematical letters,
accents as separate characters, HTML entities, and with characters that nobody sees (zero-width spaces, soft hyphens, byte order
marks, variation selectors, marks of writing direction, control characters). Programs decode UTF-8 as Windows-1252, and that as
Latin-1. All of them are read as the plain characters that are meant.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

APOSTROPHES = (
    "\u2018\u2019\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\uff07\ua78c\u07f4\u055a\u05f3"
    "\u1fbd\u1fbf\u1ffe\u275b\u275c"
)
QUOTATION_MARKS = (
    "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u2039\u203a\u2e42\u3008\u3009\u300a\u300b\u300c\u300d\u300e\u300f\u301d\u301e"
    "\u301f\uff02\uff62\uff63\u275d\u275e"
)
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d"
REPLACEMENTS = {
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(QUOTATION_MARKS, '"'),
    **dict.fromkeys(DASHES, "-"),
    **dict.fromkeys("\u2028\u2029\u0085\u000b\u000c", "\n"),
    # parts of emoticons: their compatibility forms begin with a space, or are brackets or a low line
    **{mark: mark for mark in "\u00af\u00b4\u00a8\u00b8\ufe4f\ufe35\ufe36\ufe39\ufe3f"},
    "\u2800": " ",  # Braille pattern without dots
    **dict.fromkeys("\ufffc\ufffd", ""),  # an object that was embedded, a character that was lost
}
"""Characters that are written for another one, which is more frequent."""
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Characters without a glyph whose category does not say so."""
ZWJ = "\u200d"
"""Zero-width joiner, of which emoji are composed."""
SKIN_TONES = "\U0001f3fb-\U0001f3ff"
STYLED_LETTER = re.compile(
    r"(?:PARENTHESIZED|NEGATIVE CIRCLED|(?:CROSSED )?NEGATIVE SQUARED) LATIN (?:CAPITAL|SMALL) LETTER ([A-Z])"
    r"|LATIN LETTER SMALL CAPITAL ([A-Z])"
)
"""Unicode name of a letter in a fancy font that has no compatibility form, or one with brackets."""
WINDOWS_1252 = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0x100)}
"""Byte to the character that a program shows which takes it for Windows-1252."""
CONTINUATION = "[" + "".join(re.escape(WINDOWS_1252[byte]) for byte in range(0x80, 0xC0)) + "]"
"""Character class of the bytes that continue a character of UTF-8."""
BYTE_OF = {character: byte for byte, character in WINDOWS_1252.items()}
LATIN = "[A-Za-z\u00c0-\u024f\uff21-\uff5a\U0001d400-\U0001d7ff]"
SPECIAL = re.compile(
    r"(?P<entity>&(?:amp;){0,2}(?P<name>(?:\#\d{1,7}|\#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,24});))"
    rf"|(?P<inner>(?<={LATIN})[`\u00b4\u1fef\uff40\ufffd](?={LATIN}))"
    rf"|(?P<tone>[{SKIN_TONES}])"
    # punctuation and symbols, letters with accents, and emoji in UTF-8 that was decoded as Windows-1252
    rf"|(?P<mojibake>\u00e2{CONTINUATION}{{2}}|[\u00c2\u00c3]{CONTINUATION}|\u00f0\u0178{CONTINUATION}{{2}}|\u00ef\u00b8{CONTINUATION})"
    r"|(?P<control>\x1b\[[\d;]{0,16}[A-Za-z]|[\x00-\x08\x0e-\x1b\x7f])"
    r"|[^\x00-\x7f]"
)
"""What may be replaced: HTML entities, also those of which the ampersand was escaped again; a grave or acute accent, or a
character that was lost, within a word; skin tones; control characters and codes of terminals; all that is not ASCII."""


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
        plain = _replacement(match, accents) if match else ""
        if plain is None:
            continue
        pieces.append(text[at:first])
        starts.extend(range(at, first))
        ends.extend(range(at + 1, first + 1))
        if match and not plain and ends and ends[-1] == first and _is_attached(match.group()):
            ends[-1] = last
        pieces.append(plain)
        starts.extend([first] * len(plain))
        ends.extend([last] * len(plain))
        at = last
    return NormalizedText("".join(pieces), starts, ends)


def _replacement(match: re.Match[str], accents: bool) -> str | None:
    """Return what a match of SPECIAL is read as; None for ordinary text, such as an entity that HTML does not have."""
    found = match.group()
    if match.lastgroup == "entity":
        meant = html.unescape("&" + match["name"])
        return None if meant.endswith(match["name"]) else _plain_all(meant, accents)
    if match.lastgroup == "inner":
        return "'"
    if match.lastgroup in ("tone", "control"):
        return ""
    if match.lastgroup == "mojibake":
        try:
            return _plain_all(bytes(BYTE_OF[character] for character in found).decode("utf-8"), accents)
        except UnicodeDecodeError:
            return _plain_all(found, accents)
    return _plain(found, accents)


def _plain_all(text: str, accents: bool) -> str:
    return "".join(character if character.isascii() else _plain(character, accents) for character in text)


@lru_cache(maxsize=4096)
def _plain(character: str, accents: bool) -> str:
    """Return what a character that is not ASCII is read as: nothing if it is invisible or a combining mark."""
    if character in REPLACEMENTS:
        return REPLACEMENTS[character]
    category = unicodedata.category(character)
    if category in ("Cf", "Co") or category.startswith("M") or character in FILLERS or _is_noncharacter(character):
        return ""
    if category == "Cc":  # of Windows-1252 that was decoded as Latin-1
        meant = WINDOWS_1252[ord(character)]
        return "" if meant == character else _plain(meant, accents)
    if category == "Zs":
        return " "
    name = unicodedata.name(character, "")
    if styled := STYLED_LETTER.fullmatch(name):
        letter = styled[1] or styled[2]
        return letter.lower() if "SMALL" in name else letter
    compatible = unicodedata.normalize("NFKC", character)
    if accents and not compatible.startswith((" ", "\u3099", "\u309a")):  # accents that stand alone are parts of emoticons
        return compatible
    plain = "".join(part for part in unicodedata.normalize("NFD", compatible) if not unicodedata.category(part).startswith("M"))
    plain = "".join(REPLACEMENTS.get(part, part) for part in plain)
    return plain if plain.strip() or not compatible.strip() else character


def _is_attached(found: str) -> bool:
    """Return True for what forms one visible character with the one before: accents, variations, skin tones, joiners, tags."""
    return (
        unicodedata.category(found[0])[0] == "M" or "\U0001f3fb" <= found <= "\U0001f3ff" or found == ZWJ or found > "\U000e0000"
    )


def _is_noncharacter(character: str) -> bool:
    return ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
