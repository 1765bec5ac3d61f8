from __future__ import annotations

import re
from io import BytesIO

import pytest

from web import create_app

PATHS = [
    "/",
    "/about",
    "/live",
    "/video",
    "/docs",
    "/openapi.json",
    "/health",
    "/nowhere",
    "/api/v1/style",
    "/static/js/docs.js",
    "/static/none",
]


@pytest.mark.parametrize("path", PATHS)
def test_security_headers(client, path):
    headers = client.get(path, buffered=True).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'" and policy["img-src"] == "'self' data: blob:"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
    assert "camera=(self)" in headers["Permissions-Policy"] and "microphone=(self)" in headers["Permissions-Policy"]
    assert headers["Referrer-Policy"]
    assert "Set-Cookie" not in headers and "Strict-Transport-Security" not in headers
    assert "Access-Control-Allow-Origin" not in headers


def test_pages_are_cross_origin_isolated(client):
    """Threads in WebAssembly need that."""
    for path in ("/", "/live", "/video", "/static/js/device/worker.js"):
        headers = client.get(path, buffered=True).headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp", path


@pytest.mark.parametrize("name", ["js/device/worker.js", "vendor/litert/litert_wasm_threaded_internal.js"])
def test_only_workers_may_compile_webassembly(client, name):
    """A worker has the policy of its script; `unsafe-eval`, which permits text as code, is not given."""
    worker = client.get(f"/static/{name}", buffered=True).headers["Content-Security-Policy"]
    policy = dict(part.split(" ", 1) for part in worker.split("; "))
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'" and policy["default-src"] == "'self'"
    page = client.get("/").headers["Content-Security-Policy"]
    assert worker.replace("; script-src 'self' 'wasm-unsafe-eval'", "") == page
    other = client.get("/static/js/device/client.js", buffered=True)
    assert other.headers["Content-Security-Policy"] == page


def test_hsts_behind_tls_only(client):
    assert "max-age=" in client.get("/health", headers={"X-Forwarded-Proto": "https"}).headers["Strict-Transport-Security"]
    assert "max-age=" in client.get("/health", base_url="https://localhost").headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in client.get("/health", headers={"X-Forwarded-Proto": "http"}).headers


@pytest.mark.parametrize("path", ["/", "/about", "/live", "/video", "/docs"])
def test_pages_comply_with_the_policy(client, path):
    page = client.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"""(src|href)=["'](https?:)?//[^"']*\.(js|css)""", page)


def test_cache_control(client):
    assert client.get("/health").headers["Cache-Control"] == "no-store"
    assert client.get("/static/nothing").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),  # a program
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "none"}, True),  # started by the user: a share sheet
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://localhost:81"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),  # no address at all
        ({"Origin": "https://partner.example", "Sec-Fetch-Site": "cross-site"}, None),  # in CORS_ORIGINS: the API alone
    ],
)
def test_other_sites_may_not_send_what_changes_something(photo, headers, allowed):
    client = create_app({"CORS_ORIGINS": frozenset(["https://partner.example"])}).test_client()
    feedback = {"shown": "happy", "said": "sad", "confidence": 0.5, "model": "a"}
    answers = {
        "/api/v1/feedback": client.post("/api/v1/feedback", json=feedback, headers=headers),
        "/feedback": client.post("/feedback", data=feedback, headers=headers),
        "/share": client.post("/share", data={"file": (BytesIO(photo), "a.jpg")}, headers=headers),
    }
    for path, response in answers.items():
        expected = path.startswith("/api/") if allowed is None else allowed
        assert (b"cross_site" not in response.data) == expected, path
        assert expected or response.status_code == 403
