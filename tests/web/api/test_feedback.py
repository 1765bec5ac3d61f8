from __future__ import annotations

import json

import pytest

from web import create_app

GOOD = {"shown": "happy", "said": "neutral", "confidence": 0.71, "model": "vgg16/mixed 1.0.0"}


def test_feedback_is_one_log_line(client, capsys):
    response = client.post("/api/v1/feedback", json=GOOD)
    assert response.status_code == 204 and response.data == b""
    logged, request = map(json.loads, capsys.readouterr().out.splitlines())
    assert logged["message"] == "feedback" and logged["feedback"] == GOOD and logged["severity"] == "INFO"
    assert logged["request_id"] == request["request_id"] == response.headers["X-Request-Id"]
    assert set(logged) == {"severity", "time", "message", "feedback", "request_id"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shown", "joy"),
        ("shown", None),
        ("said", "Happy"),
        ("said", ["happy"]),
        ("confidence", 1.01),
        ("confidence", -0.1),
        ("confidence", "0.7"),
        ("confidence", True),
        ("confidence", float("nan")),
        ("model", ""),
        ("model", "a" * 101),
        ("model", "two\nlines"),
        ("model", "ends\n"),
        ("model", 7),
        ("picture", "data:image/png;base64,AAAA"),
    ],
)
def test_invalid_fields_are_named(client, field, value, capsys):
    response = client.post("/api/v1/feedback", json=GOOD | {field: value})
    assert response.status_code == 400
    body = json.loads(response.data)
    assert body["code"] == "invalid_body" and list(body["errors"]) == [field] and field in body["detail"]
    assert '"feedback":' not in capsys.readouterr().out


@pytest.mark.parametrize("field", GOOD)
def test_every_field_is_required(client, field):
    body = json.loads(client.post("/api/v1/feedback", json={name: GOOD[name] for name in GOOD if name != field}).data)
    assert body["code"] == "invalid_body" and list(body["errors"]) == [field]


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_json"),
        (b"\xff\xfe", "application/json", 400, "invalid_json"),
        (b"", "application/json", 400, "invalid_json"),
        (b"[" * 4000, "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_body"),
        (b"null", "application/json", 400, "invalid_body"),
        (b'"x"', "application/json", 400, "invalid_body"),
        (json.dumps(GOOD).encode(), "text/plain", 415, "unsupported_media_type"),
        (b"shown=happy", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"model": "' + b"a" * 5000 + b'"}', "application/json", 413, "body_too_large"),
    ],
)
def test_invalid_bodies(client, data, kind, status, code):
    response = client.post("/api/v1/feedback", data=data, content_type=kind)
    assert (response.status_code, json.loads(response.data)["code"]) == (status, code)


def test_feedback_can_be_disabled(capsys):
    client = create_app({"FEEDBACK": False}).test_client()
    response = client.post("/api/v1/feedback", json=GOOD)
    assert response.status_code == 403 and json.loads(response.data)["code"] == "feedback_off"
    assert '"feedback":' not in capsys.readouterr().out
