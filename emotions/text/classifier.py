"""A text in, the emotions it expresses out: one multi-label network for English, the words that carried the answer, and
sentences.

    >>> from emotions.text.classifier import TextModel
    >>> TextModel().read("I can't believe you did that for me, thank you!").emotions

What is read is the wording of a text, not what its writer feels.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import ModelFileError, TextError
from ..labels import EMOTIONS
from ..runtime.litert import LiteRTModel
from ..runtime.manifest import ModelEntry, ModelRegistry
from .attribution import carriers
from .language import is_english, says_nothing, written_words
from .results import Carrier, Part, TextResult
from .tokenizer import Vocabulary, Word, runs, sentences

# The word lists inside a text model's file: a zip archive behind the network, as TensorFlow Lite's metadata packs them.

VOCABULARY, ENGLISH = "vocabulary.txt", "english.txt"


def lines_of(data: bytes, name: str) -> list[str]:
    """The lines of a list in the model file's bytes; ModelFileError where there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name).decode("utf-8").removesuffix("\n").split("\n")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the text model's file holds no {name} ({error}): restore it from the repository") from None


MAX_TEXT = 100_000
"""Characters of the longest text that is read."""
MOST_EXPLAINED = 300
"""Words whose part in the answer is looked at; each costs a reading of its sentence without it."""


@dataclass(frozen=True)
class _Run:
    """Words that the network reads at once, with their answer."""

    words: list[Word]
    part: Part

    @property
    def pieces(self) -> int:
        return sum(len(word.pieces) for word in self.words)


class TextModel:
    """The network with its word lists, loaded on first use and shared by threads."""

    def __init__(self, registry: ModelRegistry | None = None) -> None:
        self._registry = registry or ModelRegistry()

    @cached_property
    def entry(self) -> ModelEntry:
        """The manifest's entry of the text model."""
        return self._registry.entry("text")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(lines_of(self._registry.read(self.entry), VOCABULARY))

    @cached_property
    def _english(self) -> frozenset[str]:
        return frozenset(lines_of(self._registry.read(self.entry), ENGLISH))

    @cached_property
    def _network(self) -> LiteRTModel:
        return self._registry.model(self.entry)

    @cached_property
    def _thresholds(self) -> np.ndarray:
        return np.array([self.entry.thresholds[name] for name in EMOTIONS])

    def read(self, text: str, words: bool = False, parts: bool = False) -> TextResult:
        """What `text` (at most MAX_TEXT characters) expresses.

        A text that the network can take at once is read whole, a longer one sentence by sentence: its probabilities are then
        the means over its sentences, weighted by their word pieces. `words` adds how much each word carried the answer, `parts`
        the answer for each sentence. Raises TextError.
        """
        if len(text) > MAX_TEXT:
            raise TextError("text_too_long", f"The text has {len(text):,} characters; at most {MAX_TEXT:,} are read.")
        read = self.vocabulary.words(text)
        at_once = sum(len(word.pieces) for word in read) <= self._room
        split = [] if at_once and not parts else self._split(text, read)
        if at_once:
            whole = self._answers(text, [((0, len(text)), read)])[0].part
            answering = [_Run(read, whole)]
        else:
            whole = self._together(text, split)
            answering = [run for run in split if not run.part.reason]
        return TextResult(
            text,
            whole,
            {"name": self.entry.name, "version": self.entry.version},
            tuple(run.part for run in split) if parts else None,
            self._carriers(whole, answering) if words else None,
        )

    def probabilities(self, texts: Sequence[Sequence[Word]]) -> np.ndarray:
        """(N, 7): of texts that the network can take at once, given as their words."""
        rows = [self.vocabulary.rows(words, self.entry.input["longest"]) for words in texts]
        logits = np.zeros((len(rows), len(EMOTIONS)), np.float32)
        for number in sorted(range(len(rows)), key=lambda number: len(rows[number])):  # fewer changes of the input's size
            logits[number] = self._network(np.array([rows[number]], np.float32))[0][0]
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    @property
    def _room(self) -> int:
        """Word pieces that fit between the marks of start and end."""
        return int(self.entry.input["longest"]) - 2

    def _split(self, text: str, words: list[Word]) -> list[_Run]:
        """Each sentence with its answer; one that is too long in runs of its own."""
        spans, at = [], 0
        for start, end in sentences(text):
            inside = []
            while at < len(words) and words[at].start < end:
                inside.append(words[at])
                at += 1
            cut = list(runs(inside, self._room))
            if len(cut) == 1:
                spans.append(((start, end), inside))
            else:
                spans += [((run[0].start, run[-1].end), run) for run in cut]
        return self._answers(text, spans)

    def _answers(self, text: str, spans: list[tuple[tuple[int, int], list[Word]]]) -> list[_Run]:
        probabilities = self.probabilities([words for _, words in spans])
        above = probabilities >= self._thresholds
        return [
            _Run(
                words,
                Part(
                    start,
                    end,
                    tuple(map(float, probabilities[row])),
                    tuple(map(bool, above[row])),
                    self._reason(text[start:end]),
                ),
            )
            for row, ((start, end), words) in enumerate(spans)
        ]

    def _together(self, text: str, split: list[_Run]) -> Part:
        """The whole of a long text: the mean over the sentences that can be told, or why it cannot be."""
        told = [run for run in split if not run.part.reason]
        foreign = [run for run in split if run.part.reason == "other_language"]
        reason = None
        if sum(run.pieces for run in foreign) >= sum(run.pieces for run in told):
            reason, told = "other_language" if foreign else "empty", split
        weights = [run.pieces + 1 for run in told]
        mean = np.average([run.part.probabilities for run in told], axis=0, weights=weights)
        return Part(0, len(text), tuple(map(float, mean)), tuple(map(bool, mean >= self._thresholds)), reason)

    def _reason(self, text: str) -> str | None:
        if says_nothing(text):
            return "empty"
        return None if is_english(written_words(text), self._english) else "other_language"

    def _carriers(self, whole: Part, answering: list[_Run]) -> tuple[Carrier, ...]:
        if whole.reason:
            return ()
        index, total = EMOTIONS.index(whole.emotion), sum(run.pieces + 1 for run in answering)
        shares = [(run.words, (run.pieces + 1) / total) for run in answering]
        return carriers(lambda texts: self.probabilities(texts)[:, index], shares, MOST_EXPLAINED)
