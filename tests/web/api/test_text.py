"""POST /api/v1/text and the page /text."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from emotions.labels import EMOTIONS
from emotions.runtime.limits import SERVER
from web.api.text import MAX_SENTENCES
from web.pages.text import MAX_JSON_SENTENCES, SAMPLES

MAX_TEXT = SERVER.text_characters


def ask(client, **body):
    return client.post("/api/v1/text", json=body)


def test_one_text(client):
    answer = ask(client, text="I love this, thank you!")
    assert answer.status_code == 200
    (result,) = answer.json["results"]
    assert result["emotion"] == "happy" and "happy" in result["emotions"] and result["reason"] is None
    assert list(result["probabilities"]) == list(EMOTIONS) and "words" not in result and "sentences" not in result
    assert answer.json["model"]["name"] and answer.json["timing_ms"]["read"] >= 0
    assert "read" in answer.headers["Server-Timing"]


def test_order_of_a_thousand_texts(client):
    texts = ["so sad", "I love it"] * 500
    results = ask(client, text=texts).json["results"]
    assert [result["emotion"] for result in results] == ["sad", "happy"] * 500


def test_words_and_sentences(client):
    text = "I love it! But I am so sad that it is over."
    (result,) = ask(client, text=text, explain=True, sentences=True).json["results"]
    assert all(text[word["start"] : word["end"]] == word["word"] for word in result["words"])
    assert [part["text"] for part in result["sentences"]] == ["I love it!", "But I am so sad that it is over."]
    assert result["sentences"][0]["emotion"] == "happy" and "sad" in result["sentences"][1]["emotions"]


def test_only_the_first_texts_are_explained(client):
    results = ask(client, text=["I love it"] * 22, explain=True).json["results"]
    assert ["words" in result for result in results] == [True] * 20 + [False] * 2


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("Das ist nicht gut, ich bin sehr traurig.", "other_language")])
def test_reasons_without_a_prediction(client, text, reason):
    (result,) = ask(client, text=text).json["results"]
    assert (
        result["emotion"] is None
        and result["emotions"] == []
        and result["reason"] == reason
        and len(result["probabilities"]) == 7
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_body"),
        ({"text": 5}, 400, "invalid_body"),
        ({"text": []}, 400, "invalid_body"),
        ({"text": ["a", None]}, 400, "invalid_body"),
        ({"text": {"a": 1}}, 400, "invalid_body"),
        ({"text": "a", "explain": "yes"}, 400, "invalid_body"),
        ({"text": "a", "explain": 1}, 400, "invalid_body"),
        ({"text": "a", "lang": "en"}, 400, "invalid_body"),
        ([], 400, "invalid_body"),
        ({"text": ["a"] * 1001}, 413, "too_many_texts"),
        ({"text": "a" * (MAX_TEXT + 1)}, 413, "text_too_long"),
        ({"text": ["a" * (MAX_TEXT // 2)] * 2 + ["b"]}, 413, "text_too_long"),
        ({"text": "a" * 2**22}, 413, "body_too_large"),
        (
            {"text": ["a\n" * (MAX_SENTENCES // 2), "b\n" * (MAX_SENTENCES // 2 + 1)], "sentences": True},
            413,
            "too_many_sentences",
        ),
    ],
)
def test_invalid_requests(client, body, status, code):
    answer = client.post("/api/v1/text", json=body)
    assert (answer.status_code, answer.json["code"]) == (status, code) and answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"{", "application/json", "invalid_json"),
        (b"text=a", "text/plain", "unsupported_media_type"),
        *(
            (json.dumps({"text": "a"}).encode(name), "application/json", "invalid_json")
            for name in ("utf-16", "utf-16-le", "utf-32")
        ),
        ('{"text": "café"}'.encode("latin-1"), "application/json", "invalid_json"),
        ('{"text": "café"}'.encode("latin-1"), "application/json; charset=iso-8859-1", "invalid_json"),
    ],
)
def test_invalid_bodies(client, data, kind, code):
    answer = client.post("/api/v1/text", data=data, content_type=kind)
    assert answer.json["code"] == code and "results" not in answer.json


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=UTF-8", "application/problem+json"])
def test_utf8_with_or_without_a_byte_order_mark(client, encoding, kind):
    body = '{"text": "I love this café ❤"}'.encode(encoding)
    assert client.post("/api/v1/text", data=body, content_type=kind).json["results"][0]["emotion"] == "happy"


@pytest.mark.parametrize("address", ["/api/v1/text", "/api/v1/feedback"])
@pytest.mark.parametrize("query", ["explain=true", "text=Hello", "nonsense"])
def test_options_in_the_query_are_not_ignored(client, address, query):
    response = client.post(f"{address}?{query}", json={"text": "I love it!"})
    assert (response.status_code, response.get_json()["code"]) == (400, "unknown_option")
    assert query.partition("=")[0] in response.get_json()["detail"]


@pytest.mark.parametrize("text", ["\ud800 broken", "\0", "💥" * 100, "<script>alert(1)</script>", "def f(x):\n    return x + 1"])
def test_unusual_texts(client, text):
    assert (
        client.post("/api/v1/text", data=json.dumps({"text": text, "explain": True}), content_type="application/json").status_code
        == 200
    )


def test_texts_are_not_logged(client, capsys):
    ask(client, text="a very private sentence about someone")
    client.post("/text", data={"text": "a very private sentence about someone"})
    assert "private" not in "".join(capsys.readouterr())


def test_page_without_a_result(client):
    page = client.get("/text")
    assert page.status_code == 200 and all(
        sample[:20] in page.get_data(as_text=True).replace("&#39;", "'") for sample in SAMPLES.values()
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(client, name):
    assert client.post("/text", data={"sample": name}).status_code == 200


def test_page_marks_the_words(client):
    page = client.post("/text", data={"text": "I love it. <b>It</b> & the film."}).get_data(as_text=True)
    assert 'class="marked marked-3"' in page and "&lt;b&gt;" in page and "<b>It" not in page
    assert "Sentence by sentence" in page and "Happy" in page


def test_page_without_a_prediction(client):
    page = client.post("/text", data={"text": "Ich bin heute sehr traurig und weiß nicht warum."}).get_data(as_text=True)
    assert "No prediction" in page and "English" in page
    assert "No prediction" in client.post("/text", data={"text": " "}).get_data(as_text=True)


def test_long_text_on_the_page(client):
    text = ("I am so happy today. " * 6000)[:MAX_TEXT]
    page = client.post("/text", data={"text": text})
    assert page.status_code == 200 and "The first 200 of" in page.get_data(as_text=True)
    assert client.post("/text", data={"text": text + "x"}, headers={"Accept": "text/html"}).status_code == 413


def test_page_of_very_many_lines(client):
    page = client.post("/text", data={"text": "ok\n" * (MAX_JSON_SENTENCES + 1)}).get_data(as_text=True)
    link = re.search('href="data:application/json,([^"]*)"', page)[1]
    assert len(json.loads(unquote(link))["sentences"]) == MAX_JSON_SENTENCES
    assert re.search(rf"the JSON has the first\s+{MAX_JSON_SENTENCES:,}\.", page)


def test_unknown_sample(client):
    assert client.post("/text", data={"sample": "../secret"}).status_code == 400


def test_photos_do_not_load_the_text_model(app):
    from emotions.runtime.manifest import ModelRegistry
    from web import create_app

    fresh = create_app(registry=ModelRegistry())
    fresh.test_client().get("/_ah/warmup")
    model = fresh.extensions["text"]
    assert not {"vocabulary", "_network", "_english"} & set(vars(model))
