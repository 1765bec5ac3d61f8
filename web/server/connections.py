"""Connections: waitress' server, channel, parser and tasks, with bounds on how slowly a request comes and how much it holds.

A request reaches the application when it has arrived completely, so that a slow client holds a socket and what it has sent, but
no thread. The server's own errors pass through the application, which answers them as it answers its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask
from waitress.utilities import Error

from emotions.runtime.limits import SERVER

from .bodies import Body, UploadBudget
from .half_closed import HalfClosedChannel
from .sockets import Sockets

MAX_BODY = SERVER.file_bytes
"""Bytes of a body: App Engine takes no larger request."""
MAX_DISCARDED = 4 * MAX_BODY
"""Announced bytes of a body that is too large and still read to its end, so that the client sees the answer; beyond that the
connection is closed at once."""
MAX_HEADER, MAX_URI = 16_384, 8_192
"""Bytes of a request's header, and of its address."""
MAX_CHUNK_LINE = 4_096
"""Bytes of the line before a chunk, and of the trailer."""
HEADER_SECONDS = 10.0
"""Seconds in which a header has to be complete, and for which a connection may stay open between requests."""
BODY_SECONDS, MIN_RATE = 20.0, 65_536
"""A body may take this many seconds, and one more for each MIN_RATE bytes that have arrived."""
SEND_SECONDS = 30.0
"""Seconds without progress after which a client that does not read its answer is given up."""
STARVED_SECONDS, MAX_SEND_WAIT = 2.0, 10.0
"""Where a request has waited for the first number of seconds for a thread, a client for which a thread has waited for the second
one within one answer is given up: it reads a long answer slowly, and would keep the thread."""
STALL_SECONDS = 10.0
"""Seconds without a byte after which a body is given up."""
PAUSE_SECONDS = 20.0
"""Seconds for which a body is not read while faster ones fill the memory for uploads; then it is refused."""
MAX_AHEAD = 10
"""Requests of a connection that may wait for the one that is being answered."""
UNKNOWN_LENGTH = 2**20
"""Bytes that a body without a stated length is expected to have beyond those that have arrived."""
MIN_RETRY = 5
"""Least seconds after which a refused upload should be tried again."""
ACCEPTED = 64
"""Connections that are accepted in one round of the event loop."""
CODES = {
    400: "bad_request", 413: "file_too_large", 414: "uri_too_long", 431: "request_header_fields_too_large",
    501: "not_implemented",
}  # fmt: skip
"""Status of an error of waitress' parser -> code of the problem."""


class Refusal(Error):
    """Error of a request, as waitress' parser keeps it: the code of a problem, its detail, and headers of the answer."""

    def __init__(self, code: str, detail: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or "")
        self.problem = {"code": code, "detail": detail, "headers": headers or {}}


class Parser(HTTPRequestParser):
    """Parser of one request.

    Attributes:
        began: Monotonic time of its first byte.
    """

    error: Error | None
    refusal: Refusal | None = None  # the answer when the body has arrived
    command, request_uri, path, query, url_scheme = "GET", "/", "/", "", "http"  # of a header that cannot be parsed
    uploads: UploadBudget  # set by the channel's class
    refused: Callable[[str, str, str], dict[str, Any] | None] | None = None  # by the application, as soon as the header is there

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = time.monotonic()
        self._start = b""  # of the header, to tell a long address from a long header

    def received(self, data: bytes) -> int:
        """Take bytes of the request; return their number."""
        if self.body_rcv is None and len(self._start) <= MAX_URI:
            self._start += data[: MAX_URI + 2]
        consumed: int = super().received(data)
        if self.error is not None and not isinstance(self.error, Refusal):
            self._convert_error(self.error)
        if self.headers_finished:
            self._start = b""
        if self.completed and self.refusal is not None:
            self.error = self.refusal
        receiver = self.body_rcv if not self.completed else None
        if isinstance(receiver, ChunkedReceiver) and max(len(receiver.control_line), len(receiver.trailer)) > MAX_CHUNK_LINE:
            self.refuse("bad_request", detail="A chunk's header or the trailer is too long.")
        return consumed

    @property
    def body(self) -> Body | None:
        """Body of the request, as far as it has arrived; None for a request without one."""
        return self.body_rcv.getbuf() if self.body_rcv is not None else None

    @property
    def held(self) -> int:
        """Bytes of memory that the body takes."""
        return len(self.body) if self.body is not None and self.refusal is None else 0

    def refuse(self, code: str, detail: str | None = None, retry_after: int | None = None) -> None:
        """Complete the request with an error now."""
        self.error = Refusal(code, detail, {"Retry-After": str(retry_after)} if retry_after else None)
        self.completed = True

    def refuse_at_end(self, refusal: Refusal) -> None:
        """Complete the request with an error when its body has arrived, which is not kept: a client that is still sending would
        not see an earlier answer."""
        self.refusal = refusal
        if self.body is not None:
            self.body.discard()

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the header; what arrives of the body is counted in the memory for uploads."""
        if header_plus.find(b"\r\n") > MAX_URI:
            raise ParsingError("URI too long")
        try:
            super().parse_header(header_plus)
        except ValueError:  # of a number with thousands of digits
            raise ParsingError("Content-Length is invalid") from None
        self.path = "/" + self.path.lstrip("/")  # as the application will see it: queues and keys are chosen by the path
        if self.chunked:
            self.body_rcv = ChunkedReceiver(Body(self.uploads))
        elif self.content_length > 0:
            self.body_rcv = FixedStreamReceiver(self.content_length, Body(self.uploads))
        if self.body is not None and self.refused is not None:
            problem = self.refused(self.command, self.path, self.headers.get("AUTHORIZATION", ""))
            if problem is not None and self.expect_continue:  # the client waits before it sends the body
                self.error, self.completed = Refusal(**problem), True
            elif problem is not None:
                self.refuse_at_end(Refusal(**problem))

    def _has_long_uri(self) -> bool:
        return len(self._start) > MAX_URI and b"\r\n" not in self._start[:MAX_URI]

    def _convert_error(self, error: Error) -> None:
        """Replace waitress' error by a problem; that of a body which is too large waits for its end."""
        code = CODES.get(error.code, "bad_request")
        if code in ("bad_request", "request_header_fields_too_large") and not self.headers and self._has_long_uri():
            code = "uri_too_long"
        detail = error.body if code == "bad_request" else None
        if code == "file_too_large" and 0 < self.content_length <= MAX_DISCARDED:
            detail = f"The upload has {self.content_length / 2**20:.0f} MB; the limit is {MAX_BODY // 2**20} MB."
        self.error = Refusal(code, detail)
        arriving = self.body_rcv is not None and not self.body_rcv.completed and not self.expect_continue
        if code == "file_too_large" and arriving and max(self.content_length, self.body_bytes_received) <= MAX_DISCARDED:
            self.refuse_at_end(self.error)
            self.error, self.completed = None, False


class Surplus:
    """Parser of what follows the requests that a connection may send ahead: it is dropped."""

    completed = empty = True
    expect_continue = headers_finished = False

    def received(self, data: bytes) -> int:
        """Take all bytes; return their number."""
        return len(data)


class Task(WSGITask):
    """A request that the application answers, with the time that it waited for a thread in its environment."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment."""
        environ: dict[str, Any] = super().get_environment()
        environ["emotions.waited"] = self.channel.waited
        return environ


class ProblemTask(Task):
    """A request that the server refuses: the application answers with the problem in the environment."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment of a request without body."""
        environ = super().get_environment()
        error = self.request.error  # waitress' own where an answer could not be made
        environ["emotions.problem"] = error.problem if isinstance(error, Refusal) else Refusal("internal_error").problem
        return environ

    def execute(self) -> None:
        """Answer, and close the connection: the position in the stream of bytes may be lost."""
        self.set_close_on_finish()
        super().execute()


class Channel(HalfClosedChannel):
    """A connection."""

    task_class, error_task_class = Task, ProblemTask
    request: Parser | None
    waited = 0.0
    paused_since: float | None = None
    _writing_since: float | None

    def __init__(self, server: Server, *arguments: Any, **options: Any) -> None:
        self._receiving = self._surplus = False
        self._send_wait, self._writing_since = 0.0, None
        self.idle_since = self.progress = self.arrived = time.monotonic()
        self._unsent = 0
        super().__init__(server, *arguments, **options)

    @property
    def is_active(self) -> bool:
        """True while the connection does more than wait for the next byte."""
        waits = self.paused_since is not None or self.will_close or self.close_when_flushed
        return bool(self.requests or self.total_outbufs_len or waits)

    def readable(self) -> bool:
        """Read unless waitress would not, or what follows is dropped, or faster bodies than this one need the memory."""
        if self._surplus or not super().readable():
            return False
        if not self.is_arriving or not self.server.is_paused(self):
            self._end_pause()
            return True
        self.paused_since = self.paused_since or time.monotonic()
        return False

    def _end_pause(self) -> None:
        """Go on reading; the pause does not count as time of the client."""
        if self.paused_since is not None and self.request is not None:
            self.arrived = time.monotonic()
            self.request.began += self.arrived - self.paused_since
        self.paused_since = None

    @property
    def is_arriving(self) -> bool:
        """True while a body arrives that is to be kept."""
        request = self.request
        return request is not None and request.body is not None and request.refusal is None

    @property
    def rate(self) -> float:
        """Bytes a second at which the body has come so far."""
        return self.request.held / (time.monotonic() - self.request.began + 0.1) if self.request else 0.0

    def send(self, data: Any, do_close: bool = True) -> int:
        """Send bytes; none where the event loop has closed the connection while a thread was about to send."""
        try:
            return int(super().send(data, do_close))
        except AttributeError:
            if self.socket is not None:
                raise
            return 0

    def received(self, data: bytes) -> bool:
        """Take bytes; the memory for uploads is checked after each piece of a body."""
        self.arrived = time.monotonic()
        self._receiving = True
        try:
            done: bool = super().received(data)
        finally:
            self._receiving = False
        if self.is_arriving:
            self.server.keep_within_budget()
        return done

    def parser_class(self, adj: Any) -> Parser | Surplus:
        """Return the parser of the next request. Of requests that are sent ahead of an answer MAX_AHEAD are kept, since each
        takes memory; the others are dropped, and the connection is closed after those, as HTTP allows."""
        if self._receiving and len(self.requests) > MAX_AHEAD:
            self._surplus = True
            return Surplus()
        parser: Parser = self.server.parser_class(adj)
        return parser

    def del_channel(self, map: Any = None) -> None:
        """Forget the connection, and free what has arrived of an unfinished request."""
        super().del_channel(map)
        if self.request is not None and self.request.body is not None:
            self.request.body.discard()

    def write_soon(self, data: Any) -> int:
        """Send bytes of an answer, in a thread of the queue; wait while more than MAX_UNSENT are not sent yet."""
        started = self._writing_since = time.monotonic()
        try:
            count: int = super().write_soon(data)
        finally:
            self._writing_since = None
            self._send_wait += time.monotonic() - started
        return count

    def send_wait(self, now: float) -> float:
        """Seconds that the thread which answers has waited for the client in this answer."""
        since = self._writing_since
        return self._send_wait + (now - since if since is not None else 0.0)

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait for the client within an answer. Between two answers a thread does not wait: what was sent ahead is dropped."""
        if self._writing_since is not None:
            super()._flush_outbufs_below_high_watermark()
            return
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)
        with self.requests_lock:
            if self.total_outbufs_len > self.adj.outbuf_high_watermark:
                self._surplus = True
                for request in self.requests[1:]:
                    request.close()
                del self.requests[1:]

    def service(self) -> None:
        """Answer the first request, in a thread of the queue."""
        self._send_wait = 0.0
        super().service()
        self.idle_since = self.progress = time.monotonic()
        with self.requests_lock:
            if self._surplus and not self.requests:
                self.close_when_flushed = True
                self.server.pull_trigger()

    def give_up(self, code: str, retry_after: int | None = None) -> None:
        """Refuse the request that is arriving, or close the connection where there is none to answer.

        A client that sends is answered when it has sent everything, or when it is too slow for that.
        """
        self.server.sockets.active.add(self._fileno)
        with self.requests_lock:
            request = self.request
            if request is not None and code == "busy":
                self._end_pause()
                request.refuse_at_end(Refusal(code, None, {"Retry-After": str(retry_after)}))
                return
            if request is None or self.requests:
                self.will_close = True
                return
            self.request = None
            request.close()
            request.refuse(code)
            self.requests.append(request)
        self.server.add_task(self)

    def end(self) -> None:
        """Close the connection, and let a thread that waits to write to it go."""
        self.connected = False
        self.will_close = True
        with self.outbuf_lock:
            self.outbuf_lock.notify()

    def check(self, now: float) -> None:
        """End what takes too long; called about once a second."""
        if self.total_outbufs_len:
            if self.total_outbufs_len != self._unsent:
                self._unsent, self.progress = self.total_outbufs_len, now
            elif now - self.progress > SEND_SECONDS:
                self.end()
            return
        self._unsent, self.progress = 0, now
        if self.requests:
            self.find_gone(now)
            return
        request = self.request
        if request is None:
            if now - self.idle_since > HEADER_SECONDS:
                self.will_close = True
        elif not request.headers_finished:
            if now - request.began > HEADER_SECONDS:
                self.give_up("request_timeout")
        elif self.paused_since is not None:
            if now - self.paused_since > PAUSE_SECONDS:
                self.give_up("busy", self.server.retry_after())
        elif now - self.arrived > STALL_SECONDS or now - request.began > BODY_SECONDS + request.body_bytes_received / MIN_RATE:
            self.give_up("request_timeout")


class Server(TcpWSGIServer):
    """waitress' server for one listening socket.

    Args:
        application: WSGI application.
        sock: Listening socket.
        dispatcher: Admission queue.
        uploads: Memory for the bodies of all listening sockets together.
        adj: waitress' adjustments.
        sockets: Sockets of the event loop.
    """

    channel_class = Channel

    def __init__(self, application: Any, sock: Any, dispatcher: Any, uploads: UploadBudget, adj: Any, sockets: Sockets) -> None:
        self.uploads, self.sockets = uploads, sockets
        self._chosen: set[Channel] = set()
        self._chosen_until = 0.0
        refused = staticmethod(application.extensions["api_keys"].refused)
        self.parser_class = type("BoundParser", (Parser,), {"uploads": self.uploads, "refused": refused})
        sockinfo = (sock.family, sock.type, sock.proto, sock.getsockname())
        super().__init__(
            application, map=sockets, _sock=sock, dispatcher=dispatcher, adj=adj, sockinfo=sockinfo, bind_socket=False
        )

    def handle_accept(self) -> None:
        """Accept the connections that wait, up to ACCEPTED: each round of the event loop costs time for every open connection."""
        for _ in range(ACCEPTED):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return

    def is_paused(self, channel: Channel) -> bool:
        """Return True if a body has to wait: more than half of the memory is taken, and faster bodies need the rest."""
        if self.uploads.used <= self.uploads.limit // 2:
            return False
        now = time.monotonic()
        if now > self._chosen_until:
            self._chosen, self._chosen_until = self._choose(), now + 0.1
        return channel not in self._chosen

    def _arriving(self) -> list[Any]:
        """Return the connections of all listening sockets whose body is arriving: they share the memory."""
        return [one for one in tuple(self.sockets.values()) if isinstance(one, Channel) and one.is_arriving]

    def _choose(self) -> set[Channel]:
        """Choose the fastest bodies that fit into the memory together, by their stated lengths."""
        arriving = self._arriving()
        room = self.uploads.limit - self.uploads.used + sum(one.request.held for one in arriving)
        chosen = set()
        for channel in sorted(arriving, key=lambda one: -one.rate):
            room -= channel.request.content_length or channel.request.held + UNKNOWN_LENGTH
            if room < 0:
                break
            chosen.add(channel)
        return chosen

    def keep_within_budget(self) -> None:
        """Refuse the slowest of the arriving bodies until the others fit into the budget."""
        while self.uploads.used > self.uploads.limit:
            arriving = [one for one in self._arriving() if one.request.held]
            if not arriving:
                return
            min(arriving, key=lambda one: one.rate).give_up("busy", self.retry_after())

    def retry_after(self) -> int:
        """Seconds after which a refused upload is worth to be tried again."""
        return max(MIN_RETRY, ceil(self.task_dispatcher.work.expected_wait()))

    def maintenance(self, now: float) -> None:
        """Check all connections; close the oldest idle ones where there are almost too many."""
        moment = time.monotonic()
        for channel in tuple(self.active_channels.values()):
            channel.check(moment)
            if channel.is_active:
                self.sockets.active.add(channel._fileno)
        for lane in (self.task_dispatcher.work, self.task_dispatcher.quick):
            slow = [
                one for one in lane.starved_by(STARVED_SECONDS) if one.server is self and one.send_wait(moment) > MAX_SEND_WAIT
            ]
            if slow:
                max(slow, key=lambda one: one.send_wait(moment)).end()
        excess = len(self.active_channels) - int(0.9 * self.adj.connection_limit)
        if excess > 0:
            idle = [one for one in self.active_channels.values() if not one.requests and not one.total_outbufs_len]
            for channel in sorted(idle, key=lambda one: one.creation_time)[:excess]:
                channel.will_close = True
                self.sockets.active.add(channel._fileno)

    def close_idle(self) -> None:
        """Stop listening, and close the connections without a request."""
        self.accepting = False
        for channel in tuple(self.active_channels.values()):
            if not channel.requests and channel.request is None and not channel.total_outbufs_len:
                channel.will_close = True
                self.sockets.active.add(channel._fileno)
