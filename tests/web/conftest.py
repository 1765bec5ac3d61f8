"""The app with the real models, once for all tests of the web."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from web import create_app


@pytest.fixture(scope="session")
def app():
    return create_app()


@pytest.fixture
def client(app) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def photo(portrait) -> bytes:
    """A photograph with one face."""
    return portrait.read_bytes()


@pytest.fixture
def post(client) -> Callable[..., TestResponse]:
    """Post a file (bytes) as a form with the fields given; `query` goes into the address."""

    def send(file: bytes, query: str = "", **fields: str) -> TestResponse:
        return client.post("/api/v1/image" + query, data={"file": (BytesIO(file), "photo.jpg"), **fields})

    return send
