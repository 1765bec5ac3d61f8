"""Error responses have the same form for every route and status."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from flask import abort
from werkzeug.exceptions import default_exceptions

from web import create_app
from web.http.problems import CATALOGUE, Problem

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def failing():
    """Client of an app with routes that raise exceptions."""
    app = create_app()

    @app.get("/break")
    def broken():
        raise RuntimeError("secret message: " + __file__)

    @app.get("/stop/<int:status>")
    def stop(status):
        abort(status)

    @app.get("/raise/<code>")
    def raised(code):
        raise Problem(code)

    return app.test_client()


def check(response, status: int, code: str | None = None) -> dict:
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    body = json.loads(response.data)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body)
    assert body["status"] == status and body["title"] and body["detail"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert code in (None, body["code"])
    return body


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_code(failing, code):
    body = check(failing.get(f"/raise/{code}"), CATALOGUE[code][0], code)
    pointer = body["type"].partition("#/")[2].split("/")
    place = failing.get("/openapi.json").json
    for step in pointer:
        place = place[step]
    assert place["title"] == body["title"], "`type` leads to the meaning of the code"


@pytest.mark.parametrize("status", sorted(status for status in default_exceptions if status >= 400))
def test_every_status(failing, status):
    check(failing.get(f"/stop/{status}"), status)
    page = failing.get(f"/stop/{status}", headers=HTML)
    assert page.status_code == status and page.mimetype == "text/html"


def test_browsers_get_a_page(failing):
    page = failing.get("/nowhere", headers=HTML)
    assert page.status_code == 404 and page.mimetype == "text/html"
    assert "not_found" in page.text and CATALOGUE["not_found"][2] in page.text
    assert "Accept" in page.headers["Vary"]


def test_json_under_api_for_any_accept_header(failing):
    check(failing.get("/api/v1/nowhere", headers=HTML), 404, "not_found")
    check(failing.get("/nowhere", headers={"Accept": "*/*"}), 404, "not_found")
    check(failing.get("/nowhere", headers={"Accept": "application/json, text/html;q=0.5"}), 404)


def test_405_lists_the_allowed_methods(failing):
    response = failing.get("/api/v1/image")
    body = check(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"] and "POST" in body["detail"]


@pytest.mark.parametrize("headers", [{}, HTML])
def test_failures_reveal_no_internals(failing, headers, capsys):
    response = failing.get("/break", headers=headers)
    assert response.status_code == 500
    for secret in ("secret", "RuntimeError", "Traceback", __file__, ".py"):
        assert secret not in response.text
    line = json.loads(capsys.readouterr().out)
    assert line["severity"] == "ERROR" and "secret message" in line["stack_trace"]
    assert line["request_id"] == response.headers["X-Request-Id"]


def test_a_problem_survives_pickling():
    before = Problem("busy", "Later.", title="Soon", extra={"errors": {"a": "b"}}, headers={"Retry-After": "5"})
    for after in (pickle.loads(pickle.dumps(before)), copy.copy(before)):
        assert (vars(after), str(after), after.args) == (vars(before), "Later.", before.args)


@pytest.mark.parametrize(
    "body",
    [
        {f"k{number}": 1 for number in range(5000)},
        {"k" * 100_000: 1},
        {"text": "a", "k" * 99 + "é" * 5000: 1},
        {"text": {f"k{number}": 1 for number in range(5000)}},
        {"text": [[]] * 5000},
    ],
)
def test_an_answer_repeats_little_of_a_body_that_is_not_understood(client, body):
    response = client.post("/api/v1/text", json=body)
    assert 400 <= response.status_code < 500 and response.json["errors"]
    assert len(response.data) < 10_000
