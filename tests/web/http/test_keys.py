"""API_KEYS: keys of the API, and the tokens of the pages."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer

from web import create_app
from web.http import keys
from web.http.keys import PAGE_ADDRESSES, ApiKeys

ROOT = Path(__file__).resolve().parents[3]
KEYS = ("first-key", "second-key")
DIGESTS = tuple(sha256(key.encode()).hexdigest() for key in KEYS)
PAGES = ("/", "/live", "/video", "/text", "/speech", "/about")


@pytest.fixture(scope="module")
def client():
    """Client of a server with two keys."""
    settings = {"API_KEYS": DIGESTS, "CORS_ORIGINS": frozenset({"https://a.example"}), "METRICS": True}
    return create_app(settings).test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def page_token(client, page: str = "/live") -> str:
    (token,) = re.findall(r'<meta name="api-token" content="([^"]+)">', client.get(page).text)
    return token


def is_refused(response) -> bool:
    if response.status_code != 401:
        return False
    assert response.mimetype == "application/problem+json" and json.loads(response.data)["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    return True


API = [
    (rule.rule, method)
    for rule in create_app().url_map.iter_rules()
    if rule.rule.startswith("/api/")
    for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
]


@pytest.mark.parametrize(("path", "method"), [*API, ("/api/v1/nowhere", "GET"), ("/metrics", "GET")])
def test_every_address_needs_a_key(client, path, method):
    assert is_refused(client.open(path, method=method))
    assert is_refused(client.open(path, method=method, headers=bearer("another")))
    for key in KEYS:
        assert client.open(path, method=method, headers=bearer(key)).status_code != 401


def test_a_request_for_the_header_alone_needs_a_key(client):
    assert client.head("/api/v1/models").status_code == 401
    assert client.head("/api/v1/models", headers=bearer(KEYS[0])).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", "first-key", "Basic first-key", "Bearer first", "Bearer first-key second-key",
        "Bearer First-Key", f"Bearer {DIGESTS[0]}", "Bearer caf\xe9", "Bearer " + "x" * 8000,
    ],
)  # fmt: skip
def test_headers_without_a_valid_key(client, header):
    assert is_refused(client.get("/api/v1/models", headers={"Authorization": header}))


@pytest.mark.parametrize("header", ["Bearer second-key", "bearer second-key", "BEARER  second-key "])
def test_the_scheme_has_any_case(client, header):
    assert client.get("/api/v1/models", headers={"Authorization": header}).status_code == 200


def test_other_addresses_need_none(client):
    for path in ("/health", "/openapi.json", "/docs", *PAGES):
        assert client.get(path).status_code == 200


def test_without_the_setting_keys_are_ignored():
    open_client = create_app().test_client()
    assert open_client.get("/api/v1/models").status_code == 200
    assert open_client.get("/api/v1/models", headers=bearer("anything")).status_code == 200
    assert "api-token" not in open_client.get("/live").text


def test_a_refused_body_is_not_read(client, photo):
    class Body(BytesIO):
        def read(self, *_):
            raise AssertionError("the body is read")

        readinto = readline = read

    environ = {"wsgi.input": Body(photo), "CONTENT_LENGTH": str(len(photo)), "CONTENT_TYPE": "image/jpeg"}
    assert is_refused(client.post("/api/v1/image", environ_overrides=environ))


def test_a_browser_may_ask_whether_it_may_send_a_key(client):
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    response = client.options("/api/v1/image", headers=asked)
    assert response.status_code == 200 and "Authorization" in response.headers["Access-Control-Allow-Headers"]
    refused = client.post("/api/v1/image", headers={"Origin": "https://a.example"})
    assert is_refused(refused) and refused.headers["Access-Control-Allow-Origin"] == "https://a.example"


@pytest.mark.parametrize("page", PAGES)
def test_the_token_of_a_page_opens_what_its_scripts_call(client, page):
    token = page_token(client, page)
    for path in PAGE_ADDRESSES:
        method = "GET" if path.endswith("style") else "POST"
        assert client.open(path, method=method, headers=bearer(token)).status_code != 401


def test_the_live_page_and_the_video_page_keep_working(client, photo):
    """The requests of static/js/frames.js, upload.js, style.js and feedback.js, with the token that their page carries."""
    headers = bearer(page_token(client))
    frame = {"file": (BytesIO(photo), "frame.jpg"), "tracks": "", "time": "0.000"}
    first = client.post("/api/v1/image", data=frame, headers=headers)
    assert first.status_code == 200 and len(json.loads(first.data)["faces"]) == 1
    assert client.get("/api/v1/style", headers=headers).status_code == 200
    video = client.post(
        "/api/v1/video", data={"file": (BytesIO(b"words"), "clip.mp4")}, headers=bearer(page_token(client, "/video"))
    )
    assert video.status_code == 422 and json.loads(video.data)["code"] == "not_a_video"
    feedback = {"shown": "happy", "said": "sad", "confidence": 0.9, "model": "vgg16/mixed 2.2.0"}
    assert client.post("/api/v1/feedback", json=feedback, headers=headers).status_code == 204


def test_forms_of_the_pages_keep_working(client, photo):
    assert client.post("/", data={"file": (BytesIO(photo), "photo.jpg")}).status_code == 200


def test_the_token_of_a_page_opens_nothing_else(client):
    token = page_token(client)
    for path, method in API:
        assert is_refused(client.open(path, method=method, headers=bearer(token))) == (path not in PAGE_ADDRESSES)
    assert is_refused(client.get("/metrics", headers=bearer(token)))


def test_scripts_call_no_other_addresses_and_send_the_token():
    """What the scripts of the pages call, but for the documentation, which asks for a key."""
    called = set()
    for script in (ROOT / "static" / "js").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        addresses = set(re.findall(r'"(/api/v1/\w+)', text))
        if addresses and script.name != "docs.js":
            assert "apiHeaders()" in text, f"{script.name} sends no token"
            called |= addresses
    assert called == PAGE_ADDRESSES


def test_tokens_end(monkeypatch):
    one = ApiKeys(DIGESTS)
    token = one.issue_page_token()
    assert one.is_page_token(token)
    monkeypatch.setattr(keys, "PAGE_TOKEN_SECONDS", -1)
    assert not one.is_page_token(token)


def test_tokens_are_those_of_the_same_keys():
    """Instances with the same setting accept each other's tokens, in whatever order it lists the keys."""
    token = ApiKeys(DIGESTS).issue_page_token()
    assert ApiKeys(DIGESTS[::-1]).is_page_token(token)
    assert not ApiKeys(DIGESTS[:1]).is_page_token(token)
    assert not ApiKeys(DIGESTS).is_page_token(token[:-9] + token[-1:-10:-1])
    other_purpose = URLSafeTimedSerializer(sha256(" ".join(sorted(DIGESTS)).encode()).digest(), salt="feedback").dumps("page")
    assert not ApiKeys(DIGESTS).is_page_token(other_purpose)


def test_the_documented_command_makes_a_key_and_its_digest():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^python -c .*token_urlsafe.*$", page, re.MULTILINE)
    run = [sys.executable, *shlex.split(command)[1:]]
    pairs = [subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout.split() for _ in range(2)]
    assert pairs[0] != pairs[1]
    for key, digest in pairs:
        client = create_app({"API_KEYS": (digest,)}).test_client()
        assert client.get("/api/v1/models", headers=bearer(key)).status_code == 200
        assert client.get("/api/v1/models", headers=bearer(digest)).status_code == 401


def test_the_document_describes_the_key(client):
    document = client.get("/openapi.json").json
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/"):
                assert operation["security"] == [{}, {"key": []}]
                assert "`unauthorized`" in operation["responses"]["401"]["description"]
                assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
                assert "`rate_limited`" in operation["responses"]["429"]["description"]
                assert "Retry-After" in operation["responses"]["429"]["headers"]
            else:
                assert "security" not in operation and "401" not in operation["responses"]
