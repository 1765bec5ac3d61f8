"""Emotion classification of English text: a multi-label network with word attributions and predictions for each sentence.

    >>> from emotions.text.classifier import TextClassifier
    >>> TextClassifier().predict("I can't believe you did that for me, thank you!").emotions
    ('happy',)

The prediction is about the wording of a text, not about what its writer feels.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ModelFileError, TextError
from ..labels import EMOTIONS
from ..runtime.limits import get_limits
from ..runtime.litert import LiteRTModel
from ..runtime.manifest import ModelEntry, ModelRegistry
from ..runtime.time_budget import check_time
from .attribution import ScoredChunk, word_attributions
from .language import is_empty, is_english, letter_words
from .results import TextResult, TextSpan, WordAttribution
from .tokenizer import PAD, Vocabulary, Word, chunk, sentence_spans

MAX_EXPLAINED_WORDS, MAX_EXPLAINED_TOKENS = 300, 20_000
"""Maximum number of words with an attribution, and of tokens in the predictions for their sentences without one of them: these
take 1.3 s on a core of a server, all words of a sentence of maximum length .8 s."""
BATCH_TOKENS = 128
"""Tokens of a pass through the network, the maximum length of one text: more at once are no faster."""
MAX_PADDING = 24
"""Tokens of padding in a pass through the network: more take longer than another pass."""
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
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ModelFileError(f"the text model's file holds no {name} ({error}): restore it from the repository") from None


@dataclass(frozen=True)
class _Chunk:
    """Words that the network takes at once, with their prediction."""

    words: list[Word]
    span: TextSpan

    @property
    def token_count(self) -> int:
        return sum(len(word.token_ids) for word in self.words)


@dataclass(frozen=True)
class _Prepared:
    """A text and the spans of it, with their words, that the network takes at once: first the whole text if it fits."""

    text: str
    fits: bool
    spans: list[tuple[tuple[int, int], list[Word]]]


def _batches(inputs: list[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Group inputs of the network by similar length, the longest of a batch last.

    A batch has at most BATCH_TOKENS tokens, padding included, so that it needs no more memory than one text of maximum length,
    and at most MAX_PADDING of padding. The network masks padding: its outputs are the same.
    """
    batch: list[tuple[int, ...]] = []
    tokens = 0
    for token_ids in sorted(inputs, key=len):
        padded = (len(batch) + 1) * len(token_ids)
        if batch and (padded > BATCH_TOKENS or padded - tokens - len(token_ids) > MAX_PADDING):
            yield batch
            batch, tokens = [], 0
        batch.append(token_ids)
        tokens += len(token_ids)
    if batch:
        yield batch


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

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy, such as that of another process, gets: it loads model and word lists itself."""
        return {"_registry": self._registry}

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
            text: English text; its length is limited by `Limits.text_characters`.
            explain: Also measure how much each word contributes to the prediction.
            sentences: Also return a prediction for each sentence.

        Returns:
            The prediction; its `reason` is set if the text is empty or not in English.

        Raises:
            TextError: The text is too long.
            TimeBudgetError: The text takes more time than the caller's budget has.
            ModelFileError: The model file is missing or damaged.
            TypeError: `text` is not a string.
        """
        return self.predict_many([text], 1 if explain else 0, sentences)[0]

    def predict_many(self, texts: Sequence[str], explained: int = 0, sentences: bool = False) -> list[TextResult]:
        """Classify texts together, which is several times as fast as one by one if they are short.

        Args:
            texts: Texts as for `predict`.
            explained: Number of texts, the first ones, for which word attributions are measured; they share the work of
                MAX_EXPLAINED_TOKENS.
            sentences: Also return a prediction for each sentence.

        Returns:
            The predictions in the order of the texts.

        Raises:
            TextError, TimeBudgetError, ModelFileError, TypeError: As for `predict`.
        """
        prepared = [self._prepare(text, sentences) for text in texts]
        probabilities = self.predict_proba([words for one in prepared for _, words in one.spans])
        share = MAX_EXPLAINED_TOKENS // max(1, min(explained, len(texts)))
        results, row = [], 0
        for number, one in enumerate(prepared):
            chunks = self._chunks(one, probabilities[row : row + len(one.spans)])
            row += len(one.spans)
            results.append(self._result(one, chunks, sentences, share if number < explained else 0))
        return results

    def _result(self, prepared: _Prepared, chunks: list[_Chunk], sentences: bool, explained_tokens: int) -> TextResult:
        """Return the result of a text from its predicted chunks."""
        by_sentence = chunks[1:] if prepared.fits else chunks
        whole = chunks[0].span if prepared.fits else self._aggregate(prepared.text, by_sentence)
        used = chunks[:1] if prepared.fits else [part for part in by_sentence if not part.span.reason]
        return TextResult(
            prepared.text,
            whole,
            {"name": self.entry.name, "version": self.entry.version},
            tuple(part.span for part in by_sentence) if sentences else None,
            self._attributions(whole, used, explained_tokens) if explained_tokens else None,
        )

    def predict_proba(self, texts: Sequence[Sequence[Word]]) -> np.ndarray:
        """Compute the probabilities of texts that fit into the network's input.

        Args:
            texts: N texts, each as the words that `vocabulary.words` returns. Tokens beyond the network's input are cut off.

        Returns:
            (N, 7) float64 independent probabilities in the order of EMOTIONS.
        """
        rows_of: dict[tuple[int, ...], list[int]] = {}  # equal texts, of which chats have many, are computed once
        for row, words in enumerate(texts):
            rows_of.setdefault(tuple(self.vocabulary.encode(words, self.entry.input["longest"])), []).append(row)
        logits = np.zeros((len(texts), len(EMOTIONS)), np.float32)
        for batch in _batches(list(rows_of)):
            longest = len(batch[-1])
            padded = np.array([token_ids + (PAD,) * (longest - len(token_ids)) for token_ids in batch], np.float32)
            for token_ids, values in zip(batch, self._network(padded)[0], strict=True):
                for row in rows_of[token_ids]:
                    logits[row] = values
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    @property
    def _max_tokens(self) -> int:
        """Tokens that fit between `[CLS]` and `[SEP]`."""
        return int(self.entry.input["longest"]) - 2

    def _prepare(self, text: str, sentences: bool) -> _Prepared:
        """Split a text into inputs of the network: the whole text if it fits, its sentences otherwise or on request."""
        if not isinstance(text, str):
            raise TypeError(f"expected a text (str), not {type(text).__name__}")
        if len(text) > (limit := get_limits().text_characters):
            raise TextError("text_too_long", f"The text has {len(text):,} characters; at most {limit:,} are read.")
        words = self.vocabulary.words(text)
        fits = sum(len(word.token_ids) for word in words) <= self._max_tokens
        spans: list[tuple[tuple[int, int], list[Word]]] = [((0, len(text)), words)] if fits else []
        return _Prepared(text, fits, spans if fits and not sentences else spans + self._sentences(text, words))

    def _sentences(self, text: str, words: list[Word]) -> list[tuple[tuple[int, int], list[Word]]]:
        """Return the span and the words of each sentence; one that is too long for the network gives several chunks."""
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
        return spans

    def _chunks(self, prepared: _Prepared, probabilities: np.ndarray) -> list[_Chunk]:
        over_threshold = probabilities >= self._thresholds
        return [
            _Chunk(
                words,
                TextSpan(
                    start,
                    end,
                    tuple(map(float, probabilities[row])),
                    tuple(map(bool, over_threshold[row])),
                    self._reason(prepared.text[start:end]),
                ),
            )
            for row, ((start, end), words) in enumerate(prepared.spans)
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
        check_time()
        if is_empty(text):
            return "empty"
        return None if is_english(letter_words(text), self._english_words) else "other_language"

    def _attributions(self, whole: TextSpan, chunks: list[_Chunk], max_tokens: int) -> tuple[WordAttribution, ...]:
        if whole.emotion is None:
            return ()
        index, total = EMOTIONS.index(whole.emotion), sum(part.token_count + 1 for part in chunks)
        scored = [ScoredChunk(part.words, part.span.probabilities[index], (part.token_count + 1) / total) for part in chunks]
        return word_attributions(lambda texts: self.predict_proba(texts)[:, index], scored, MAX_EXPLAINED_WORDS, max_tokens)
