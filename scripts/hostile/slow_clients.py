"""Clients that occupy connections: silent ones, and ones that send a byte a second; all of them in one thread."""

from __future__ import annotations

import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .inputs.requests import post

BODY = post("/api/v1/image", b"\xff\xd8\xff" + bytes(500), "image/jpeg")


@contextmanager
def slow_connections(port: int, count: int, silent: bool) -> Iterator[dict[str, int]]:
    """Keep `count` connections open during the block and open a new one for each that the server closes.

    Args:
        port: port of the server on 127.0.0.1.
        count: number of connections.
        silent: send nothing; otherwise a byte of an upload each second.

    Yields:
        Counts, which change: `opened`, `closed` by the server, `refused`, `answered` (with a status before that).
    """
    allow_files(count + 500)
    counts = dict.fromkeys(("opened", "closed", "refused", "answered"), 0)
    stopped = threading.Event()
    thread = threading.Thread(target=_hold, args=(port, count, silent, counts, stopped), daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while counts["opened"] + counts["refused"] < count and time.monotonic() < until:
            time.sleep(0.05)
        yield counts
    finally:
        stopped.set()
        thread.join()


def allow_files(count: int) -> None:
    """Raise this process's limit of open files, and that of servers it starts, to at least `count` where it is permitted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard != resource.RLIM_INFINITY else count, hard))


def _hold(port: int, count: int, silent: bool, counts: dict[str, int], stopped: threading.Event) -> None:
    sent: dict[socket.socket, int] = {}
    with selectors.DefaultSelector() as selector:
        next_byte = time.monotonic()
        while not stopped.is_set():
            for _ in range(min(50, count - len(sent))):
                if connection := _open(port):
                    counts["opened"] += 1
                    sent[connection] = 0
                    selector.register(connection, selectors.EVENT_READ)
                else:
                    counts["refused"] += 1
                    break
            for key, _ in selector.select(0.02):
                connection = key.fileobj  # type: ignore[assignment]
                if _ended(connection, counts):  # type: ignore[arg-type]
                    _close(connection, selector, sent, counts)  # type: ignore[arg-type]
            if not silent and time.monotonic() >= next_byte:
                next_byte += 1
                for connection in tuple(sent):
                    try:
                        connection.send(BODY[sent[connection] : sent[connection] + 1])
                        sent[connection] += 1
                    except OSError:
                        _close(connection, selector, sent, counts)
        for connection in sent:
            connection.close()


def _open(port: int) -> socket.socket | None:
    try:
        connection = socket.create_connection(("127.0.0.1", port), 1)
    except OSError:
        return None
    connection.setblocking(False)
    return connection


def _ended(connection: socket.socket, counts: dict[str, int]) -> bool:
    """Read what came; returns True where the server has closed the connection."""
    try:
        data = connection.recv(2**16)
    except BlockingIOError:
        return False
    except OSError:
        return True
    counts["answered"] += data.startswith(b"HTTP/1.")
    return not data


def _close(
    connection: socket.socket, selector: selectors.BaseSelector, sent: dict[socket.socket, int], counts: dict[str, int]
) -> None:
    selector.unregister(connection)
    connection.close()
    counts["closed"] += 1
    del sent[connection]
