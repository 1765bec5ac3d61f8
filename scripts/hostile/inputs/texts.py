"""Hostile texts, and requests that send them to the API as JSON and to the page as a form."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote_plus

from .mutation import log_uniform, mutate
from .requests import Headers, post

WORDS = (
    "love",
    "hate",
    "I",
    "the",
    "scared",
    "wow",
    "meeting",
    "not",
    "ugh",
    "so",
    "happy",
    "lol",
    "can't",
    "why",
    "tears",
    "what",
)
SPACES = (" ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u200b", "\ufeff", "\u2028", "\x0b", "\x85", " \n", "\n \n")
MARKS = ("\u0301", "\u0489", "\u20dd", "\ufe0f", "\u200d", "\u202e", "\U000e0061", "\u0e47")
EMOJI = ("😱", "😂", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "🇩🇪", "👍🏿", ":-)", ":(", "<3")
MAX_CHARACTERS = 100_000
LONG_SHARE = 0.15
"""Share of the texts that are as long as permitted or longer; the others are short."""


def length(random: Random) -> int:
    """Draw a number of characters: mostly few, sometimes about the largest that is permitted."""
    if random.random() < LONG_SHARE:
        return random.choice((MAX_CHARACTERS, MAX_CHARACTERS - 1, MAX_CHARACTERS + 1, 3 * MAX_CHARACTERS, 10**6))
    return log_uniform(random, 1, 8000)


def repeated(piece: str, random: Random) -> str:
    """Return `piece` repeated to a random length."""
    size = length(random)
    return (piece * (size // len(piece) + 1))[:size]


def spaces(random: Random) -> str:
    """Return one kind of space, with or without a word around or within."""
    text = repeated(random.choice(SPACES), random)
    where = random.randrange(len(text) + 1)
    return random.choice((text, "a" + text + "b", text[:where] + random.choice(WORDS) + text[where:]))


def sentence(random: Random, words: int) -> str:
    return " ".join(random.choices(WORDS, k=words)) + random.choice((".", "!", "?!", "...", "", "\n"))


def chat(random: Random) -> str:
    """Return a chat log: many short lines, some with times and names."""
    size, lines, total = length(random), [], 0
    while total < size:
        stamp = random.choice(("", "", f"[{random.randrange(24):02d}:{random.randrange(60):02d}] ann: "))
        lines.append(stamp + sentence(random, random.randint(1, 6)))
        total += len(lines[-1]) + 1
    return "\n".join(lines)[:size]


def marks(random: Random) -> str:
    """Return letters with up to thousands of combining marks each."""
    pile = "".join(random.choices(MARKS, k=log_uniform(random, 1, 3000)))
    return repeated(random.choice("aeoz") + pile, random)


def emoji(random: Random) -> str:
    return repeated(random.choice(EMOJI) + random.choice(("", " ", random.choice(MARKS))), random)


def surrogates(random: Random) -> str:
    """Return halves of surrogate pairs and other code points that no character has."""
    points = (0xD800, 0xDFFF, 0xDBFF, 0xFFFE, 0xFFFF, 0x10FFFF, 0, 1, 0x7F, 0xFDD0)
    return "".join(chr(random.choice(points)) + random.choice(("", "I love it. ")) for _ in range(log_uniform(random, 1, 2000)))


def one_word(random: Random) -> str:
    """Return a word without end, of one letter, several or letters of all scripts."""
    letters = random.choice(("a", "ab", "'", "-", ".", "@", "é", "ß", "İ", "中", "ا", "x."))
    if random.random() < 0.3:
        letters = "".join(chr(random.choice((random.randrange(97, 123), random.randrange(0x100, 0xD7FF)))) for _ in range(50))
    return repeated(letters, random)


def punctuation(random: Random) -> str:
    return repeated(
        "".join(random.choices(".!?,;:'\"()[]{}<>/\\*_~`|#%^&=+-", k=random.randint(1, 6))) + random.choice(("", " ", "a")),
        random,
    )


def prose(random: Random) -> str:
    size = length(random)
    return " ".join(sentence(random, 12) for _ in range(size // 40 + 1))[:size]


def unicode_noise(random: Random) -> str:
    count = log_uniform(random, 1, 5000)
    return "".join(chr(random.choice((random.randrange(0xD800), random.randrange(0xE000, 0x110000)))) for _ in range(count))


TEXTS: tuple[Callable[[Random], str], ...] = (
    spaces, chat, marks, emoji, surrogates, one_word, punctuation, prose, unicode_noise,
)  # fmt: skip


def one_text(random: Random) -> bytes:
    """Return the JSON of one text."""
    body = {"text": random.choice(TEXTS)(random)} | _switches(random)
    return json.dumps(body, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def many_texts(random: Random) -> bytes:
    """Return the JSON of up to 1,001 texts, empty or short, or few that are long together."""
    count = random.choice((1, 2, 20, 999, 1000, 1001, 5000))
    choices = ["", " ", "\n", "ok", *(sentence(random, random.randint(1, 8)) for _ in range(20))]
    if random.random() < 0.4:
        choices = [random.choice(choices)]
    texts = [random.choice(choices) for _ in range(count)]
    if random.random() < 0.1:
        texts = [random.choice(TEXTS)(random) for _ in range(random.randint(1, 5))]
    return json.dumps({"text": texts} | _switches(random)).encode()


def _switches(random: Random) -> dict[str, bool]:
    return {name: random.random() < 0.9 for name in ("explain", "sentences") if random.random() < 0.25}


def nested(random: Random) -> bytes:
    """Return JSON nested up to 200,000 deep, or as large as permitted."""
    depth = log_uniform(random, 10, 200_000)
    opening, closing = random.choice(((b"[", b"]"), (b'{"text":', b"}"), (b'{"text":[', b"]}"), (b"[[[[", b"")))
    body = opening * depth + random.choice((b"", b'"x"', b"1")) + closing * depth
    return random.choice((b"", b'{"text": ', b'{"text": "a", "b": ')) + body


def odd_json(random: Random) -> bytes:
    """Return JSON of unexpected types, repeated keys, enormous numbers, other encodings, or no JSON."""
    bodies = (
        b'{"text": 1}', b'{"text": null}', b'{"text": []}', b'{"text": [1, 2]}', b'{"text": {"text": "a"}}', b'{"text": true}',
        b'{"text": "a", "text": ["b"]}', b'{"text": "a", "explain": "yes"}', b'{"text": NaN}', b'{"text": Infinity}', b'["a"]',
        b"null",
        b'"a"', b"", b"{", b'{"text": "a"', b'{"text": "a"}}', b"\xef\xbb\xbf" + b'{"text": "a"}', b'{"text": "\\ud800"}',
        b'{"text": "\\u0000"}',
        b'{"text": "\xff\xfe"}', b'{"text": 1e999999}', b'{"text": ' + b"9" * log_uniform(random, 10, 50_000) + b"}",
        json.dumps({"text": "a"}).encode("utf-16"), json.dumps({"text": "a"}).encode("utf-32"),
        b'{"' + b"k" * log_uniform(random, 1, 10**6) + b'": 1}', b'{"text": "a"' + b', "x": 1' * log_uniform(random, 1,
        50_000) + b"}",
    )  # fmt: skip
    body = random.choice(bodies)
    return mutate(body, random) if random.random() < 0.5 else body + b" " * random.randrange(200)


FAMILIES: tuple[Callable[[Random], bytes], ...] = (one_text, one_text, many_texts, nested, one_text, odd_json)


def to_request(body: bytes, random: Random, headers: Headers = ()) -> bytes:
    """Return the request for a JSON body: mostly the API's, else the page's form with the same text, or the feedback's."""
    choice = random.random()
    if choice < 0.7:
        kind = (
            "application/json"
            if random.random() < 0.95
            else random.choice(("text/plain", "application/json; charset=utf-7", "", "a/b+json"))
        )
        return post("/api/v1/text", body, kind, headers)
    if choice < 0.8:
        return post("/api/v1/feedback", body, "application/json", headers)
    try:
        given = json.loads(body)
        text = str(given["text"] if isinstance(given, dict) else given)
    except (LookupError, RecursionError, ValueError):
        text = body.decode("latin-1")
    form = "text=" + quote_plus(text, errors="surrogatepass")
    return post("/text", form.encode(), "application/x-www-form-urlencoded", headers)
