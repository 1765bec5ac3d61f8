"""Emotion classification of English text: a multi-label network with word attributions and predictions for each sentence.

    >>> from emotions.text.classifier import TextClassifier
    >>> TextClassifier().predict("I can't believe you did that for me, thank you!").emotions
    ('happy',)

The prediction is about the wording of a text, not about what its writer feels.
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
from .attribution import word_attributions
from .language import is_empty, is_english, letter_words
from .results import TextResult, TextSpan, WordAttribution
from .tokenizer import Vocabulary, Word, chunk, sentence_spans

MAX_TEXT = 100_000
"""Maximum number of characters of a text."""
MAX_EXPLAINED_WORDS = 300
"""Maximum number of words with an attribution; each costs a prediction for its sentence without the word."""
VOCABULARY_LIST, ENGLISH_LIST = "vocabulary.txt", "english.txt"
"""Names of the lists packed into the model file: the tokens, and the English words of the language check."""


def read_packed_list(data: bytes, name: str) -> list[str]:
    """Read a word list from the zip archive appended to a model file, where TensorFlow Lite's metadata packs associated files.

    Args:
        data: Bytes of the model file.
        name: Name of the list, one of VOCABULARY_LIST and ENGLISH_LIST.

    Returns:
        The list's lines.

    Raises:
        ModelFileError: The file has no such list.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name).decode("utf-8").removesuffix("\n").split("\n")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the text model's file holds no {name} ({error}): restore it from the repository") from None


@dataclass(frozen=True)
class _Chunk:
    """Words that the network takes at once, with their prediction."""

    words: list[Word]
    span: TextSpan

    @property
    def token_count(self) -> int:
        return sum(len(word.token_ids) for word in self.words)


class TextClassifier:
    """Text model with its word lists, loaded on first use; may be shared by threads.

    Args:
        registry: The models; the bundled ones by default.

    Example:
        >>> from emotions import TextClassifier
        >>> TextClassifier().predict("I love it, thank you so much!").emotions
        ('happy',)
    """

    def __init__(self, registry: ModelRegistry | None = None) -> None:
        """Keep the registry; nothing is loaded yet."""
        self._registry = registry or ModelRegistry()

    @cached_property
    def entry(self) -> ModelEntry:
        """Manifest entry of the text model. Raises ModelFileError if there is none."""
        return self._registry.entry("text")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Vocabulary of the tokenizer."""
        return Vocabulary(read_packed_list(self._registry.read(self.entry), VOCABULARY_LIST))

    @cached_property
    def _english_words(self) -> frozenset[str]:
        return frozenset(read_packed_list(self._registry.read(self.entry), ENGLISH_LIST))

    @cached_property
    def _network(self) -> LiteRTModel:
        return self._registry.model(self.entry)

    @cached_property
    def _thresholds(self) -> np.ndarray:
        return np.array([self.entry.thresholds[name] for name in EMOTIONS])

    def predict(self, text: str, explain: bool = False, sentences: bool = False) -> TextResult:
        """Classify the emotions of a text.

        A text that fits into the network's input is classified as a whole. A longer one is classified sentence by sentence: its
        probabilities are the means over the sentences, weighted by their numbers of tokens.

        Args:
            text: English text of at most MAX_TEXT characters.
            explain: Also measure how much each word contributes to the prediction.
            sentences: Also return a prediction for each sentence.

        Returns:
            The prediction; its `reason` is set if the text is empty or not in English.

        Raises:
            TextError: The text is too long.
            ModelFileError: The model file is missing or damaged.
            TypeError: `text` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a text (str), not {type(text).__name__}")
        if len(text) > MAX_TEXT:
            raise TextError("text_too_long", f"The text has {len(text):,} characters; at most {MAX_TEXT:,} are read.")
        words = self.vocabulary.words(text)
        fits = sum(len(word.token_ids) for word in words) <= self._max_tokens
        by_sentence = [] if fits and not sentences else self._classify_sentences(text, words)
        if fits:
            whole = self._classify(text, [((0, len(text)), words)])[0].span
            used = [_Chunk(words, whole)]
        else:
            whole = self._aggregate(text, by_sentence)
            used = [part for part in by_sentence if not part.span.reason]
        return TextResult(
            text,
            whole,
            {"name": self.entry.name, "version": self.entry.version},
            tuple(part.span for part in by_sentence) if sentences else None,
            self._attributions(whole, used) if explain else None,
        )

    def predict_proba(self, texts: Sequence[Sequence[Word]]) -> np.ndarray:
        """Compute the probabilities of texts that fit into the network's input.

        Args:
            texts: N texts, each as the words that `vocabulary.words` returns. Tokens beyond the network's input are cut off.

        Returns:
            (N, 7) float64 independent probabilities in the order of EMOTIONS.
        """
        token_ids = [self.vocabulary.encode(words, self.entry.input["longest"]) for words in texts]
        logits = np.zeros((len(token_ids), len(EMOTIONS)), np.float32)
        # In order of length, because the interpreter allocates its tensors again whenever the input's shape changes.
        for number in sorted(range(len(token_ids)), key=lambda number: len(token_ids[number])):
            logits[number] = self._network(np.array([token_ids[number]], np.float32))[0][0]
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    @property
    def _max_tokens(self) -> int:
        """Tokens that fit between `[CLS]` and `[SEP]`."""
        return int(self.entry.input["longest"]) - 2

    def _classify_sentences(self, text: str, words: list[Word]) -> list[_Chunk]:
        """Classify each sentence; one that is too long for the network in several chunks."""
        spans, at = [], 0
        for start, end in sentence_spans(text):
            inside = []
            while at < len(words) and words[at].start < end:
                inside.append(words[at])
                at += 1
            chunks = list(chunk(inside, self._max_tokens))
            if len(chunks) == 1:
                spans.append(((start, end), inside))
            else:
                spans += [((part[0].start, part[-1].end), part) for part in chunks]
        return self._classify(text, spans)

    def _classify(self, text: str, spans: list[tuple[tuple[int, int], list[Word]]]) -> list[_Chunk]:
        probabilities = self.predict_proba([words for _, words in spans])
        over_threshold = probabilities >= self._thresholds
        return [
            _Chunk(
                words,
                TextSpan(
                    start,
                    end,
                    tuple(map(float, probabilities[row])),
                    tuple(map(bool, over_threshold[row])),
                    self._reason(text[start:end]),
                ),
            )
            for row, ((start, end), words) in enumerate(spans)
        ]

    def _aggregate(self, text: str, chunks: list[_Chunk]) -> TextSpan:
        """Average the predictions of a long text's chunks, without those that are empty or not in English."""
        used = [part for part in chunks if not part.span.reason]
        other_language = [part for part in chunks if part.span.reason == "other_language"]
        reason = None
        if sum(part.token_count for part in other_language) >= sum(part.token_count for part in used):
            reason, used = "other_language" if other_language else "empty", chunks
        weights = [part.token_count + 1 for part in used]
        mean = np.average([part.span.probabilities for part in used], axis=0, weights=weights)
        return TextSpan(0, len(text), tuple(map(float, mean)), tuple(map(bool, mean >= self._thresholds)), reason)

    def _reason(self, text: str) -> str | None:
        if is_empty(text):
            return "empty"
        return None if is_english(letter_words(text), self._english_words) else "other_language"

    def _attributions(self, whole: TextSpan, chunks: list[_Chunk]) -> tuple[WordAttribution, ...]:
        if whole.emotion is None:
            return ()
        index, total = EMOTIONS.index(whole.emotion), sum(part.token_count + 1 for part in chunks)
        weighted = [(part.words, (part.token_count + 1) / total) for part in chunks]
        return word_attributions(lambda texts: self.predict_proba(texts)[:, index], weighted, MAX_EXPLAINED_WORDS)
