"""A storage server that fails on demand, a relay in front of a real one, and sets of models to lie there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from scripts.deploy.gcs_emulator import BUCKET


class Relay(threading.Thread):
    """Passes connections on to the server at `port`; calls `then` once, when so many bytes have come back from it."""

    def __init__(self, port: int, after: int, then) -> None:
        super().__init__(daemon=True)
        self.port, self.after, self.then, self.passed = port, after, then, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port), 1)
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.forward, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.forward, args=(far, near, True), daemon=True).start()

    def forward(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                before = self.passed
                self.passed += len(data) * counts
                if before < self.after <= self.passed:
                    self.then()
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self.listener.close()


class Storage(ThreadingHTTPServer):
    """A bucket in memory that honours `ifGenerationMatch=0` and can be made to fail.

    `faults[name]` are served before the object itself: a status, or `cut` (closed after half of it), `stall`, `slow`, or
    with other content: `wrong` (a byte differs), `short`, `long`. `requests` lists the requests: (method, name, value of
    ifGenerationMatch).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.faults: dict[str, list[int | str]] = defaultdict(list)
        self.requests: list[tuple[str, str, str | None]] = []
        self.sessions: dict[str, tuple[str, str | None]] = {}
        self.before_upload = lambda name: None
        self.address = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Storage:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that went away in the middle is part of the tests."""

    def downloads(self) -> list[str]:
        return [name for method, name, _ in self.requests if method == "GET"]

    def described(self, name: str) -> dict[str, str]:
        data = self.objects[name]
        return {"name": name, "bucket": BUCKET, "size": str(len(data)), "md5Hash": md5_of(data), "crc32c": crc32c_of(data),
                "generation": "1"}  # fmt: skip


def md5_of(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def crc32c_of(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Storage

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, body: dict | bytes = b"", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int) -> None:
        self.answer(status, {"error": {"code": status, "message": "made to fail"}})

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        found = re.fullmatch(r"/(download/)?storage/v1/b/([^/]+)/o(?:/(.+))?", path)
        if not found or found[2] != BUCKET:
            return self.refuse(404)
        if not found[3]:
            names = sorted(name for name in self.server.objects if name.startswith(query["prefix"][0]))
            return self.answer(200, {"kind": "storage#objects", "items": [self.server.described(name) for name in names]})
        name = unquote(found[3])
        self.server.requests.append(("GET" if found[1] else "DESCRIBE", name, None))
        fault = self.server.faults[name].pop(0) if self.server.faults[name] else None
        if isinstance(fault, int) or name not in self.server.objects:
            return self.refuse(fault or 404)
        if not found[1]:
            return self.answer(200, self.server.described(name))
        self.send_object(self.server.objects[name], fault)

    def send_object(self, data: bytes, fault: str | None) -> None:
        middle = len(data) // 2
        if fault == "wrong":
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        elif fault in ("short", "long"):
            data = data[:-1] if fault == "short" else data + b"\0" * 100_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-goog-hash", f"crc32c={crc32c_of(data)}")
        self.end_headers()
        if fault in ("cut", "stall"):
            self.wfile.write(data[:middle])
            self.wfile.flush()
            time.sleep(2 if fault == "stall" else 0)
            self.close_connection = True
            return
        for start in range(0, len(data), step := 16384):
            self.wfile.write(data[start : start + step])
            time.sleep(0.1 if fault == "slow" else 0)

    def do_POST(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match = query.get("ifGenerationMatch", [None])[0]
        if query["uploadType"] == ["resumable"]:
            name = json.loads(body)["name"]
            session = str(len(self.server.sessions))
            self.server.sessions[session] = (name, match)
            return self.answer(200, Location=f"{self.server.address}/upload/storage/v1/b/{BUCKET}/o?upload_id={session}")
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
        described, data = (part.partition(b"\r\n\r\n")[2] for part in body.split(b"--" + boundary)[1:3])
        self.store(json.loads(described)["name"], data.removesuffix(b"\r\n"), match)

    def do_PUT(self) -> None:
        name, match = self.server.sessions[parse_qs(urlsplit(self.path).query)["upload_id"][0]]
        self.store(name, self.rfile.read(int(self.headers["Content-Length"])), match)

    def store(self, name: str, data: bytes, match: str | None) -> None:
        self.server.before_upload(name)
        self.server.requests.append(("PUT", name, match))
        if self.server.faults[name]:
            return self.refuse(self.server.faults[name].pop(0))
        if match == "0" and name in self.server.objects:
            return self.refuse(412)
        self.server.objects[name] = data
        self.answer(200, self.server.described(name))


def make_set(folder: Path, sizes: dict[str, int], note: str = "") -> Path:
    """A folder with files of these sizes (bytes that follow from the name) and their manifest."""
    entries = []
    for name, size in sizes.items():
        data = hashlib.shake_256(f"{name}{note}".encode()).digest(size)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        entry = {"name": name.partition("-")[0], "role": "expression-base", "version": "1.0.0", "file": name}
        entries.append(entry | {"bytes": size, "sha256": hashlib.sha256(data).hexdigest()})
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "models": entries}))
    return folder


def put_set(storage: Storage, folder: Path, prefix: str) -> None:
    """Lay the files of `folder` into the bucket."""
    for path in folder.iterdir():
        storage.objects[f"{prefix}/{path.name}"] = path.read_bytes()


def same_files(one: Path, other: Path) -> bool:
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other))
    return first == second
