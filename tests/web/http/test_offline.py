"""Service worker: its list of pages and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from web.http.static_files import IMMUTABLE, SHORT_LIVED, folder_version

STATIC = Path(__file__).resolve().parents[3] / "static"


@pytest.fixture
def script(client):
    return client.get("/service-worker.js")


@pytest.fixture
def listed(script) -> dict:
    return json.loads(script.text.partition("\n")[0].removeprefix("const OFFLINE = ").removesuffix(";"))


def test_the_script_is_at_the_root_and_asked_for_with_every_visit(client, script):
    assert script.mimetype == "text/javascript" and script.headers["Cache-Control"] == "no-cache"
    assert client.get("/service-worker.js", headers={"If-None-Match": script.headers["ETag"]}).status_code == 304
    assert script.text.endswith((STATIC / "service-worker.js").read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_static_files(listed):
    """So a deployment changes the script, and browsers install the new files."""
    assert listed["version"] == folder_version(str(STATIC)) and listed["version"] in listed["prefix"]


def test_every_page_and_file_of_the_list_exists(client, listed):
    assert listed["pages"] == ["/", "/live", "/video", "/about"]
    for address in listed["pages"]:
        assert client.get(address).status_code == 200
    for address in listed["files"]:
        response = client.get(address, buffered=True)
        assert response.status_code == 200, address
        assert response.headers["Cache-Control"] == (SHORT_LIVED if address.endswith(".webmanifest") else IMMUTABLE)
    assert client.get(listed["data"][0]).json["colours"]
    manifest = json.loads((STATIC / "app.webmanifest").read_text(encoding="utf-8"))
    assert listed["share"] == manifest["share_target"]["action"]


def test_the_files_are_those_that_the_pages_name_and_not_too_much(client, listed):
    """A visitor's browser fetches them with the first page: of the WebAssembly it needs one build of three."""
    names = {address.removeprefix(listed["prefix"]) for address in listed["files"]}
    assert {"js/app.js", "js/offline.js", "js/device/worker.js", "css/app.css", "vendor/bootstrap/bootstrap.min.css"} <= names
    assert not any("/litert/" in address for address in listed["files"])
    sizes = [len(client.get(address, headers={"Accept-Encoding": "gzip"}, buffered=True).data) for address in listed["files"]]
    assert sum(sizes) < 600_000 and len(sizes) < 150
