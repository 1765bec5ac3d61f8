"""The server on a real socket: its own errors, slow clients, clients that leave, and memory for uploads."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from web import create_app
from web.http.security import HEADERS
from web.server import connections
from web.server.bodies import UploadBudget
from web.server.connections import Server
from web.server.queue import AdmissionQueue, is_quick
from web.server.sockets import Sockets
from web.server.worker import adjustments

ROOT = Path(__file__).resolve().parents[3]
UPLOAD_BYTES = 40 * 2**20


class Running:
    """A server of the application in a thread, with a second listening socket."""

    def __init__(self, app) -> None:
        self.queue, self.sockets, self._stop = AdmissionQueue(2), Sockets(), False
        uploads, self.servers, self.ports = UploadBudget(UPLOAD_BYTES), [], []
        for _ in range(2):
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.socket.setblocking(False)
            self.servers.append(Server(app, self.socket, self.queue, uploads, adjustments(100, 50), self.sockets))
            self.ports.append(self.socket.getsockname()[1])
        self.server, self.port = self.servers[-1], self.ports[-1]
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop:
            self.sockets.turn(0.05)

    def close(self) -> None:
        self._stop = True
        self._thread.join()
        self.queue.shutdown()
        self.sockets.close()

    def connect(self, port: int | None = None) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port or self.port))
        client.settimeout(30)
        return client

    def answer(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as client:
            client.sendall(data)
            return parse(read_all(client))


def post_head(length: int, version: str = "1.1") -> bytes:
    """Header of a photo with `length` bytes."""
    return f"POST /api/v1/image HTTP/{version}\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n".encode()


def read_all(client: socket.socket) -> bytes:
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def read_health(client: socket.socket, answers: int) -> None:
    """Read as many answers of /health; the connection stays open."""
    data = b""
    while data.count(b'{"status":"ok"}\n') < answers:
        piece = client.recv(65536)
        assert piece, "the connection stays open"
        data += piece


def parse(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.fixture
def server(app) -> Iterator[Running]:
    running = Running(app)
    yield running
    running.close()


BAD = {
    "no_request": (b"nonsense\r\n\r\n", 400, "bad_request"),
    "lower_case_method": (b"get / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "header_without_colon": (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "bad_request"),
    "bare_line_feed": (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400, "bad_request"),
    "two_lengths": (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, "bad_request"),
    "negative_length": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
    "long_address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
    "longer_address": (b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
    "large_header": (b"GET / HTTP/1.1\r\nA: " + b"b" * 30000 + b"\r\n\r\n", 431, "request_header_fields_too_large"),
    "many_headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n", 431, "request_header_fields_too_large"),
    "unknown_coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"),
    "broken_chunk": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"),
    "broken_chunk_end": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400, "bad_request"),
    "long_chunk_line": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 6000, 400, "bad_request"),
    "length_of_400_digits": (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 400 + b"\r\n\r\n", 413, "file_too_large"),
    "length_of_9000_digits": (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 9000 + b"\r\n\r\n", 400, "bad_request"),
    "claims_gigabytes": (b"POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", 413, "file_too_large"),
    "too_large": (b"POST / HTTP/1.1\r\nContent-Length: 34000000\r\n\r\n" + bytes(34_000_000), 413, "file_too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_of_the_server_have_the_form_of_all_others(server, name):
    data, status, code = BAD[name]
    got, headers, body = server.answer(data)
    problem = json.loads(body)
    assert (got, problem["code"], problem["status"]) == (status, code, status)
    assert headers["Content-Type"] == "application/problem+json" and headers["Connection"] == "close"
    assert {key: headers[key] for key in HEADERS} == HEADERS


def test_errors_of_the_server_are_pages_for_browsers(server):
    accept = b"Accept: text/html,application/xhtml+xml\r\n"
    status, headers, body = server.answer(b"POST / HTTP/1.1\r\n" + accept + b"Transfer-Encoding: gzip\r\n\r\n")
    assert status == 501 and headers["Content-Type"].startswith("text/html") and b"<html" in body


def test_time_in_the_queue_is_told(server, photo):
    status, headers, body = server.answer(post_head(len(photo), "1.0") + photo)
    assert status == 200 and len(json.loads(body)["faces"]) == 1
    assert headers["Server-Timing"].startswith("queue;dur=")


def test_slow_requests_end_with_an_answer(server, monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.3)
    with server.connect() as silent, server.connect() as header, server.connect() as body:
        header.sendall(b"GET /health HTTP/1.1\r\nHost")
        body.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc")
        assert read_all(silent) == b""
        for client in (header, body):
            status, _, answer = parse(read_all(client))
            assert status == 408 and json.loads(answer)["code"] == "request_timeout"
    assert server.server.uploads.used == 0


def test_connections_that_claim_memory_stop_nobody(server, photo):
    claims = [server.connect() for _ in range(8)]
    for client in claims:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 32000000\r\n\r\n")
    assert server.answer(post_head(len(photo), "1.0") + photo)[0] == 200
    for client in claims:
        client.close()


def test_the_slowest_bodies_are_refused_when_memory_is_short(server):
    """Two slow bodies hold 18 MB; a fast one of 31 MB gets the memory, and the others an answer after their last byte."""
    slow, fast = [server.connect() for _ in range(2)], server.connect()
    for client in slow:
        client.sendall(post_head(12_000_000) + bytes(9_000_000))
    until = time.monotonic() + 20
    while server.server.uploads.used < 18_000_000:
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.5)
    fast.sendall(post_head(31_000_000) + bytes(31_000_000))
    assert fast.recv(12).startswith(b"HTTP/1.1 422")
    answers = []
    for client in slow:
        client.sendall(bytes(3_000_000))
        answers.append(client.recv(2**16).decode().split("\r\n"))
        client.close()
    refused = [lines for lines in answers if lines[0].startswith("HTTP/1.1 503")]
    assert refused and all(any(line.startswith("Retry-After: ") for line in lines) for lines in refused)
    assert all(lines[0].startswith(("HTTP/1.1 503", "HTTP/1.1 422")) for lines in answers)
    fast.close()


def test_crowds_of_uploads_share_the_memory(server):
    """Ten uploads of 9 MB at once to two ports: memory stays within its limit, and each client gets an answer."""
    peak, answers = [0], []

    def send(port: int) -> None:
        with server.connect(port) as client:
            client.sendall(post_head(9_000_000) + bytes(9_000_000))
            answers.append(client.recv(12))

    threads = [threading.Thread(target=send, args=(port,)) for port in server.ports * 5]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peak.append(server.server.uploads.used)
        time.sleep(0.001)
    assert max(peak) <= UPLOAD_BYTES + 10 * 2**16
    assert len(answers) == 10 and set(answers) <= {b"HTTP/1.1 422", b"HTTP/1.1 503"}
    assert answers.count(b"HTTP/1.1 422") >= 4


def test_uploads_that_end_in_the_middle_free_their_memory(server):
    for _ in range(3):
        with server.connect() as client:
            client.sendall(post_head(9_000_000) + bytes(5_000_000))
            until = time.monotonic() + 20
            while server.server.uploads.used < 5_000_000:
                assert time.monotonic() < until
                time.sleep(0.01)
        while server.server.uploads.used:
            assert time.monotonic() < until, "the client has gone"
            time.sleep(0.01)
    assert len(server.server.uploads) == 0


def test_requests_that_are_sent_ahead_are_bounded(server, monkeypatch):
    """Of thousands in one packet a few are answered, and the connection is closed: the others take neither memory nor threads."""
    made, real = [], server.server.parser_class
    monkeypatch.setattr(server.server, "parser_class", lambda adj: made.append(1) or real(adj))
    with server.connect() as client:
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n" * 2000)
        data = read_all(client)
    assert data.count(b"HTTP/1.1 200 OK") == len(made) == connections.MAX_AHEAD + 1
    assert server.answer(b"GET /health HTTP/1.0\r\n\r\n")[0] == 200


def test_clients_that_do_not_read_what_they_asked_for_hold_no_thread(server, client, monkeypatch):
    """Answers to requests sent ahead, more than the watermark and the buffers of the system: others are answered meanwhile."""
    monkeypatch.setattr(server.server.adj, "outbuf_high_watermark", len(client.get("/openapi.json").data))
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # accepted sockets inherit it
    greedy = [socket.socket() for _ in range(8)]
    for one in greedy:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", server.port))
        one.sendall(b"GET /openapi.json HTTP/1.1\r\n\r\n" * (connections.MAX_AHEAD + 1))
    until = time.monotonic() + 20
    while not server.server.active_channels or any(one.requests for one in tuple(server.server.active_channels.values())):
        assert time.monotonic() < until, "threads wait for clients that do not read"
        time.sleep(0.05)
    assert server.answer(b"GET /health HTTP/1.0\r\n\r\n")[0] == 200
    for one in greedy:
        one.close()


def test_slow_readers_of_long_answers_give_way_to_others(server, monkeypatch):
    """Two clients that hardly read keep both threads, until somebody else waits for one."""
    monkeypatch.setattr(connections, "STARVED_SECONDS", 0.3)
    monkeypatch.setattr(connections, "MAX_SEND_WAIT", 0.5)
    short = server.server.application

    def stream(environ, start_response):
        if environ["PATH_INFO"] != "/api/v1/video":
            return short(environ, start_response)
        start_response("200 OK", [("Content-Type", "video/mp4")])
        return (bytes(2**16) for _ in range(1000))

    monkeypatch.setattr(server.server, "application", stream)
    slow = [server.connect() for _ in range(2)]
    for client in slow:
        client.sendall(b"POST /api/v1/video HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    until = time.monotonic() + 20
    while len(server.queue.work.running) < 2 or min(one.send_wait(time.monotonic()) for one in channels(server)) < 1:
        assert time.monotonic() < until
        for client in slow:
            client.recv(1000)
        time.sleep(0.05)
    assert len(server.queue.work.running) == 2, "nobody else waits: they may go on"
    assert server.answer(post_head(1, "1.0") + b"x")[0] == 422
    for client in slow:
        client.close()


def channels(server: Running) -> list[connections.Channel]:
    """Open connections."""
    return list(server.server.active_channels.values())


def test_one_request_may_be_sent_ahead(server):
    with server.connect() as client:
        for _ in range(20):
            client.sendall(b"GET /health HTTP/1.1\r\n\r\n" * 2)
            read_health(client, 2)


@pytest.mark.slow
def test_a_second_request_of_a_busy_connection_is_refused_too(server, monkeypatch):
    """The body of a request that follows an unfinished one counts, and can be refused, like any other."""
    monkeypatch.setattr(server.server.uploads, "limit", 3_000_000)
    with server.connect() as client:
        client.sendall(post_head(100) + bytes(100) + post_head(8_000_000) + bytes(8_000_000))
        data = b""
        while data.count(b"HTTP/1.1 ") < 2 or not data.endswith(b"}"):
            piece = client.recv(2**16)
            assert piece, data
            data += piece
    assert b"HTTP/1.1 422" in data and b"HTTP/1.1 503" in data


def test_work_ends_when_its_client_has_gone(server, photo, work):
    """A check during the work sees that the connection was closed; nothing else is computed."""
    work["seconds"] = 20.0
    with server.connect() as client:
        client.sendall(post_head(len(photo)) + photo)
        assert work["reached"].wait(10)
    assert work["ended"].wait(10)


def test_many_requests_on_one_connection(server):
    with server.connect() as client:
        for _ in range(50):
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            read_health(client, 1)
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n" * 10)
        read_health(client, 10)


def test_the_parent_process_of_gunicorn_imports_no_model():
    """The worker's module is imported before gunicorn forks: what it imports would be held twice."""
    heavy = ("numpy", "cv2", "flask", "ai_edge_litert", "emotions.face.analyzer")
    code = f"import sys, web.server.worker; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def closed_server() -> Iterator[Running]:
    """A server whose API needs a key."""
    running = Running(create_app({"API_KEYS": (sha256(b"the key").hexdigest(),)}))
    yield running
    running.close()


def with_header(request: bytes, line: bytes) -> bytes:
    return request.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)


def test_bodies_without_a_key_are_not_kept(closed_server):
    """The answer comes when the body has arrived, of which nothing was kept meanwhile."""
    for request in (post_head(9_000_000), with_header(post_head(9_000_000), b"Authorization: Bearer another")):
        with closed_server.connect() as client:
            client.sendall(request + bytes(5_000_000))
            until = time.monotonic() + 20
            while not (arrived := [one.request.body_bytes_received for one in channels(closed_server) if one.request]) or (
                arrived[0] < 5_000_000
            ):
                assert time.monotonic() < until
                time.sleep(0.01)
            assert closed_server.server.uploads.used == 0
            client.sendall(bytes(4_000_000))
            status, headers, body = parse(read_all(client))
            assert status == 401 and json.loads(body)["code"] == "unauthorized"
            assert {name.lower(): value for name, value in headers.items()}["www-authenticate"] == "Bearer"


def test_bodies_with_a_key_are_answered(closed_server, photo):
    request = with_header(post_head(len(photo), "1.0"), b"Authorization: Bearer the key")
    status, _, body = closed_server.answer(request + photo)
    assert status == 200 and len(json.loads(body)["faces"]) == 1
    assert closed_server.answer(b"GET /api/v1/models HTTP/1.0\r\n\r\n")[0] == 401
    page = b"POST / HTTP/1.0\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n\r\nx"
    assert closed_server.answer(page)[0] == 400, "forms of the pages need none"


def test_lines_of_a_set_of_pictures_arrive_one_by_one(server, photo, monkeypatch):
    """The first line is there while the second picture is analyzed; when the client leaves, nothing more is."""
    analyzer = server.server.application.extensions["analyzer"]
    analyze, calls, go_on = analyzer.analyze, [], threading.Event()

    def waiting(*arguments, **options):
        calls.append(1)
        assert len(calls) == 1 or go_on.wait(30)
        return analyze(*arguments, **options)

    monkeypatch.setattr(analyzer, "analyze", waiting)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + photo + b"\r\n"
    body = part * 5 + b"--x--\r\n"
    head = b"POST /api/v1/images HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: "
    with server.connect() as client:
        client.sendall(head + str(len(body)).encode() + b"\r\n\r\n" + body)
        data = b""
        while b'"index": 0' not in data:
            data += client.recv(65536)
        assert data.startswith(b"HTTP/1.1 200 OK") and b'"index": 1' not in data
        until = time.monotonic() + 20
        while len(calls) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
    while channels(server):
        assert time.monotonic() < until, "the server sees that the client has gone"
        time.sleep(0.01)
    go_on.set()
    while server.queue.work.running:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert len(calls) == 2


def parsed(server, head: str) -> Any:
    """Parse the header of a request."""
    parser = server.server.parser_class(server.server.adj)
    parser.received(head.encode() + b"\r\n\r\n")
    return parser


@pytest.mark.parametrize(
    "path", ["/api/v1/image", "//api/v1/image", "/%2Fapi/v1/image", "api/v1/image", "http://h//api/v1/image"]
)
def test_an_address_is_queued_as_the_application_sees_it(server, path):
    """However many slashes begin it: else models would run in the lane of quick requests, and bodies without a key be kept."""
    request = parsed(server, f"POST {path} HTTP/1.1\r\nContent-Length: 9")
    assert request.path == "/api/v1/image" and not is_quick(request.command, request.path)


@pytest.mark.parametrize("expect", [False, True])
def test_bodies_that_are_announced_without_a_key_are_not_kept(server, monkeypatch, expect):
    refused = lambda method, path, header: {"code": "unauthorized", "detail": "A key is needed."}  # noqa: E731
    monkeypatch.setattr(server.server.parser_class, "refused", staticmethod(refused), raising=False)
    head = "POST /api/v1/image HTTP/1.1\r\nContent-Length: 9000000" + ("\r\nExpect: 100-continue" if expect else "")
    request = parsed(server, head)
    assert request.completed is expect, "a client that waits for leave to send its body gets its answer at once"
    request.received(b"" if expect else bytes(1_000_000))
    assert request.held == 0 and server.server.uploads.used == 0


def test_a_connection_that_was_closed_meanwhile_takes_no_bytes(server):
    """The event loop may close it while a thread is about to send: that is no error, and leaves no traceback in the log."""
    with server.connect() as client:
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        client.recv(65536)
        [channel] = server.server.active_channels.values()
    until = time.monotonic() + 20
    while channel.connected:
        assert time.monotonic() < until
        time.sleep(0.01)
    channel.socket = None
    assert channel.send(b"late") == 0
