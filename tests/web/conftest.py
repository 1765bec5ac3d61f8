"""App with the real models, shared by the tests of web/."""

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
    """Post a file (bytes) as a form with these fields; `query` is appended to the path."""

    def send(file: bytes, query: str = "", **fields: str) -> TestResponse:
        return client.post("/api/v1/image" + query, data={"file": (BytesIO(file), "photo.jpg"), **fields})

    return send
