"""Client that sends bytes as they are over a socket and reads whatever comes back, within a deadline."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field

from .inputs.raw_http import BRIEF, CLOSE, HALF, WAIT

PATIENCE = {WAIT: 60.0, BRIEF: 3.0, HALF: 20.0}
"""Seconds to wait by the end of a request; after BRIEF the client leaves, since nothing needs to be answered."""
QUIET = 0.5
"""Seconds without a further byte after which an answer to BRIEF is complete."""
MAX_ANSWER = 2**24
"""Bytes of an answer that are kept; the rest is read and dropped."""


@dataclass(frozen=True)
class Response:
    """One HTTP response: status, headers with names in small letters, and body."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """All that came back on one connection.

    `seconds`: from the first byte sent to the last received. `problem`: why it ended early: `refused` (no connection), `reset`,
    `timeout`; None where the server or, after everything was sent, the client closed it.
    """

    responses: tuple[Response, ...]
    seconds: float
    problem: str | None = None

    @property
    def status(self) -> int | None:
        """Status of the first response."""
        return self.responses[0].status if self.responses else None


def exchange(port: int, data: bytes, end: str = WAIT, patience: float | None = None) -> Answer:
    """Send `data` to 127.0.0.1 while reading, finish as `end` says, and return what came back; raises nothing."""
    started = time.perf_counter()
    limit = started + (PATIENCE.get(end, PATIENCE[WAIT]) if patience is None else patience)
    received, problem = bytearray(), None
    try:
        connection = socket.create_connection(("127.0.0.1", port), 10)
    except OSError:
        return Answer((), time.perf_counter() - started, "refused")
    with connection:
        connection.setblocking(False)
        try:
            problem = _transfer(connection, memoryview(data), end, limit, received)
        except OSError:
            problem = "reset"
    return Answer(parse_responses(bytes(received)), time.perf_counter() - started, problem)


def _transfer(connection: socket.socket, left: memoryview, end: str, limit: float, received: bytearray) -> str | None:
    """Send `left` and read into `received` until the connection ends; returns the problem."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if left else 0))
        if not left:
            _finish(connection, end)
        while (wait := limit - time.perf_counter()) > 0:
            for _, events in selector.select(wait):
                if events & selectors.EVENT_READ:
                    block = connection.recv(2**16)
                    if not block:
                        return None
                    if len(received) < MAX_ANSWER:
                        received += block
                    if end == BRIEF:
                        limit = min(limit, time.perf_counter() + QUIET)
                if events & selectors.EVENT_WRITE and left:
                    try:
                        left = left[connection.send(left[: 2**18]) :]
                    except (BrokenPipeError, ConnectionResetError):  # it was refused unread; the answer may lie here already
                        left = left[:0]
                        end = WAIT
                    if not left:
                        if end == CLOSE:
                            return None
                        _finish(connection, end)
                        selector.modify(connection, selectors.EVENT_READ)
    return None if end == BRIEF else "timeout"


def _finish(connection: socket.socket, end: str) -> None:
    if end == HALF:
        connection.shutdown(socket.SHUT_WR)


def parse_responses(data: bytes) -> tuple[Response, ...]:
    """Split what came over a connection into its responses; 1xx are left out, and so is what is no response."""
    found: list[Response] = []
    while data.startswith(b"HTTP/1.") and b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[1].isdecimal():
            break
        headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines[1:])}
        status = int(words[1])
        if status < 200:
            continue
        body, data = _split_body(status, headers, data)
        found.append(Response(status, headers, body))
    return tuple(found)


def _split_body(status: int, headers: dict[str, str], data: bytes) -> tuple[bytes, bytes]:
    """Return the body at the start of `data`, and the rest."""
    if status in (204, 304):
        return b"", data
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while data:
            line, _, data = data.partition(b"\r\n")
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                break
            if size == 0:
                return body, data.partition(b"\r\n")[2]
            body, data = body + data[:size], data[size + 2 :]
        return body, b""
    length = headers.get("content-length", "")
    if length.isdecimal() and not data.startswith(b"HTTP/1."):  # an answer to HEAD states a length and has no body
        return data[: int(length)], data[int(length) :]
    return (b"", data) if data.startswith(b"HTTP/1.") else (data, b"")
