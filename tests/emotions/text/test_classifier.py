"""Text classifier: predictions, abstention, word attributions, long texts, language check."""

from __future__ import annotations

import json
import threading
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from emotions.errors import ModelFileError, TextError
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import ModelRegistry
from emotions.text import language
from emotions.text.classifier import MAX_EXPLAINED_WORDS, MAX_TEXT, TextClassifier, read_packed_list
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


def test_text_of_maximum_length(model):
    text = ("This is the worst day of my life and I am so angry about it. " * 2000)[:MAX_TEXT]
    result = model.predict(text, explain=True)
    assert result.emotion == "anger" and len(result.words) <= MAX_EXPLAINED_WORDS
    assert model.predict("a" * MAX_TEXT).whole.probabilities
    with pytest.raises(TextError, match="100,001 characters") as caught:
        model.predict(text + "x")
    assert caught.value.code == "text_too_long"


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
    assert lists == {"english_function_words.txt", "non_english_words.txt"}
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in lists)


@pytest.mark.parametrize("words", [language.NON_ENGLISH_WORDS, language.FUNCTION_WORDS])
def test_word_lists_are_normalized(words):
    assert len(words) > 80 and all(word == normalize(word) and word.isascii() for word in words)
