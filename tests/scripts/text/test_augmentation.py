"""Sentences made for training the text model."""

from __future__ import annotations

import numpy as np

from emotions.labels import EMOTIONS
from emotions.text.emoticons import EMOTICON
from emotions.text.normalization import normalize_text
from emotions.text.tokenizer import EMOJI
from scripts.text.augmentation import SIGNS, extended, made_sentences
from scripts.text.checklist import read_cases
from scripts.text.corpora import Corpus

STATEMENTS = ["The bus is late.", "It has two doors"]


def test_sentences_have_every_emotion_and_are_no_cases_of_the_checklist():
    made = made_sentences(STATEMENTS, 4000, np.random.default_rng(0))
    emotions = [emotion for _, emotion in made]
    assert len(made) == 4000 and min(map(emotions.count, EMOTIONS)) > 100
    signs = {sign.lower() for listed in SIGNS.values() for sign in listed.split()}
    tested = {case.text.lower() for case in read_cases()} - signs
    assert not tested & {text.lower() for text, _ in made}
    assert all("{" not in text.replace(":{", "") and text == text.strip() and text for text, _ in made)


def test_every_sign_is_an_emoji_or_an_emoticon():
    for sign in (sign for listed in SIGNS.values() for sign in listed.split()):
        plain = normalize_text(sign).text
        assert EMOJI.search(plain) or EMOTICON.search(plain), sign


def test_corpus_is_extended_by_labeled_sentences():
    seven, fine = np.eye(7, dtype=np.float32)[[4, 0]], np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    corpus = Corpus(["It is on the table", "I hate it"], seven, fine, ("neutral", "anger", "joy"))
    more = extended(corpus, 200, np.random.default_rng(0))
    assert len(more) == 202 == len(more.seven) == len(more.fine) and more.texts[:2] == corpus.texts
    assert (more.seven.sum(axis=1) == 1).all()
    assert (more.fine[2:, 2] == more.seven[2:, EMOTIONS.index("happy")]).all()
    assert not any("hate it" in text for text in more.texts[2:])
    assert len(extended(corpus, 0, np.random.default_rng(0))) == 2
