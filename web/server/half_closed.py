"""Connections whose client sends nothing more: the requests that it has sent are answered, unless it has gone.

A client that has closed its connection and one that has closed its sending side alone, which RFC 9112 (9.6) permits, look alike
until something is sent to them: the system of the one that has gone answers with a reset. An interim response (RFC 9110, 15.2),
which clients ignore, finds that out while the answer is computed.
"""

from __future__ import annotations

import time
from typing import Any

from waitress.channel import HTTPChannel

PROBE_SECONDS = 2.0
"""Seconds without an answer after which an interim response is sent, and again about each second: most answers come before."""
GONE_SECONDS = 5.0
"""Seconds without output after which the client is taken to have gone, where no interim response may be sent: within an answer,
and to clients of HTTP/1.0."""
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


class HalfClosedChannel(HTTPChannel):
    """A connection that stays open for the answers when its client has ended what it sends."""

    _ended: float | None = None  # when the client sent its end
    _begun = False  # the answer to the first request
    _written = 0.0
    close_when_flushed: bool

    def readable(self) -> bool:
        """Read until the end."""
        return self._ended is None and bool(super().readable())

    def handle_read(self) -> None:
        """Take what has arrived; at its end keep the connection as long as there is something to answer or to send."""
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except OSError:
            self.handle_close()
            return
        if data:
            self.last_activity = time.time()
            self.received(data)
            return
        with self.requests_lock:
            is_needed = bool(self.requests or self.total_outbufs_len)
            if is_needed:
                self._ended = time.monotonic()
                self.close_when_flushed = self.close_when_flushed or not self.requests
        if not is_needed:
            self.handle_close()

    def write_soon(self, data: Any) -> int:
        """Send bytes of an answer, in a thread of the queue."""
        self._begun, self._written = True, time.monotonic()
        return int(super().write_soon(data))

    def service(self) -> None:
        """Answer the first request, in a thread of the queue; close the connection after the last one."""
        self._begun = False
        super().service()
        with self.requests_lock:
            if self._ended is not None and not self.requests:
                self.close_when_flushed = True
                self.server.pull_trigger()

    def find_gone(self, now: float) -> None:
        """Find out whether a client that sends no more has gone; called about once a second while a request is answered."""
        if self._ended is None or now - self._ended < PROBE_SECONDS:
            return
        with self.requests_lock:
            is_current = any(request.version == "1.1" for request in self.requests[:1])
        with self.outbuf_lock:
            if is_current and not self._begun:
                self.outbufs[-1].append(INTERIM)
                self.total_outbufs_len += len(INTERIM)
                self._flush_exception(self._flush_some)
                return
        if now - max(self._ended, self._written) > GONE_SECONDS:
            self.handle_close()
