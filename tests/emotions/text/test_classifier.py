"""Text classifier: predictions, abstention, word attributions, long texts, language check."""

from __future__ import annotations

import json
import random
import threading
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from emotions.errors import ModelFileError, TextError, TimeBudgetError
from emotions.labels import EMOTIONS
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.manifest import ModelRegistry
from emotions.runtime.time_budget import TimeBudget
from emotions.text import language
from emotions.text.classifier import BATCH_TOKENS, MAX_EXPLAINED_TOKENS, MAX_EXPLAINED_WORDS, TextClassifier, read_packed_list
from emotions.text.tokenizer import Word, chunk, normalize, sentence_spans

LANGUAGES = json.loads((Path(__file__).parents[2] / "data" / "languages.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return TextClassifier(ModelRegistry())


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("I'm so happy, this is wonderful, thank you!", "happy"),
        ("I hate you, you are making me furious.", "anger"),
        ("My dog died yesterday and I can't stop crying.", "sad"),
        ("I'm terrified, there is someone in my house.", "fear"),
        ("That is disgusting, I want to vomit.", "disgust"),
        ("Wow, I did not expect that at all! What?!", "surprise"),
        ("The meeting is on Tuesday at ten.", "neutral"),
    ],
)
def test_simple_sentences(model, text, emotion):
    result = model.predict(text)
    assert emotion in result.emotions and result.reason is None
    assert result.to_json()["emotion"] == result.emotion == result.emotions[0]


def test_thresholds_are_those_of_the_manifest(model):
    result = model.predict("I'm so happy for you, but I will miss you a lot.")
    thresholds = [model.entry.thresholds[name] for name in EMOTIONS]
    expected = {
        name
        for name, value, threshold in zip(EMOTIONS, result.whole.probabilities, thresholds, strict=True)
        if value >= threshold
    }
    assert set(result.emotions) == expected and all(0 < value < 1 for value in result.whole.probabilities)


@pytest.mark.parametrize(
    "text",
    ["ok", "lol", "yes", "Melancholy", "hangry", "😀", "❤️", ":)", "<3", "haha", "idk tbh", "yesss", "noooo", "café", "42"],
)
def test_short_english_texts_are_classified(model, text):
    assert model.predict(text).emotion is not None


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "?!?!", "—", "\u200b"])
def test_empty_texts(model, text):
    result = model.predict(text, explain=True, sentences=True)
    assert result.reason == "empty" and result.emotion is None and result.emotions == () and result.words == ()
    assert len(result.whole.probabilities) == len(EMOTIONS)


def test_other_languages_are_rejected(model):
    accepted = [text for texts in LANGUAGES.values() for text in texts if model.predict(text).reason != "other_language"]
    assert len(LANGUAGES) >= 15 and all(len(texts) >= 8 for texts in LANGUAGES.values())
    assert len(accepted) <= 0.02 * sum(map(len, LANGUAGES.values())), accepted


def test_word_attributions_are_leave_one_out_differences(model):
    text = "Honestly, I love this film so much!"
    result = model.predict(text, explain=True)
    index = EMOTIONS.index(result.emotion)
    strongest = max(result.words, key=lambda word: word.weight)
    assert text[strongest.start : strongest.end] == "love"
    left = [word for word in model.vocabulary.words(text) if (word.start, word.end) != (strongest.start, strongest.end)]
    without = model.predict_proba([left])[0, index]
    assert strongest.weight == pytest.approx(result.whole.probabilities[index] - without, abs=1e-9)
    assert [word.start for word in result.words] == sorted(word.start for word in result.words)


@pytest.mark.parametrize(("sentence", "sentences"), [("word " * 110, 10), ("I hate it ", 500), ("so bad and sad " * 8, 3)])
def test_attributions_score_a_bounded_number_of_tokens(model, monkeypatch, sentence, sentences):
    text = (sentence.strip() + ". ") * sentences
    scored = []
    predict = type(model).predict_proba

    def counted(self, texts):
        scored.append(sum(len(word.token_ids) for words in texts for word in words))
        return predict(self, texts)

    monkeypatch.setattr(type(model), "predict_proba", counted)
    model.predict(text)
    plain = sum(scored)
    for texts in (1, 4, 20):
        scored.clear()
        words = model.predict_many([text] + [""] * (texts - 1), explained=texts)[0].words
        assert len(words) <= MAX_EXPLAINED_WORDS and sum(scored) - plain <= MAX_EXPLAINED_TOKENS // texts


def test_long_text_is_the_mean_of_its_sentences(model):
    text = "I love this so much, thank you! " * 40 + "I hate it."
    result = model.predict(text, sentences=True)
    assert len(result.sentences) == 41 and result.emotion == "happy"
    assert result.sentences[-1].emotion == "anger" and text[result.sentences[-1].start :] == "I hate it."
    sizes = [
        sum(len(word.token_ids) for word in model.vocabulary.words(text[part.start : part.end])) + 1 for part in result.sentences
    ]
    mean = np.average([part.probabilities for part in result.sentences], axis=0, weights=sizes)
    assert result.whole.probabilities == pytest.approx(tuple(mean))


@pytest.fixture
def server_limits() -> Iterator[None]:
    before = set_limits(SERVER)
    yield
    set_limits(before)


def test_text_of_maximum_length(model, server_limits):
    text = ("This is the worst day of my life and I am so angry about it. " * 2000)[: SERVER.text_characters]
    result = model.predict(text, explain=True)
    assert result.emotion == "anger" and len(result.words) <= MAX_EXPLAINED_WORDS
    assert model.predict("a" * SERVER.text_characters).whole.probabilities
    with pytest.raises(TextError, match="100,001 characters") as caught:
        model.predict(text + "x")
    assert caught.value.code == "text_too_long"
    set_limits(text_characters=len(text) + 1)
    assert model.predict(text + "x").emotion == "anger"


class CountingNetwork:
    """The network, with the shapes of its inputs."""

    def __init__(self, network: Callable[[np.ndarray], list[np.ndarray]]) -> None:
        self.network, self.shapes = network, []

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        self.shapes.append(batch.shape)
        return self.network(batch)


FILLERS = ["ok", "lol", "no way", "I love it!", "so sad", "u there?", "\U0001f602", "why would you do that to me", "hate it"]


@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_batches_give_what_single_texts_give(count):
    chooser = random.Random(count)
    classifier = TextClassifier(ModelRegistry())
    network = CountingNetwork(classifier._network)
    texts = [" ".join(chooser.choices(FILLERS, k=chooser.choice([1, 1, 2, 3, 9, 40]))) for _ in range(count)]
    words = [classifier.vocabulary.words(text) for text in texts]
    alone = np.concatenate([classifier.predict_proba([one]) for one in words])
    classifier._network = network
    assert np.abs(classifier.predict_proba(words) - alone).max() < 1e-6
    assert all(rows * tokens <= BATCH_TOKENS for rows, tokens in network.shapes)


@pytest.mark.parametrize("end", ["\n", ". ", "!\n\n", " \u2026 "])
def test_many_short_sentences_take_few_passes(end):
    """A pass takes half a millisecond however short its text is: short lines share passes, and equal ones are computed once."""
    classifier = TextClassifier(ModelRegistry())
    network = CountingNetwork(classifier._network)
    classifier._network = network
    names = [f"{first}{second}{third}" for first in "abcdefghij" for second in "klmnopqrst" for third in "aeiou"]
    result = classifier.predict(end.join(names * 4), sentences=True)
    assert len(result.sentences) == 4 * len(names)
    tokens = sum(rows * length for rows, length in network.shapes)
    assert len(network.shapes) < len(names) / 10 and tokens < 12 * len(names)


def test_time_budget_ends_a_long_text(model):
    chooser = random.Random(3)
    text = "".join(chr(chooser.randrange(0x1F300, 0x1F600)) for _ in range(20_000))
    with TimeBudget(0.2), pytest.raises(TimeBudgetError) as caught:
        model.predict(text)
    assert caught.value.code == "too_much_work"


def test_spaces_between_words(model):
    for space in (" ", "\t", "\u3000", "\x1c"):
        result = model.predict(f"I love it.{space * 90_000}I hate you.{space * 9000}\n{space * 9000}Why?", sentences=True)
        assert [result.text[part.start : part.end] for part in result.sentences] == ["I love it.", "I hate you.", "Why?"]


def test_long_text_in_another_language_is_rejected(model):
    german = " ".join(LANGUAGES["German"]) * 10
    assert model.predict(german).reason == "other_language"
    assert model.predict(german[:200] + " I am happy. I love this." * 60).reason is None


def test_threads_share_a_classifier(model):
    texts = ["I love it", "I hate it", "What a surprise, wow", "so sad"] * 3
    alone = [model.predict(text) for text in texts]
    found: list = [None] * len(texts)

    def work(place: int) -> None:
        found[place] = model.predict(texts[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_sentence_spans():
    text = 'Mr. Smith left. "Why?" she said… No idea!\nNext line  '
    assert [text[start:end] for start, end in sentence_spans(text)] == [
        "Mr. Smith left.",
        '"Why?"',
        "she said…",
        "No idea!",
        "Next line",
    ]
    assert list(sentence_spans(" \n ")) == []


def test_chunks_are_full_and_complete():
    words = [Word(place, place + 1, (7,) * size) for place, size in enumerate([3, 3, 3, 9, 1])]
    chunks = list(chunk(words, 6))
    assert [len(part) for part in chunks] == [2, 1, 1, 1] and [word for part in chunks for word in part] == words


def test_model_file_without_word_lists():
    with pytest.raises(ModelFileError, match=r"no vocabulary.txt .*restore it"):
        read_packed_list(b"no archive", "vocabulary.txt")


@pytest.mark.parametrize(("emoji", "emotion"), [("\U0001f621", "anger"), ("\u2764\ufe0f", "happy"),
                                                ("\U0001f922", "disgust"), ("\U0001f62e", "surprise"),
                                                ("\U0001f622", "sad"), ("\U0001f631", "fear")])  # fmt: skip
def test_emoji_are_classified_by_their_use(model, emoji, emotion):
    assert model.predict(emoji).emotion == emotion == model.predict(f"{emoji}{emoji}").emotion


def test_word_lists_are_package_data():
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["emotions.text"]
    lists = {path.name for path in Path(language.__file__).parent.glob("*.txt")}
    assert lists == {"emoticons.txt", "english_function_words.txt", "kaomoji.txt", "non_english_words.txt"}
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in lists)


@pytest.mark.parametrize("words", [language.NON_ENGLISH_WORDS, language.FUNCTION_WORDS])
def test_word_lists_are_normalized(words):
    assert len(words) > 80 and all(word == normalize(word) and word.isascii() for word in words)


def test_texts_together_are_classified_as_each_alone(model):
    texts = ["I love it!", "", "What a sad day. I hate it.", "I love it!", "Das ist ein sehr schlechter Tag", "so angry. " * 200]
    for explained, sentences in ((0, False), (2, True)):
        together = model.predict_many(texts, explained, sentences)
        for number, (text, one) in enumerate(zip(texts, together, strict=True)):
            alone = model.predict(text, sentences=sentences)
            assert (one.text, one.whole.reason, one.emotions) == (text, alone.whole.reason, alone.emotions)
            assert one.whole.probabilities == pytest.approx(alone.whole.probabilities, abs=1e-5)
            assert (one.words is not None) == (number < explained)
            assert [(part.start, part.end) for part in one.sentences or ()] == [
                (part.start, part.end) for part in alone.sentences or ()
            ]
    assert model.predict_many([]) == []
