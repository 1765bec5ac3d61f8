"""The same question in every way: library, command line, API and pages give one answer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import emotions
from emotions import EMOTIONS
from emotions.cli import main, video
from emotions.face.defaults import DEFAULT_HEAD
from emotions.labels import TITLES, ranking
from emotions.text.results import TextSpan
from tests import clips
from tests.conftest import DATA
from tests.markup import Page
from tests.sounds import encoded, voice_like
from web.pages.base import ranked
from web.settings import SETTINGS

SAMPLES = clips.SAMPLES
HTML = {"Accept": "text/html"}
PHOTOS = {
    "photo": DATA / "astronaut.jpg",
    "portrait": SAMPLES / "obama.jpg",
    "drawing": SAMPLES / "angry.png",
    "several": SAMPLES / "friends.png",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no detector": {"detector": "none"},
    "landmarks": {"landmarks": True, "detector": "haar"},
    "all": {"detector": "blazeface", "landmarks": True, "views": 2},
}
TEXTS = (
    "I love it, thank you so much!",
    "I hate you!\nGo away :(",
    "\ufeffSo sad about this \N{LOUDLY CRYING FACE}",
    "The meeting is on Tuesday at ten, room 4.",
    "I finally got the job! But I am sad to leave my old team behind. The commute is disgusting, though.",
    "are you sure?",
    "ok " * 300 + "I am so afraid.",
    "Das ist nicht gut, ich bin sehr traurig.",
    "...",
)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of an answer without what differs from run to run or between the ways to ask."""
    return {name: value for name, value in body.items() if name not in ("file", "timing_ms", "image")}


def by_command_line(capsys, *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main([*words, "--format", "jsonl"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def csv_rows(capsys, *words: str) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main([*words, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def words_of(options: dict[str, Any]) -> list[str]:
    """Options as words of the command line."""
    return [word for name, value in options.items() for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])]


def spellings(options: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Options as query or form fields, in each spelling."""
    for yes, no in (("true", "false"), ("1", "0")):
        yield {name: yes if value is True else no if value is False else str(value) for name, value in options.items()}


def file_field(data: bytes, name: str) -> dict[str, Any]:
    return {"file": (io.BytesIO(data), name)}


def downloaded(page: Page) -> dict[str, Any]:
    """The JSON that a result page offers."""
    link = next(one.attrs["href"] for one in page.find("a") if (one.attrs.get("download") or "").endswith(".json"))
    return json.loads(unquote(link.split(",", 1)[1]))


def bars(page: Page) -> list[str]:
    """Titles of the emotions in the order of the page's tables of bars."""
    rows = [one for one in page.find("th") if one.attrs.get("scope") == "row"]
    return [row.text for row in rows if any("bars" in (parent.attrs.get("class") or "").split() for parent in row.parents)]


def test_the_default_head_is_one(app):
    assert next(one.default for one in SETTINGS if one.name == "EXPRESSION_HEAD") == DEFAULT_HEAD
    assert app.extensions["analyzer"].classifier.head_entry.name == DEFAULT_HEAD
    assert emotions.FaceAnalyzer().classifier.head_entry.name == DEFAULT_HEAD


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo(client, capsys, name):
    path = PHOTOS[name]
    data = path.read_bytes()
    expected = answer(emotions.analyze_photo(path).to_json())
    assert expected["model"]["name"].endswith(f"/{DEFAULT_HEAD}")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
        sources: list[Any] = [str(path), data, bytearray(data), io.BytesIO(data), image, pixels]
        assert [answer(emotions.analyze_photo(source).to_json()) for source in sources] == [expected] * len(sources)
    assert answer(emotions.FaceAnalyzer().analyze(data).to_json()) == expected

    assert [answer(one) for one in by_command_line(capsys, "photo", str(path))] == [expected]
    rows = csv_rows(capsys, "photo", str(path))
    assert [(row["emotion"], float(row["confidence"])) for row in rows] == [
        (face["emotion"], face["confidence"]) for face in expected["faces"]
    ]

    kind = "image/png" if path.suffix == ".png" else "image/jpeg"
    posted = client.post("/api/v1/image", data=file_field(data, path.name)).get_json()
    assert answer(posted) == answer(client.post("/api/v1/image", data=data, content_type=kind).get_json()) == expected

    for address in ("/", "/share"):
        page = Page(client.post(address, data=file_field(data, path.name), headers=HTML).text)
        assert answer(downloaded(page)) == expected
        faces = expected["faces"]
        assert page.by_id("headline").text == (
            f"{TITLES[faces[0]['emotion']]}, {100 * faces[0]['confidence']:.0f} %" if len(faces) == 1 else f"{len(faces)} faces"
        )
        order = [TITLES[one] for face in faces for one in ranking([face["probabilities"][one] for one in EMOTIONS])]
        assert bars(page) == order and order[::7] == [TITLES[face["emotion"]] for face in faces]


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_a_photo_in_each_spelling(client, capsys, name):
    options, path = OPTIONS[name], PHOTOS["photo"]
    data = path.read_bytes()
    expected = answer(emotions.analyze_photo(data, **options).to_json())
    assert [answer(one) for one in by_command_line(capsys, "photo", str(path), *words_of(options))] == [expected]
    for fields in spellings({"landmarks": False} | options):
        in_form = client.post("/api/v1/image", data=file_field(data, "a.jpg") | fields)
        in_query = client.post("/api/v1/image", query_string=fields, data=file_field(data, "a.jpg"))
        raw = client.post("/api/v1/image", query_string=fields, data=data, content_type="image/jpeg")
        conflict = client.post("/api/v1/image", query_string={"detector": "none"}, data=file_field(data, "a.jpg") | fields)
        assert answer(in_form.get_json()) == answer(in_query.get_json()) == answer(raw.get_json()) == expected
        assert conflict.status_code == (200 if options.get("detector", "none") == "none" else 400), "an option has one value"
        if "views" not in options:  # the form of the page has no such field
            page = Page(client.post("/", data=file_field(data, "a.jpg") | fields, headers=HTML).text)
            assert answer(downloaded(page)) == expected


def test_texts(client, capsys, tmp_path):
    expected = [one.to_json() for one in emotions.analyze_text(list(TEXTS), explain=True, sentences=True)]
    assert {one["emotion"] for one in expected} >= {"happy", "anger", "sad", "neutral", None}
    asked = client.post("/api/v1/text", json={"text": list(TEXTS), "explain": True, "sentences": True}).get_json()["results"]
    assert [plain(one) for one in asked] == [plain(one) for one in expected]
    for number, (text, whole) in enumerate(zip(TEXTS, expected, strict=True)):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(text.encode())
        assert plain(emotions.analyze_text(text).to_json()) == plain(whole)
        assert plain(emotions.TextClassifier().predict(text, explain=True).to_json()) == plain(whole)
        [posted] = client.post("/api/v1/text", json={"text": text}).get_json()["results"]
        [printed] = by_command_line(capsys, "text", str(path))
        [row] = csv_rows(capsys, "text", str(path))
        assert plain(posted) == plain(printed) == plain(whole)
        assert (row["emotion"] or None, row["emotions"].split()) == (whole["emotion"], whole["emotions"])
        page = Page(client.post("/text", data={"text": text}, headers=HTML).text)
        assert plain(downloaded(page)) == plain(whole)
        check_page(page, whole)


def test_lines_of_texts_are_those_texts(capsys, tmp_path):
    lines = [text for text in TEXTS if "\n" not in text]
    for ending in ("\n", "\r\n"):
        (tmp_path / "lines.txt").write_bytes(ending.join(lines).encode())
        printed = by_command_line(capsys, "text", "--lines", str(tmp_path / "lines.txt"))
        assert [plain(one) for one in printed] == [plain(one.to_json()) for one in emotions.analyze_text(lines)]


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """The answer without its parts, whose positions count an invisible character that a file's first bytes may be."""
    return {name: body[name] for name in ("emotion", "emotions", "probabilities", "reason")}


def check_page(page: Page, whole: dict[str, Any]) -> None:
    """Check headline and order of a text's page."""
    headline = page.by_id("headline").text
    if whole["reason"]:
        assert headline == "No prediction"
        return
    assert headline.startswith(TITLES[whole["emotion"]])
    order = bars(page)
    assert order[: len(whole["emotions"])] == [TITLES[one] for one in whole["emotions"]]
    assert order[0] == TITLES[whole["emotion"]] and len(order) == 7


@pytest.mark.parametrize("seed", range(30))
def test_the_order_of_a_text_follows_from_its_emotion(seed):
    random = np.random.default_rng(seed)
    probabilities = tuple(random.choice(np.linspace(0, 1, 8), 7))  # with ties
    span = TextSpan(0, 1, probabilities, tuple(map(bool, random.random(7) < (0.3 if seed % 3 else 0.0))))
    order = [name for name, _ in ranked(span)]
    assert order[0] == span.emotion and tuple(order[: len(span.emotions)]) == span.emotions
    assert sorted(order) == sorted(EMOTIONS) and [value for _, value in ranked(span)] == [
        probabilities[EMOTIONS.index(name)] for name in order
    ]
    rest = [probabilities[EMOTIONS.index(name)] for name in order[len(span.emotions) :]]
    assert rest == sorted(rest, reverse=True)


@pytest.mark.parametrize("name", ["voice", "buzz"])
def test_a_recording(client, capsys, tmp_path, name):
    path = tmp_path / "voice.wav"
    path.write_bytes(encoded(voice_like(4.0)) if name == "voice" else (DATA / "buzz.flac").read_bytes())
    data = path.read_bytes()
    expected = answer(emotions.analyze_speech(path).to_json())
    sources: list[Any] = [str(path), data, memoryview(data), io.BytesIO(data)]
    assert [answer(emotions.analyze_speech(source).to_json()) for source in sources] == [expected] * len(sources)
    assert answer(emotions.SpeechClassifier().predict(str(path)).to_json()) == expected
    assert [answer(one) for one in by_command_line(capsys, "speech", str(path))] == [expected]
    [row] = csv_rows(capsys, "speech", str(path))
    assert (row["emotion"] or None, row["reason"] or None) == (expected["emotion"], expected["reason"])
    posted = client.post("/api/v1/speech", data=file_field(data, "voice.wav")).get_json()
    raw = client.post("/api/v1/speech", data=data, content_type="audio/wav").get_json()
    assert answer(posted) == answer(raw) == expected
    page = Page(client.post("/speech", data=file_field(data, "voice.wav"), headers=HTML).text)
    assert answer(downloaded(page)) == expected
    headline = page.by_id("headline").text
    if expected["emotion"] is None:
        assert headline == "No prediction"
    else:
        assert headline == f"{TITLES[expected['emotion']]}, {100 * expected['confidence']:.0f} %"
        assert bars(page) == [TITLES[one] for one in ranking([expected["probabilities"][one] for one in EMOTIONS])]


@pytest.mark.parametrize("options", [{}, {"landmarks": True, "views": 2, "detector": "blazeface"}], ids=["default", "options"])
def test_a_video(client, capsys, options):
    path = DATA / "av1.webm"
    data, options = path.read_bytes(), {"fps": 1, **options}
    expected = emotions.analyze_video(path, **options).to_json()
    assert expected["summary"]["model"]["name"].endswith(f"/{DEFAULT_HEAD}")
    assert emotions.analyze_video(io.BytesIO(data), **options).to_json() == expected
    lines = [*expected["frames"], {"summary": expected["summary"]}]
    assert [answer(one) for one in by_command_line(capsys, "video", str(path), *words_of(options))] == lines
    for fields in spellings(options):
        for request in (
            {"data": file_field(data, "a.webm") | fields},
            {"data": file_field(data, "a.webm"), "query_string": fields},
            {"data": data, "content_type": "video/webm", "query_string": fields},
        ):
            response = client.post("/api/v1/video", **request)
            assert [json.loads(line) for line in response.text.splitlines()] == lines


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_a_photo_and_a_video(client, kind):
    buffer, first = io.BytesIO(), Image.fromarray(clips.still())
    first.save(buffer, kind, save_all=True, append_images=[first.rotate(3)], duration=[500, 1500])
    data = buffer.getvalue()
    photo = client.post("/api/v1/image", data=file_field(data, "moving"))
    assert answer(photo.get_json()) == answer(emotions.analyze_photo(data).to_json()) and photo.status_code == 200
    expected = emotions.analyze_video(data).to_json()
    lines = [*expected["frames"], {"summary": expected["summary"]}]
    assert expected["summary"]["duration"] == 2.0
    for request in ({"data": file_field(data, "moving")}, {"data": data, "content_type": f"image/{kind.lower()}"}):
        assert [json.loads(line) for line in client.post("/api/v1/video", **request).text.splitlines()] == lines


@pytest.mark.parametrize("shares", [{"happy": 0.5, "sad": 0.5}, {"surprise": 0.4, "anger": 0.4, "fear": 0.2}, {"neutral": 1.0}])
def test_a_person_s_emotion_leads_their_shares(shares):
    all_shares = dict.fromkeys(EMOTIONS, 0.0) | shares
    person = {"id": 0, "number": 1, "first": 0.0, "last": 1.0, "frames": 5, "shares": all_shares, "mean": all_shares}
    summary = {"frames": 5, "duration": 1.0, "partial": False, "reason": None, "people": [person]}
    [row] = video._summary_rows("film.mp4", summary)
    assert f": {row['emotion']} in " in video._summary_lines(summary)[-1]
