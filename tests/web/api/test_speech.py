"""POST /api/v1/speech and the page /speech."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest

from emotions import EMOTIONS
from tests.sounds import encoded, voice_like


@pytest.fixture
def ask(client):
    def send(data: bytes, name: str = "voice.wav", **fields: str):
        return client.post("/api/v1/speech", data={"file": (BytesIO(data), name), **fields})

    return send


@pytest.fixture(scope="module")
def voice() -> bytes:
    return encoded(voice_like(6.0))


def test_response(ask, voice):
    response = ask(voice)
    body = response.get_json()
    assert response.status_code == 200
    assert list(body["probabilities"]) == list(EMOTIONS)
    assert sum(body["probabilities"].values()) == pytest.approx(1, abs=0.001)
    assert body["seconds"] == 6.0 and body["partial"] is False
    assert len(body["segments"]) > 1 and {"start", "end", "probabilities"} <= body["segments"][0].keys()
    assert (body["emotion"] is None) == (body["reason"] is not None)
    assert "Server-Timing" in response.headers


def test_raw_body(client, ask, voice):
    raw = client.post("/api/v1/speech", data=voice, content_type="audio/wav").get_json()
    assert raw["probabilities"] == ask(voice).get_json()["probabilities"]


def test_silence_is_no_error(ask):
    body = ask(encoded(np.zeros(48_000, np.float32))).get_json()
    assert (body["emotion"], body["confidence"], body["reason"]) == (None, None, "silence")


@pytest.mark.parametrize(
    ("data", "fields", "status", "code"),
    [
        (b"", {}, 422, "empty_file"), (b"just text " * 99, {}, 422, "not_a_sound"),
        (b"RIFF", {"speed": "2"}, 400, "unknown_option"),
    ],
)  # fmt: skip
def test_problems(ask, data, fields, status, code):
    response = ask(data, **fields)
    assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert response.mimetype == "application/problem+json"


def test_no_file(client):
    assert client.post("/api/v1/speech").get_json()["code"] == "no_file"
    assert client.post("/api/v1/speech", json={}).get_json()["code"] == "unsupported_media_type"


def test_page_without_javascript(client, voice):
    assert client.get("/speech").status_code == 200
    page = client.post("/speech", data={"file": (BytesIO(voice), "v.wav")}, headers={"Accept": "text/html"}).get_data(
        as_text=True
    )
    assert 'id="headline"' in page and 'class="wave" d="M' in page
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*src)", page)


def test_page_shows_the_problem(client):
    response = client.post("/speech", data={"file": (BytesIO(b"nonsense" * 99), "v.wav")}, headers={"Accept": "text/html"})
    assert response.status_code == 422 and "Not a recording" in response.get_data(as_text=True)


def test_licence_is_non_commercial(client):
    entry = next(one for one in client.get("/api/v1/models").get_json()["models"] if one["role"] == "speech")
    assert "non-commercial" in entry["licence"]
    assert "non-commercial" in client.get("/about/models").get_data(as_text=True)
