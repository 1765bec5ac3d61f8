"""Samples of the pages: sizes, origins, and that each shows what its page says."""

from __future__ import annotations

import re
from io import BytesIO

import pytest

from emotions import EMOTIONS, analyze_speech
from tests.markup import Page
from web.app import ROOT
from web.pages.text import SAMPLE_NOTES
from web.pages.text import SAMPLES as TEXTS

FOLDER = ROOT / "static" / "samples"
HTML = {"Accept": "text/html"}
MAX_BYTES = {".jpg": 90_000, ".png": 90_000, ".flac": 60_000, ".mp4": 250_000}
EXPRESSIONS = {"sad.png": ("sad",), "angry.png": ("anger",), "collins.jpg": ("happy",), "obama.jpg": ("happy",)}
EMOTIONS_OF_TEXTS = {
    "thanks": {"happy"},
    "spider": {"fear"},
    "mixed": {"happy", "sad"},
    "furious": {"anger"},
    "flat": {"neutral"},
    "sarcastic": {"happy"},
}


def faces_of(client, name: str) -> list[dict]:
    data = {"file": (BytesIO((FOLDER / name).read_bytes()), name)}
    return client.post("/api/v1/image", data=data).get_json()["faces"]


def test_every_file_is_small_and_has_its_origin_and_license():
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| (.+) \| (.+) \|$", (FOLDER / "README.md").read_text(encoding="utf-8"), re.M)
    files = {path.name: path for path in FOLDER.iterdir() if path.suffix in MAX_BYTES}
    assert sorted(name for name, _, _ in rows) == sorted(files)
    assert all("public domain" in licence or "CC0" in licence for _, _, licence in rows)
    for name, path in files.items():
        assert path.stat().st_size <= MAX_BYTES[path.suffix], name


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_are_right_and_sure(client, name):
    faces = faces_of(client, name)
    assert [(face["emotion"], face["unsure"]) for face in faces] == [(emotion, None) for emotion in EXPRESSIONS[name]]
    assert all(face["confidence"] > 0.9 for face in faces)


def test_every_face_of_the_group_photograph_is_found(client):
    faces = faces_of(client, "solvay.jpg")
    assert len(faces) == 29 and len([face for face in faces if face["unsure"]]) <= 3
    assert [face["emotion"] for face in faces].count("neutral") >= 27


def test_sample_recording_without_javascript(client):
    form = next(one for one in Page(client.get("/speech").text).find("form", "speech-sample"))
    page = Page(client.post(form.attrs["action"], data={"sample": "speech"}, headers=HTML).text)
    result = analyze_speech(FOLDER / "speech.flac")
    assert result.emotion == "anger" and result.confidence > 0.7 and not result.partial
    assert page.by_id("headline").text == f"Anger, {100 * result.confidence:.0f} %"
    values = [dd.text for dd in page.find("dd") if dd.text.endswith("%")]
    assert values == [f"{100 * share:.0f} %" for share in result.probabilities] and len(values) == len(EMOTIONS)
    assert len([path for path in page.find("path", "column")]) == len(EMOTIONS)


def test_unknown_sample_recording(client):
    response = client.post("/speech", data={"sample": "../speech"}, headers=HTML)
    assert response.status_code == 400 and "There is no sample called" in response.text


def test_expected_emotions_are_given_for_every_text():
    assert EMOTIONS_OF_TEXTS.keys() == TEXTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_texts_show_what_they_should(client, name):
    result = client.post("/api/v1/text", json={"text": TEXTS[name]}).get_json()["results"][0]
    assert set(result["emotions"]) == EMOTIONS_OF_TEXTS[name]
    page = client.post("/text", data={"sample": name}, headers=HTML).text
    assert ("the result is wrong" in page) == (name in SAMPLE_NOTES)
