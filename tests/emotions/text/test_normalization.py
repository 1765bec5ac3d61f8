"""Normalization of typed text: invisible characters, look-alike marks, emoticons, and positions in the original."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotions.text.classifier import TextClassifier
from emotions.text.emoticons import EMOTICON, USES, WORDS, emoticon_words
from emotions.text.language import is_empty, letter_words
from emotions.text.normalization import APOSTROPHES, MAX_MARKS, QUOTATION_MARKS, compose, normalize_text
from emotions.text.tokenizer import sentence_spans

INVISIBLE = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"]
INVISIBLE += [*map(chr, range(0xFE00, 0xFE10)), "\u034f", "\u3164", "\U000e0101"]
"""All format characters of Unicode, variation selectors and fillers."""


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return TextClassifier()


def tokens(model: TextClassifier, text: str) -> list[str]:
    return [model.vocabulary.tokens[number] for word in model.vocabulary.words(text) for number in word.token_ids]


def test_every_invisible_character_is_passed_over(model):
    assert len(INVISIBLE) > 150
    for mark in INVISIBLE:
        text = f"{mark}I am terri{mark}fi{mark}ed{mark} of you{mark}."
        assert normalize_text(text).text == "I am terrified of you.", hex(ord(mark))
        assert letter_words(text) == ["I", "am", "terrified", "of", "you"], hex(ord(mark))
    assert is_empty("".join(INVISIBLE))


@pytest.mark.parametrize("mark", [*APOSTROPHES, "`", "\u00b4", "&#39;", "&apos;", "&#x27;"])
def test_every_apostrophe_is_one(model, mark):
    assert tokens(model, f"I don{mark}t love this") == tokens(model, "I don't love this")
    assert letter_words(f"I don{mark}t")[:1] == ["I"]


@pytest.mark.parametrize("mark", [*QUOTATION_MARKS, "&quot;", "&#34;"])
def test_every_quotation_mark_is_one(model, mark):
    assert tokens(model, f"{mark}I hate you{mark}, he said") == tokens(model, '"I hate you", he said')


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("I ｈａｔｅ ｙｏｕ！", "I hate you!"),
        ("𝐈 𝐡𝐚𝐭𝐞 𝓎𝑜𝓊", "I hate you"),
        ("I ha\u0308te\u0301 you", "I hate you"),
        ("I h\u0336a\u0336t\u0336e\u0336 you", "I hate you"),
        ("a ﬁne caﬀé", "a fine caffe"),
        ("Tom &amp; I &lt;3 it", "Tom & I <3 it"),
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        ("so\u00a0sad\u2003today", "so sad today"),
        ("well… no – yes", "well... no - yes"),
        ("wave 👋🏽 hand", "wave 👋 hand"),
        ("5 o`clock ` code", "5 o'clock ` code"),
    ],
)
def test_what_is_meant(typed, meant):
    assert normalize_text(typed).text == meant


def test_accents_are_kept_for_the_language_check():
    assert letter_words("Ich fu\u0308hle mich über\u200bglücklich") == ["Ich", "fühle", "mich", "überglücklich"]


@given(
    st.lists(st.one_of(st.characters(), st.sampled_from(["\u200b", "é", "&amp;", "’", "ﬁ", "\ud800"])), max_size=60).map("".join)
)
def test_positions_refer_to_the_original(text):
    normalized = normalize_text(text)
    for index, character in enumerate(normalized.text):
        start, end = normalized.source(index, index + 1)
        assert 0 <= start < end <= len(text)
        assert character == text[start:end] or not text[start:end].isascii() or text[start:end][0] in "&`"


@pytest.mark.parametrize(
    ("use", "emoticons"),
    [
        ("sad", ":( :-( :[ =( :'-( :(((( ): :c"),
        ("happy", ":) :-) :] =) (: ^_^ :)))) :> ：）"),
        ("laughing", ":D :-D =D xD XD :DDD"),
        ("crying", ":'( T_T ;_; (T_T) ಥ_ಥ"),
        ("angry", ">:( >:-( (╯°□°)╯ ┻━┻ ಠ_ಠ >_<"),
        ("surprised", ":O :-o O_O o_O"),
        ("wink", ";) ;-) ;D"),
        ("annoyed", "-_- :| ¬_¬"),
        ("confused", ":/ :-\\ :S"),
        ("love", "<3 :* :-*"),
        ("heartbroken", "</3"),
        ("afraid", "D: D:"),
        ("shrug", "¯\\_(ツ)_/¯"),
    ],
)
def test_emoticons(model, use, emoticons):
    for emoticon in emoticons.split():
        allowed = {WORDS[use], WORDS["crying"]} if "'" in emoticon else {WORDS[use]}
        for text in (emoticon, f"see you tomorrow {emoticon}", f"{emoticon} see you", f"see you. {emoticon}!"):
            found = [emoticon_words(match) for match in EMOTICON.finditer(normalize_text(text).text)]
            assert len(found) == 1 and found[0] in allowed, (text, found)
        assert not is_empty(emoticon)


def test_every_listed_emoticon_is_found_as_a_whole():
    assert len(USES) > 150 and set(USES.values()) <= WORDS.keys()
    for text in USES:
        assert any(match.span() == (0, len(text)) for match in EMOTICON.finditer(text)), text


@pytest.mark.parametrize(
    "text",
    ["at 10:30 or 9:05", "Note:(see below)", "list: (a) and (b)", "C:\\windows", "http://a.b/:)", "a:b", '{"a":[1,2]}', "no_one",
     "2:0", "print(a[0]);", "if (a==b) {", "std::out", "f(x=0)", "- - -", "x) or y", "3) third", "Q: A: B:", "mp3", "(T)",
     "key=c"],
)  # fmt: skip
def test_ordinary_text_has_no_emoticons(text):
    assert not [match.group() for match in EMOTICON.finditer(text) if not text.startswith("http")]


def test_emoji_and_emoticons_belong_to_the_sentence_before():
    text = "I lost my job. 😢 Tomorrow is better! :) Ok.\n😡😡\nBye"
    assert [text[first:last] for first, last in sentence_spans(text)] == [
        "I lost my job. 😢",
        "Tomorrow is better! :)",
        "Ok.\n😡😡",
        "Bye",
    ]
    assert [text[first:last] for text in ["😡 no. Yes"] for first, last in sentence_spans(text)] == ["😡 no.", "Yes"]


def test_tags_names_and_code(model):
    assert tokens(model, "#SoHappyToday") == tokens(model, "So Happy Today")
    assert tokens(model, "#so_sad") == tokens(model, "so sad")
    assert tokens(model, "@some.one_2 I love it") == ["[NAME]", *tokens(model, "I love it")]
    assert tokens(model, "`rm -rf hate` failed") == tokens(model, "failed")
    assert tokens(model, "```\nhate = 1\n``` ok") == tokens(model, "ok")
    assert tokens(model, "mail me@home.org, issue #12") == tokens(model, "mail me@home.org, issue #12")


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("I am ter\u200bri\u200bfied", "fear"),
        ("This is ab\u00adso\u00adlute\u00adly dis\u00adgust\u00ading", "disgust"),
        ("I ha\ufeffte you", "anger"),
        ("I don\u02bct love this", "anger"),
        (":(", "sad"),
        (":-(", "sad"),
        (":D", "happy"),
        ("T_T", "sad"),
        ("see you tomorrow :(", "sad"),
        ("☹", "sad"),
        ("🙁", "sad"),
        ("☺", "happy"),
        ("(╯°□°)╯︵ ┻━┻", "anger"),
    ],
)
def test_typed_texts_are_read_as_people_mean_them(model, text, emotion):
    assert model.predict(text).emotion == emotion


def test_words_cover_the_invisible_characters_within_them(model):
    text = "ter\u200bri\u200bfied, ｈａｔｅ"
    words = model.vocabulary.words(text)
    assert [text[word.start : word.end] for word in words] == ["ter\u200bri\u200bfied", ",", "ｈａｔｅ"]


def test_composition_keeps_accents_and_bounds_combining_marks():
    assert compose("cafe\u0301 na\u00efve") == "caf\u00e9 na\u00efve"
    assert compose("plain") == "plain" and compose("\ud800\u0301") == "\ud800\u0301"
    assert len(compose("a" + "\u0323" * 5000 + "b" + "\u0301" * 5000)) == 2 * MAX_MARKS + 1  # one mark is composed with its a
    assert compose("a\u0323\u0301" * 3) == "\u1ea1\u0301" * 3
