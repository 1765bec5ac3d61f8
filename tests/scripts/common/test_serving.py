"""The local server: whole answers, files closed when a client leaves, nothing left afterwards."""

from __future__ import annotations

import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from scripts.common.serving import local_server


class Body:
    """Pieces of an answer, endless where `endless`; `closed` is set when the server closes them, as WSGI asks for."""

    def __init__(self, endless: bool) -> None:
        self.endless, self.closed = endless, threading.Event()

    def __iter__(self) -> Iterable[bytes]:
        yield b"first"
        while self.endless:
            time.sleep(0.01)
            yield b"." * 65_536

    def close(self) -> None:
        self.closed.set()


def serving(body: Body) -> Any:
    def app(_: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    return local_server(app)


def test_answers_are_whole_and_the_port_is_free_afterwards():
    body = Body(endless=False)
    threads = threading.active_count()
    with serving(body) as address:
        assert urllib.request.urlopen(address, timeout=10).read() == b"first"
    assert body.closed.is_set() and threading.active_count() == threads
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=10)


@pytest.mark.parametrize("linger", [False, True], ids=["closed", "reset"])
def test_an_answer_is_closed_when_its_client_leaves(linger):
    body = Body(endless=True)
    with serving(body) as address, socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1024)
        if linger:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert body.closed.wait(10)
