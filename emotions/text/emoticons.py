"""Emoticons, Western (`:(`, `xD`) and Japanese (`T_T`, table flips), and the words that are read in their place."""

from __future__ import annotations

import re
from pathlib import Path

from .normalization import normalize_text

WORDS = {
    "happy": "smiling face happy glad",
    "laughing": "face with tears of joy",
    "wink": "winking smiling face happy",
    "playful": "playful face happy glad",
    "love": "love",
    "sad": "sad face",
    "crying": "crying face sad",
    "heartbroken": "broken heart sad",
    "angry": "angry face",
    "embarrassed": "embarrassed",
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
    "P": "playful", "p": "playful", "*": "love", "@": "angry", "#": "disgusted", "&": "disgusted", "$": "embarrassed",
}  # fmt: skip
"""Mouth of a Western emoticon to its use."""


def _read_uses(file: str) -> dict[str, str]:
    """Read emoticons, normalized, with their uses from a UTF-8 file beside this module; lines that start with # are comments."""
    lines = [line.split() for line in Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return {normalize_text(emoticon).text: use for use, *emoticons in lines for emoticon in emoticons}


USES = _read_uses("emoticons.txt")
"""Emoticon that is listed to its use."""


def _read_parts(file: str) -> dict[str, dict[str, str]]:
    """Read the parts of Japanese faces from a UTF-8 file beside this module: part to character, normalized, to its use."""
    parts: dict[str, dict[str, str]] = {}
    for line in Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            part, use, *characters = line.split()
            parts.setdefault(part, {}).update(dict.fromkeys((normalize_text(one).text for one in characters), use))
    return parts


PARTS = _read_parts("kaomoji.txt")
ANGER_MARKS = frozenset("\u256c\u51f8#\u266f\u256f\u251b\u253b")
"""A vein, a gesture, crosses, arms that throw and a table: they make a Japanese face an angry one."""
KOREAN_TEARS, KOREAN_LAUGHTER = "\u1172\u116e", "\u110f\u1112"
"""Vowels that look like weeping eyes, and consonants that sound like laughter, as normalized."""


def _one_of(part: str) -> str:
    return "[" + "".join(map(re.escape, PARTS[part])) + "]"


def _longer(emoticon: str) -> str:
    """Return a regular expression for an emoticon that is listed and its longer forms: `T___T`, `xDDD`, `<3333`."""
    pattern = re.escape(emoticon).replace("_", "_{1,20}")
    return pattern + "{1,20}" if emoticon[-1] in "D3" else pattern


BOUNDARY = r"(?<![^\s.,!?;(\"'\u2000-\U0010ffff])"
FACE = (
    rf"(?:(?<!\w){_one_of('outside')}{{1,6}}|(?<![^\W_]))"
    r"(?P<face>[(\u0295]{1,5}(?=[^()]{0,12}[^\x00-\x7f])"
    rf"(?:{_one_of('decoration')}|\ ){{0,4}}(?P<left>{_one_of('eyes')}{{1,2}})\ ?(?P<lips>{_one_of('mouth')}{{1,3}})\ ?"
    rf"(?P<right>{_one_of('eyes')}{{1,2}})(?:{_one_of('decoration')}|\ ){{0,4}}[)\u0294]{{1,5}})"
    rf"(?:{_one_of('outside')}{{1,6}}(?![^\W_]))?(?:\ ?[\u5f61\ufe35]{{0,2}}\ ?\u253b\u2501+\u253b)?"
)
"""A Japanese face between brackets, with arms, and the table that it throws; it has at least one character beyond ASCII."""
EMOTICON = re.compile(
    # before a Western one: no digit (10:30), and no letter unless its mouth is a round bracket ("home:(")
    r"(?<!\d)(?:(?<![^\W_])|(?=[:;=]['-]?[()]))(?P<brow>[>}|]?)(?P<eyes>[:;=])(?P<tear>['\u00b4,]?)[-o~^]?"
    r"(?P<mouth>[)\]}>(\[{<]+|[/\\|@#&*$]|D+|[OoPpSscC03])(?![^\s.,!?;:)\"'\u2000-\U0010ffff])"
    r"|(?<!\S)(?P<apart>:\ (?:\)+|\(+))(?!\S)"
    rf"|{FACE}"
    rf"|{BOUNDARY}(?P<other>{'|'.join(map(_longer, sorted(USES, key=len, reverse=True)))}"
    rf"|[{KOREAN_TEARS}]{{2,20}}|[{KOREAN_LAUGHTER}]{{2,20}})"
    r"(?![\w/])"
)
"""An emoticon in a normalized text, which must not be a part of a word, a number or an address."""


def emoticon_words(match: re.Match[str]) -> str:
    """Return the words for a match of EMOTICON."""
    if match["other"]:
        return WORDS[_listed_use(match["other"])]
    if match["apart"]:
        return WORDS[MOUTHS[match["apart"][-1]]]
    if match["face"]:
        return WORDS[face_use(match)]
    use = MOUTHS[match["mouth"][0]]
    if match["tear"]:
        use = {"sad": "crying", "happy": "laughing"}.get(use, use)
    if match["brow"] and use in ("sad", "confused", "annoyed", "surprised"):
        use = "angry"
    if match["eyes"] == ";" and use in ("happy", "laughing"):
        use = "wink"
    return WORDS[use]


def _listed_use(emoticon: str) -> str:
    """Return the use of an emoticon that is listed, of a longer form of one, or of Korean tears and laughter."""
    if emoticon[0] in KOREAN_TEARS + KOREAN_LAUGHTER:
        return "crying" if emoticon[0] in KOREAN_TEARS else "laughing"
    if emoticon in USES:
        return USES[emoticon]
    return next(use for listed, use in USES.items() if re.fullmatch(_longer(listed), emoticon))


def face_use(match: re.Match[str]) -> str:
    """Return the use of a Japanese face: its mouth decides unless the eyes weep, brows or a vein show anger."""
    left, right = match["left"][-1], match["right"][0]
    mouths = {PARTS["mouth"][one] for one in match["lips"]}
    eyes = PARTS["eyes"][left]
    if "angry" in mouths or ANGER_MARKS & set(match.group()) or (left, right) == ("`", "\u00b4"):
        return "angry"
    if eyes == "crying":
        return "crying"
    if (left, right) == ("\u00b4", "`"):
        return "happy" if "happy" in mouths else "crying"
    if "sad" in mouths:
        return "sad"
    if eyes == "angry":
        return "angry"
    if "open" in mouths and eyes == "surprised":
        return "afraid" if match["lips"] not in ("O", "o") else "surprised"
    return "happy" if mouths & {"happy", "open"} or eyes == "brows" else eyes
