from __future__ import annotations

import pytest

from web import create_app

ORIGIN = "https://a.example"


@pytest.fixture(scope="module")
def client():
    return create_app({"CORS_ORIGINS": frozenset({ORIGIN})}).test_client()


def test_a_named_origin_may_read_the_api(client):
    headers = client.get("/api/v1/style", headers={"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN and "Origin" in headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("origin", ["https://b.example", "https://a.example.evil.example", "null", "http://a.example", None])
def test_other_origins_may_not(client, origin):
    headers = client.get("/api/v1/style", headers={"Origin": origin} if origin else {}).headers
    assert "Access-Control-Allow-Origin" not in headers and "Origin" in headers["Vary"]


def test_pages_are_not_shared(client):
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": ORIGIN}).headers


def test_preflight(client):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    response = client.options("/api/v1/feedback", headers=asked)
    assert response.status_code == 200
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
    asked["Origin"] = "https://b.example"
    assert not any(name.startswith("Access-Control") for name, _ in client.options("/api/v1/feedback", headers=asked).headers)


def test_problems_are_shared_too(client):
    headers = client.post("/api/v1/image", headers={"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
