"""Damaged and unusual image files: a result or a problem, never a server error or internal details."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from web.http.problems import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]
PHOTOS = ROOT.parent / "shared" / "data" / "photos"
INTERNALS = re.compile(r"Traceback|\.py\b|site-packages|0x[0-9a-f]{6}|<[A-Za-z_.]+ object|" + re.escape(str(ROOT)))


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="../shared/data/photos is not here")
def test_damaged_and_unusual_files(client):
    files = sorted(file for folder in ("formats", "derived") for file in (PHOTOS / folder).iterdir())
    assert len(files) > 90
    for file in files:
        response = client.post("/api/v1/image", data=file.read_bytes(), content_type="image/jpeg")
        body = json.loads(response.data)
        assert not INTERNALS.search(response.text), f"{file.name}: {response.text[:300]}"
        if response.status_code == 200:
            assert body["width"] > 0 and body["height"] > 0, file.name
        else:
            assert response.status_code == CATALOGUE[body["code"]][0] and response.status_code in (413, 415, 422), file.name
