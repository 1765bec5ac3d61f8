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
INVISIBLE += [chr(code) for code in (*range(9), *range(14, 28), 127, 0x81, 0x9D, 0xE000, 0xF8FF, 0xFFFC, 0xFFFE, 0x10FFFF)]
"""All format characters of Unicode, variation selectors, fillers, control and private characters, and noncharacters."""


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


@pytest.mark.parametrize(
    "mark",
    [*APOSTROPHES, "`", "\u00b4", "\u1fef", "\uff40", "\ufffd", "\x92", "\u00e2\u20ac\u2122", "&#39;", "&apos;", "&#x27;",
     "&rsquo;", "&#8217;", "&#x2019;", "&amp;#39;", "&amp;rsquo;"],
)  # fmt: skip
def test_every_apostrophe_is_one(model, mark):
    assert tokens(model, f"I don{mark}t love this") == tokens(model, "I don't love this")
    assert letter_words(f"I don{mark}t")[:1] == ["I"]


@pytest.mark.parametrize("mark", [*QUOTATION_MARKS, "&quot;", "&#34;", "&ldquo;", "&amp;quot;", "\x93", "\u00e2\u20ac\u0153"])
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
        ("🅸 🅷🅰🆃🅴 🅨🅞🅤", "I HATE YOU"),
        ("⒤ ⒣⒜⒯⒠ ɪ ʜᴀᴛᴇ", "i hate i hate"),
        ("I hate you&hellip; &#128545; &eacute;", "I hate you... 😡 e"),
        ("AT&T; R&D; &foo; &amp;amp; &amp;", "AT&T; R&D; &foo; & &"),
        ("dis&shy;gust&#8203;ing", "disgusting"),
        ("\x1b[1;31mI hate you\x1b[0m\x07", "I hate you"),
        ("cafÃ© ðŸ˜¡ donâ€™t waitâ€¦", "cafe 😡 don't wait..."),
        ("so\u2800sad", "so sad"),
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


def test_a_visible_character_is_not_divided(model):
    for visible in ("☹️", "👍🏿", "cafe\u0301", "👩🏽‍💻", "👨‍👩‍👧‍👦", "🇺🇸", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f", "🤦🏽‍♀️"):
        text = f"I hate {visible}, you"
        words = [text[word.start : word.end] for word in model.vocabulary.words(text)]
        assert words == ["I", "hate", visible, ",", "you"]


@pytest.mark.parametrize(
    ("use", "emoticons"),
    [
        ("sad", ":( :-( :[ =( :'-( :(((( ): :c (◕︵◕) (˘︹˘) (っ˘̩╭╮˘̩)っ (´･ω･`)"),
        ("happy", ":) :-) :] =) (: ^_^ ^____^ :)))) :> ：） (＾▽＾) (≧◡≦) (*^ω^*) ʕ•ᴥ•ʔ ヽ(´▽`)/ o(^▽^)o (ﾉ◕ヮ◕)ﾉ*:･ﾟ✧ (͡°͜ʖ͡°)"),
        ("laughing", ":D :-D =D xD XD :DDD xDDDDD ㅋㅋㅋ ㅎㅎ"),
        ("crying", ":'( T_T T____T ;_; (T_T) ಥ_ಥ (┬┬﹏┬┬) (；д；) (个_个) ｡ﾟ(ﾟ´Д｀ﾟ)ﾟ｡ ㅠㅠ ㅜㅜ D': TwT QAQ"),
        ("angry", ">:( >:-( >:O (╯°□°)╯ ┻━┻ ಠ_ಠ >_< (ノಠ益ಠ)ノ彡┻━┻ (｀皿´＃) (♯｀∧´) ٩(╬ʘ益ʘ╬)۶ (凸ಠ益ಠ)凸 (ノ°Д°）ノ︵┻━┻"),
        ("surprised", ":O :-o O_O O____O o_O Σ(O_O)"),
        ("wink", ";) ;-) ;D"),
        ("annoyed", "-_- :| ¬_¬"),
        ("confused", ":/ :-\\ :S"),
        ("love", "<3 <33333 :* :-*"),
        ("heartbroken", "</3 <\\3"),
        ("embarrassed", ":$"),
        ("afraid", "D: D: (゜Д゜) ((((;゜Д゜))) Σ(°△°|||)︴"),
        ("shrug", "¯\\_(ツ)_/¯"),
    ],
)
def test_emoticons(model, use, emoticons):
    for emoticon in emoticons.split():
        allowed = {WORDS[use], WORDS["crying"]} if "'" in emoticon else {WORDS[use]}
        for text in (emoticon, f"see you tomorrow {emoticon}", f"{emoticon} see you", f"see you. {emoticon}!"):
            found = [emoticon_words(match) for match in EMOTICON.finditer(normalize_text(text).text)]
            assert len(found) == 1 and found[0] in allowed, (text, found)
            assert model.predict(text).reason is None
        assert not is_empty(emoticon)


def test_every_listed_emoticon_is_found_as_a_whole():
    assert len(USES) > 150 and set(USES.values()) <= WORDS.keys()
    for text in USES:
        assert any(match.span() == (0, len(text)) for match in EMOTICON.finditer(text)), text


@pytest.mark.parametrize(
    "text",
    ["at 10:30 or 9:05", "Note:(see below)", "list: (a) and (b)", "C:\\windows", "http://a.b/:)", "a:b", '{"a":[1,2]}', "no_one",
     "2:0", "print(a[0]);", "if (a==b) {", "std::out", "f(x=0)", "- - -", "x) or y", "3) third", "Q: A: B:", "mp3", "(T)",
     "key=c", "(see 20°-30°)", "(•)", "(☆☆☆)", "(a_b)", "we need: (a) water", "(0.0)", "(x-x)", "(n-n)", "Дом (дом)",
     "(…)", "cost:$5", "x(3)", "(^2)", "미안해", "ㅋ", "f(x) (°C)"],
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
    assert tokens(model, "🇺🇸") == ["flag"] and tokens(model, "🤦🏽‍♀️") == tokens(model, "🤦") and tokens(model, "😮‍💨") == ["sigh"]
    assert all(
        is_empty(code) and model.predict(code).reason == "empty" for code in ("`I hate you`", "```\nhate = 1\n```", "`a` `b`")
    )
    other = "```\nint main(void) { std::vector<int> v; auto q = foo(v); return q; }\n```"
    assert model.predict(f"{other} I hate this").emotion == "anger"
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
        ("The shop is closed : (", "sad"),
        ("🖤💔", "sad"),
        ("🥺", "sad"),
        ("😩", "sad"),
        ("🤣", "happy"),
        ("💕", "happy"),
        ("🩷", "happy"),
        ("😘", "happy"),
        ("👏🏿", "happy"),
        ("👎", "anger"),
        ("🖕🏽", "anger"),
        ("🙀", "fear"),
        ("I ha\x00te you\x7f", "anger"),
        ("\x1b[31mI hate you\x1b[0m", "anger"),
    ],
)
def test_typed_texts_are_read_as_people_mean_them(model, text, emotion):
    assert model.predict(text).emotion == emotion


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("I can't say I'm sad", "sad"),
        ("i can’t really say that I am happy", "happy"),
        ("I cannot say I was scared", "fear"),
        ("I can't say I'm surprised", "surprise"),
        ("I am anything but afraid", "fear"),
        ("I am anything but sad", "sad"),
        ("I am far from happy", "happy"),
    ],
)
def test_paraphrases_of_not(model, text, emotion):
    assert model.predict(text).emotion not in (emotion, None)
    assert "not" in tokens(model, text)
    for kept in ("I can say I am happy", "I can't say anything", "we live far from home", "I can't say I am not happy"):
        assert tokens(model, kept) == [part for word in kept.lower().replace("'", " ' ").split() for part in tokens(model, word)]


def test_words_cover_the_invisible_characters_within_them(model):
    text = "ter\u200bri\u200bfied, ｈａｔｅ"
    words = model.vocabulary.words(text)
    assert [text[word.start : word.end] for word in words] == ["ter\u200bri\u200bfied", ",", "ｈａｔｅ"]


def test_composition_keeps_accents_and_bounds_combining_marks():
    assert compose("cafe\u0301 na\u00efve") == "caf\u00e9 na\u00efve"
    assert compose("plain") == "plain" and compose("\ud800\u0301") == "\ud800\u0301"
    assert len(compose("a" + "\u0323" * 5000 + "b" + "\u0301" * 5000)) == 2 * MAX_MARKS + 1  # one mark is composed with its a
    assert compose("a\u0323\u0301" * 3) == "\u1ea1\u0301" * 3
