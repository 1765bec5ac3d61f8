"""Compressed pages."""

from __future__ import annotations

import gzip

import pytest

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.mark.parametrize("path", ["/", "/about", "/live", "/docs"])
def test_pages_are_compressed_where_the_client_takes_it(client, path):
    plain, packed = client.get(path), client.get(path, headers=GZIP)
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data and len(packed.data) < len(plain.data) / 2
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert "Accept-Encoding" in plain.vary and "Accept-Encoding" in packed.vary


def test_no_gzip_where_it_is_refused(client):
    assert "Content-Encoding" not in client.get("/", headers={"Accept-Encoding": "gzip;q=0, br"}).headers


def test_answers_to_posts_are_not_compressed(client):
    answer = client.post("/text", data={"text": "I love it!"}, headers=GZIP)
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers


def test_problems_are_not_compressed(client):
    answer = client.get("/nowhere", headers=GZIP)
    assert answer.status_code == 404 and "Content-Encoding" not in answer.headers
