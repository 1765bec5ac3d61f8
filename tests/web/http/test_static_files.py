"""Static files: versions in their addresses, caching and compression."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from web.http.static_files import IMMUTABLE, SHORT_LIVED, folder_version

STATIC = Path(__file__).resolve().parents[3] / "static"


@pytest.fixture
def address(client) -> str:
    """Address of a script as a page gives it."""
    found = re.search(r'src="(/static/@[0-9a-f]{12}/js/app\.js)"', client.get("/").text)
    assert found
    return found[1]


def test_versioned_files_are_immutable(client, address):
    response = client.get(address, buffered=True)
    assert response.headers["Cache-Control"] == IMMUTABLE and response.data == (STATIC / "js/app.js").read_bytes()
    again = client.get(address, headers={"If-None-Match": response.headers["ETag"]}, buffered=True)
    assert again.status_code == 304 and again.headers["Cache-Control"] == IMMUTABLE


def test_modules_and_fonts_take_the_version_with_them(client, address):
    """They are named relatively, so that those of two versions are never mixed."""
    imports = re.findall(r'from "(\./[a-z-]+\.js)"', client.get(address, buffered=True).text)
    assert imports
    for name in imports:
        assert client.get(address.rsplit("/", 1)[0] + name[1:], buffered=True).headers["Cache-Control"] == IMMUTABLE
    for sheet in STATIC.glob("css/*.css"):
        assert not re.findall(r'url\(["\']?/', sheet.read_text(encoding="utf-8")), sheet


def test_another_version_is_not_found(client, address):
    other = re.sub("@[0-9a-f]+", "@0123456789ab", address)
    response = client.get(other)
    assert response.status_code == 404 and response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["a" * 300, "@x/" + "a" * 5000, "a/" * 3000, "\0", "@" + "a" * 300 + "/js/app.js"])
def test_names_that_no_file_has_are_not_found(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_files_without_a_version_are_asked_for_again(client):
    plain = client.get("/static/js/app.js", buffered=True)
    assert plain.headers["Cache-Control"] == SHORT_LIVED
    assert client.get("/static/../app.yaml").status_code == 404 and client.get("/static/").status_code == 404


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*"])
def test_texts_are_compressed_for_those_who_accept_it(client, address, accepted):
    response = client.get(address, headers={"Accept-Encoding": accepted}, buffered=True)
    original = (STATIC / "js/app.js").read_bytes()
    assert response.headers["Content-Encoding"] == "gzip" and response.vary.as_set() >= {"accept-encoding"}
    assert gzip.decompress(response.data) == original and len(response.data) < len(original) / 2
    assert response.mimetype == "text/javascript"
    again = client.get(address, headers={"Accept-Encoding": accepted, "If-None-Match": response.headers["ETag"]}, buffered=True)
    assert again.status_code == 304
    plain = client.get(address, headers={"Accept-Encoding": "identity"}, buffered=True)
    assert (
        "Content-Encoding" not in plain.headers and plain.data == original and plain.headers["ETag"] != response.headers["ETag"]
    )
    assert "accept-encoding" in plain.vary.as_set()


@pytest.mark.parametrize(
    "name", ["samples/obama.jpg", "icons/favicon.ico", "vendor/source-sans-3/source-sans-3-latin-400-normal.woff2"]
)
def test_pictures_and_fonts_are_not(client, name):
    response = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"}, buffered=True)
    assert "Content-Encoding" not in response.headers and response.data == (STATIC / name).read_bytes()
    part = client.get(f"/static/{name}", headers={"Range": "bytes=0-9", "Accept-Encoding": "gzip"}, buffered=True)
    assert part.status_code == 206 and part.data == (STATIC / name).read_bytes()[:10]


def test_webassembly_is_sent_as_it_is_stored(client):
    """The file in the tree is compressed; the server reads it piece by piece."""
    name = "vendor/litert/litert_wasm_internal.wasm"
    stored = (STATIC / f"{name}.gz").read_bytes()
    response = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"}, buffered=True)
    assert response.headers["Content-Encoding"] == "gzip" and response.data == stored and response.mimetype == "application/wasm"
    again = {"Accept-Encoding": "gzip", "If-None-Match": response.headers["ETag"]}
    assert client.get(f"/static/{name}", headers=again, buffered=True).status_code == 304
    plain = client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"}, buffered=True)
    assert "Content-Encoding" not in plain.headers and plain.data == gzip.decompress(stored)
    assert response.vary.as_set() == plain.vary.as_set() == {"accept-encoding"}
    assert client.get("/static/vendor/litert/other.wasm").status_code == 404
    for accepted in ("gzip", "identity"):
        with client.get(f"/static/{name}", headers={"Accept-Encoding": accepted}) as streamed:
            assert streamed.is_streamed and len(next(streamed.iter_encoded())) < 100_000


def test_any_change_changes_the_version(tmp_path):
    versions = set()
    for number, (name, text) in enumerate([("a.js", "1"), ("a.js", "2"), ("b.js", "1"), ("sub/a.js", "1")]):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        versions.add(folder_version(str(folder)))
    assert len(versions) == 4


@pytest.mark.parametrize(
    "path", ["/static/css/app.css", "/static/samples/obama.jpg", "/models/manifest.json", "/service-worker.js"]
)
def test_files_are_sent_where_a_precondition_holds(client, path):
    """And otherwise a problem, not the file."""
    plain = client.get(path, buffered=True)
    for tags in ("*", plain.headers["ETag"], f'"x", {plain.headers["ETag"]}'):
        answer = client.get(path, headers={"If-Match": tags}, buffered=True)
        assert answer.status_code == 200 and answer.data == plain.data
    answer = client.get(path, headers={"If-Match": '"x"'})
    assert answer.status_code == 412 and answer.json["code"] == "precondition_failed"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "ETag" not in answer.headers
