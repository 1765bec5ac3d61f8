"""Clients that close their sending side after a request and wait for the answer, and how those that have gone are found out."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from web.server import half_closed

from .test_server import Running, parse, post_head, read_all


@pytest.fixture
def server(app) -> Iterator[Running]:
    running = Running(app)
    yield running
    running.close()


def ask(server: Running, data: bytes) -> bytes:
    """Send a request, close the sending side, and read all that comes."""
    with server.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_sends_no_more_is_answered(server, work, photo, version, monkeypatch):
    monkeypatch.setattr(half_closed, "PROBE_SECONDS", 60.0)
    work["seconds"] = 0.3
    status, _, body = parse(ask(server, post_head(len(photo), version) + photo))
    assert status == 200 and body.startswith(b'{"width"')


def test_all_its_requests_are_answered_and_the_connection_is_closed(server):
    data = ask(server, b"GET /health HTTP/1.1\r\n\r\n" * 5 + b"GET /health HT")
    assert data.count(b"HTTP/1.1 200 OK") == 5 and data.endswith(b'{"status":"ok"}\n')
    assert len(ask(server, b"GET /static/js/app.js HTTP/1.0\r\n\r\n" + b"\r\n")) > 100


def test_a_long_answer_is_sent_to_its_end(server):
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    _, headers, body = parse(ask(server, b"GET /openapi.json HTTP/1.0\r\n\r\n"))
    assert len(body) == int(headers["Content-Length"]) > 50_000


def test_nothing_is_answered_where_no_request_is_complete(server):
    assert ask(server, b"") == ask(server, post_head(100) + bytes(99)) == b""


@pytest.mark.slow
def test_interim_responses_precede_an_answer_that_takes_long(server, work, photo, monkeypatch):
    monkeypatch.setattr(half_closed, "PROBE_SECONDS", 0.5)
    work["seconds"] = 3.5
    data = ask(server, post_head(len(photo)) + photo)
    interim, rest = half_closed.INTERIM, data
    while rest.startswith(interim):
        rest = rest[len(interim) :]
    assert len(rest) < len(data) and parse(rest)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("half", [False, True])
def test_work_ends_when_the_client_goes(server, work, photo, version, half, monkeypatch):
    """Those that close at once, and those that first close their sending side and then all."""
    monkeypatch.setattr(half_closed, "GONE_SECONDS", 1.5)
    work["seconds"] = 20.0
    with server.connect() as client:
        client.sendall(post_head(len(photo), version) + photo)
        assert work["reached"].wait(10)
        if half:
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.5)
    assert work["ended"].wait(8)
    until = time.monotonic() + 5
    while server.server.active_channels or not server.queue.idle:
        assert time.monotonic() < until
        time.sleep(0.01)
