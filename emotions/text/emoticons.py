"""Emoticons, Western (`:(`, `xD`) and Japanese (`T_T`, table flips), and the words that are read in their place."""

from __future__ import annotations

import re
from pathlib import Path

from .normalization import normalize_text

WORDS = {
    "happy": "smiling face happy",
    "laughing": "face with tears of joy",
    "wink": "winking face",
    "playful": "playful face",
    "love": "love",
    "sad": "sad face",
    "crying": "crying face sad",
    "heartbroken": "broken heart sad",
    "angry": "angry face",
    "afraid": "scared face afraid",
    "surprised": "wow surprised",
    "annoyed": "annoyed",
    "confused": "confused face",
    "disgusted": "disgusting",
    "shrug": "shrug",
}
"""Use of an emoticon to the words that are read in its place."""

MOUTHS = {
    ")": "happy", "]": "happy", "}": "happy", ">": "happy", "3": "happy", "D": "laughing",
    "(": "sad", "[": "sad", "{": "sad", "<": "sad", "c": "sad", "C": "sad",
    "/": "confused", "\\": "confused", "|": "annoyed", "S": "confused", "s": "confused",
    "O": "surprised", "o": "surprised", "0": "surprised",
    "P": "playful", "p": "playful", "*": "love", "@": "angry", "#": "disgusted", "&": "disgusted",
}  # fmt: skip
"""Mouth of a Western emoticon to its use."""


def _read_uses(file: str) -> dict[str, str]:
    """Read emoticons, normalized, with their uses from a UTF-8 file beside this module; lines that start with # are comments."""
    lines = [line.split() for line in Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return {normalize_text(emoticon).text: use for use, *emoticons in lines for emoticon in emoticons}


USES = _read_uses("emoticons.txt")
"""Emoticon that is listed to its use."""
EMOTICON = re.compile(
    # before a Western one: no digit (10:30), and no letter unless its mouth is a round bracket ("home:(")
    r"(?<!\d)(?:(?<![^\W_])|(?=[:;=]['-]?[()]))(?P<brow>[>}|]?)(?P<eyes>[:;=])(?P<tear>['\u00b4,]?)[-o~^]?"
    r"(?P<mouth>[)\]}>(\[{<]+|[/\\|@#&*]|D+|[OoPpSscC03])(?![^\s.,!?;:)\"'\u2000-\U0010ffff])"
    r"|(?<![^\s.,!?;(\"'\u2000-\U0010ffff])(?P<other>"
    + "|".join(map(re.escape, sorted(USES, key=len, reverse=True)))
    + r")(?![\w/])"
)
"""An emoticon in a normalized text, which must not be a part of a word, a number or an address."""


def emoticon_words(match: re.Match[str]) -> str:
    """Return the words for a match of EMOTICON."""
    if match["other"]:
        return WORDS[USES[match["other"]]]
    use = MOUTHS[match["mouth"][0]]
    if match["tear"]:
        use = {"sad": "crying", "happy": "laughing"}.get(use, use)
    if match["brow"] and use in ("sad", "confused", "annoyed"):
        use = "angry"
    if match["eyes"] == ";" and use in ("happy", "laughing"):
        use = "wink"
    return WORDS[use]
