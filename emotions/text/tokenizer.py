"""WordPiece tokenizer of the text model, shared by training, evaluation and serving.

Texts are split into words that keep their positions, so that attributions can refer to characters of the original text. Words are
split into BERT's uncased WordPieces (Wu et al., 2016; Devlin et al., 2019) over the model's own, smaller vocabulary, with these
changes: texts are normalized first (see `normalization`), elongated letters are shortened ("soooo" to "so"), an emoji becomes its
Unicode name ("loudly crying face") or what it is used for, as does an emoticon, a run of one punctuation mark counts as three
marks at most, the words of a hashtag are read one by one, a user name is a name, and code between backticks is not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .emoticons import EMOTICON, emoticon_words
from .normalization import ZWJ, normalize_text

PAD, UNKNOWN, START, END, NAME, RELIGION = range(6)
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[NAME]", "[RELIGION]")
"""First tokens of every vocabulary, with the ids above; the last two are GoEmotions' masks."""
MAX_WORD_LENGTH = 60
"""Characters of a word that are tokenized; longer words are noise."""
CACHE_SIZE = 20_000
"""Words whose token ids a vocabulary caches."""
EMOJI = re.compile("[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\u2764\u3030\u303d]")
CODE = re.compile(r"```(?s:.)*?```|`[^`\n]+`")
"""Code between backticks, which is not read."""
NEGATION = re.compile(
    r"\b(?:(?:can(?:'?t|not| not)|could(?:n'?t| not)) (?:really |honestly )?say (?:that )?i(?P<tense> am| was|'?m)(?! not\b)"
    r"|(?:anything but|far from being|far from(?= (?:happy|glad|pleased|thrilled|excited|sad|angry|afraid|scared|surprised))))\b",
    re.IGNORECASE,
)
"""Paraphrases of "not", which the model does not know from its training."""
WORD = re.compile(
    r"\[(?:NAME|RELIGION)\]"
    r"|(?P<link>(?:https?://|www\.)\S+)"
    rf"|(?P<code>{CODE.pattern})|(?P<negation>(?i:{NEGATION.pattern}))"
    rf"|(?P<emoticon>{EMOTICON.pattern})"
    r"|(?P<flag>[\U0001f1e6-\U0001f1ff]{2})"
    r"|(?<!\w)(?:#(?P<tag>\w*[^\W\d]\w*)|(?P<user>@\w[\w.]*))"
    r"|[^\W_]+(?:'[^\W_]+)*"
    r"|(?P<mark>[^\w\s]|_)(?P=mark)*"
)
"""A word of a normalized text."""
TAG_WORD = re.compile(r"[^\W\d_a-z]+(?![a-z])|[^\W\d_a-z]?[^\W\d_A-Z]+|\d+")
"""A word of a hashtag: "#SoHappyToday2" has four."""
EMOJI_ALIASES = {
    **dict.fromkeys("\U0001f621\U0001f92c\U0001f624\U0001f4a2\U0001f63e", "angry"),
    **dict.fromkeys("\U0001f922\U0001f92e", "disgusting"),
    **dict.fromkeys("\U0001f62e\U0001f62f\U0001f632\U0001fae2", "wow surprised"),
    **dict.fromkeys("\U0001f644\U0001f612", "annoyed"),
    **dict.fromkeys("\u2639\U0001f641\U0001f61e\U0001f614\U0001f61f\U0001f626\U0001f623\U0001f97a\U0001f613", "sad face"),
    **dict.fromkeys("\U0001f629\U0001f62b", "exhausted sad face"),
    **dict.fromkeys("\u263a\U0001f642\U0001f917", "smiling face happy glad"),
    **dict.fromkeys(
        "\u2764\u2665\u2661\u2763\U0001f5a4\U0001fa75\U0001fa76\U0001fa77\U0001faf6\U0001f618\U0001f617\U0001f619\U0001f61a",
        "love",
    ),
    "\U0001f494": "broken heart sad",
    "\U0001f923": "face with tears of joy",
    "\U0001f38a": "party popper",
    "\U0001f44f": "clapping hands great",
    "\U0001f44e": "thumbs down",
    "\U0001f595": "fuck you",
    "\U0001f640": "scared face afraid",
    "\U0001f609": "winking smiling face happy",
}
"""Words for emoji whose Unicode name does not say what they are used for ("pouting face", "heavy black heart")."""
EMOJI_SEQUENCES = {"\U0001f62e\u200d\U0001f4a8": "sigh"}
"""Words for emoji that are joined from several and do not mean what their parts do, without variation selectors."""
GENDERS = "\u2640\u2642"
"""Signs that are joined to an emoji of a person."""
ELONGATED = re.compile(r"([^\W\d_])\1{2,}")
"""A letter repeated three times or more."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, emoji or run of punctuation, `text[start:end]`, with its token ids (none for invisible characters)."""

    start: int
    end: int
    token_ids: tuple[int, ...]


def normalize(word: str) -> str:
    """Lower-case `word` and strip its accents, as BERT's uncased models do."""
    word = word.lower()
    if word.isascii():
        return word
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if unicodedata.category(letter) != "Mn")


def _emoji_words(emoji: str) -> str:
    """Return what an emoji is read as: hearts of all colors, growing, beating or sparkling, stand for love."""
    name = unicodedata.name(emoji, "")
    words = set(name.split())
    love = words & {"HEART", "HEARTS"} and not words & {"FACE", "BROKEN", "CARD"}
    return EMOJI_ALIASES.get(emoji) or ("love" if love else name.lower().replace("-", " "))


class Vocabulary:
    """The tokens of a model in the order of their ids; tokens that continue a word start with `##`.

    Args:
        tokens: All tokens; the first ones are SPECIAL_TOKENS.

    Raises:
        ValueError: The first tokens are not SPECIAL_TOKENS.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        """Index the tokens."""
        if tuple(tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIAL_TOKENS)}")
        self.tokens = tuple(tokens)
        self._ids = {token: number for number, token in enumerate(tokens)}
        self._cache: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def token_id(self, token: str) -> int:
        """Return the id of a token, that of `[UNK]` if it is not in the vocabulary."""
        return self._ids.get(token, UNKNOWN)

    def words(self, text: str) -> list[Word]:
        """Split `text` into words with their positions and token ids; white space belongs to none."""
        normalized = normalize_text(text)
        words: list[Word] = []
        for match in WORD.finditer(normalized.text):
            word = Word(*normalized.source(*match.span()), self._ids_of(match))
            if words and words[-1].end == word.start and text[word.start - 1] == ZWJ and EMOJI.match(match.group()):
                word = self._joined(text, words.pop(), word)
            words.append(word)
        return words

    def _joined(self, text: str, first: Word, second: Word) -> Word:
        """Return an emoji and what is joined to it as one word."""
        meant = EMOJI_SEQUENCES.get(text[first.start : second.end].replace("\ufe0f", ""))
        added = () if text[second.start] in GENDERS else second.token_ids
        return Word(first.start, second.end, self._token_ids(meant) if meant else first.token_ids + added)

    def encode(self, words: Iterable[Word], max_tokens: int) -> list[int]:
        """Return the network's input for words: ids of `[CLS]`, the words' tokens and `[SEP]`, truncated to `max_tokens` ids."""
        ids = [START]
        for word in words:
            ids.extend(word.token_ids)
        return [*ids[: max_tokens - 1], END]

    def _ids_of(self, match: re.Match[str]) -> tuple[int, ...]:
        """Return the token ids of a match of WORD."""
        if match["emoticon"]:
            return tuple(number for part in emoticon_words(match).split() for number in self._token_ids(part))
        if match["tag"]:
            return tuple(number for part in TAG_WORD.findall(match["tag"]) for number in self._token_ids(part))
        if match["code"]:
            return ()
        if match["user"]:
            return (NAME,)
        if match["negation"]:
            meant = ("i was not" if "was" in match["tense"].lower() else "i am not") if match["tense"] else "not"
            return tuple(number for part in meant.split() for number in self._token_ids(part))
        if match["flag"]:
            return self._token_ids("flag")
        return self._token_ids("http" if match["link"] else match.group())

    def _token_ids(self, word: str) -> tuple[int, ...]:
        word = word[:MAX_WORD_LENGTH]  # before it becomes a key: the cache outlives the text
        ids = self._cache.get(word)
        if ids is None:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            ids = self._cache[word] = tuple(self._tokenize(word))
        return ids

    def _tokenize(self, word: str) -> list[int]:
        if word in SPECIAL_TOKENS:
            return [self._ids[word]]
        first = word[0]
        if EMOJI.match(first):
            return [number for part in _emoji_words(first).split() for number in self._wordpieces(part)]
        if not (first.isalnum() or first == "_"):
            return [number for mark in word[:3] for number in self._wordpieces(normalize(mark))]
        parts = re.split("(')", normalize(word[:MAX_WORD_LENGTH]))
        return [number for part in parts if part for number in self._wordpieces(self._shorten(part))]

    def _shorten(self, word: str) -> str:
        """Write elongated letters twice or once, whichever gives the more frequent token (the lower id)."""
        if not ELONGATED.search(word):
            return word
        twice, once = ELONGATED.sub(r"\1\1", word), ELONGATED.sub(r"\1", word)
        return twice if twice in self._ids and self._ids[twice] < self._ids.get(once, len(self)) else once

    def _wordpieces(self, word: str) -> list[int]:
        """Split a word greedily, longest match first; a word with a character that is in no token is one `[UNK]`."""
        ids, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._ids.get(("##" if start else "") + word[start:end])
                if number is not None:
                    break
            else:
                return [UNKNOWN]
            ids.append(number)
            start = end
        return ids


# Splitting of long texts: into sentences, and sentences that are too long into chunks.

SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u2019\u201d)\]]*\s+|(?<!\s)\s*[\n\r\u2028\u2029]\s*")
"""End of a sentence with the white space after it. A line's end is looked for from the start of a run of white space only: from
each of its characters it would take quadratic time."""
LINE_END = re.compile(r"[\n\r\u2028\u2029]")
EMOJI_AFTER = re.compile(rf"(?:(?:{EMOJI.pattern}[\u200d\ufe0f\U0001f3fb-\U0001f3ff]*|{EMOTICON.pattern})\s*)+")
"""Emoji and emoticons after the end of a sentence: they belong to it."""
ABBREVIATION = re.compile(r"(?:^|\W)(?:mr|mrs|ms|dr|st|prof|vs|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence, without the white space around it.

    A sentence ends at a full stop, question mark, exclamation mark or ellipsis that precedes white space, and at the end of a
    line; not after an abbreviated title or a single letter.
    """
    start = 0
    for match in SENTENCE_END.finditer(text):
        if match.start() < start:  # within emoji that belong to the sentence before
            continue
        if not LINE_END.search(match.group()) and ABBREVIATION.search(text[max(start, match.start() - 8) : match.start()]):
            continue
        end = match.end()
        if text[start : match.start()].strip() and (emoji := EMOJI_AFTER.match(text, end)):
            end = emoji.end()
        yield from _stripped_span(text, start, end)
        start = end
    yield from _stripped_span(text, start, len(text))


def _stripped_span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the span without white space at both ends, if anything is left."""
    inner = text[start:end]
    if stripped := inner.strip():
        first = start + inner.index(stripped[0])
        yield first, first + len(stripped)


def chunk(words: list[Word], max_tokens: int) -> Iterator[list[Word]]:
    """Split `words` into consecutive chunks of at most `max_tokens` tokens; a longer word is a chunk of its own."""
    current: list[Word] = []
    room = max_tokens
    for word in words:
        if current and len(word.token_ids) > room:
            yield current
            current, room = [], max_tokens
        current.append(word)
        room -= len(word.token_ids)
    if current:
        yield current
