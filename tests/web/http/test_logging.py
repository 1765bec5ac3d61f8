from __future__ import annotations

import json
import logging
from io import BytesIO

import pytest

from web import create_app

TRACE = "105445aa7843bc8bf206b12000100000"


@pytest.fixture
def lines(capsys):
    """Return the log lines since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_line_per_request(client, lines):
    client.get("/health?secret=1", headers={"User-Agent": "someone in particular"})
    (line,) = lines()
    assert line["severity"] == "INFO" and line["message"] == "GET /health 200"
    sent = line["httpRequest"]
    assert sent["requestMethod"] == "GET" and sent["requestUrl"] == "/health" and sent["status"] == 200
    assert sent["latency"].endswith("s") and float(sent["latency"][:-1]) >= 0
    assert "secret" not in json.dumps(line) and "particular" not in json.dumps(line) and "127.0.0.1" not in json.dumps(line)


def test_log_line_of_a_photo_has_only_numbers(client, photo, lines):
    response = client.post("/api/v1/image?annotate=true", data={"file": (BytesIO(photo), "my-holiday.jpg")})
    (line,) = lines()
    assert line["faces"] == 1 and line["detector"] == "blazeface"
    assert set(line["timing_ms"]) == {"decode", "detect", "classify", "annotate"}
    text = json.dumps(line)
    assert "my-holiday" not in text and "base64" not in text and len(text) < 1000
    stages = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    assert set(stages) == set(line["timing_ms"]) and all(float(value) >= 0 for value in stages.values())


def test_rejected_requests_are_warnings(client, lines):
    client.get("/nowhere")
    (line,) = lines()
    assert line["severity"] == "WARNING" and line["problem"] == "not_found"


@pytest.mark.parametrize("given", ["0123456789abcdef", "order-66:first.try_1"])
def test_valid_request_id_is_returned(client, given, lines):
    assert client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
    assert lines()[0]["request_id"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 129, "two words here", "<script>alert(1)", "naïve-naïve"])
def test_invalid_request_id_is_replaced(client, given):
    fresh = client.get("/health", headers={"X-Request-Id": given.encode().decode("latin-1")}).headers["X-Request-Id"]
    assert fresh != given and len(fresh) == 32


def test_request_ids_are_unique(client):
    assert len({client.get("/health").headers["X-Request-Id"] for _ in range(8)}) == 8


def test_cloud_trace(lines):
    client = create_app({"GOOGLE_CLOUD_PROJECT": "my-project"}).test_client()
    response = client.get("/health", headers={"X-Cloud-Trace-Context": f"{TRACE}/1;o=1"})
    assert response.headers["X-Request-Id"] == TRACE
    assert lines()[0]["logging.googleapis.com/trace"] == f"projects/my-project/traces/{TRACE}"
    client.get("/health", headers={"X-Cloud-Trace-Context": "nonsense\u00e9"})
    assert "logging.googleapis.com/trace" not in lines()[0]


def test_no_trace_without_a_project(client, lines):
    client.get("/health", headers={"X-Cloud-Trace-Context": f"{TRACE}/1;o=1"})
    assert "logging.googleapis.com/trace" not in lines()[0]


def test_log_level(lines):
    try:
        client = create_app({"LOG_LEVEL": logging.WARNING}).test_client()
        client.get("/health")
        client.get("/nowhere")
        assert [line["httpRequest"]["status"] for line in lines()] == [404]
        good = {"shown": "happy", "said": "sad", "confidence": 0.5, "model": "vgg16/mixed 1.0.0"}
        client.post("/api/v1/feedback", json=good)
        assert [line["message"] for line in lines()] == ["feedback"], "feedback is logged at any level"
    finally:
        create_app()
