"""A WSGI application on a free local port, for programs that drive it with a browser or a client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waitress import create_server, wasyncore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 8
"""Requests that are answered at once: a browser opens six connections to a host."""
TURN_SECONDS = 0.1
"""Seconds after which the server notices at the latest that it is to stop."""


@contextmanager
def local_server(app: WSGIApplication) -> Iterator[str]:
    """Serve `app` on a free port of 127.0.0.1 with waitress, as deployments do; give its address, without a slash at the end.

    At the end connections are closed and threads ended. Werkzeug's server is not used: it leaves the files of answers open whose
    client closes the connection.
    """
    sockets: dict[int, wasyncore.dispatcher] = {}
    server = create_server(app, sockets, host="127.0.0.1", port=0, threads=THREADS, channel_request_lookahead=1, ident="")
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            wasyncore.loop(TURN_SECONDS, map=sockets, count=1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        stopping.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets, ignore_all=True)
