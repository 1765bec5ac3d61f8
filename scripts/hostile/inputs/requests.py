"""HTTP/1.1 requests as bytes: heads, forms, and uploads of a file to one of the addresses that take it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from urllib.parse import quote

HOST = b"127.0.0.1"
SAME_ORIGIN = ((b"Sec-Fetch-Site", b"same-origin"),)
"""Header without which addresses that change state refuse a browser's request."""
Headers = Sequence[tuple[bytes, bytes]]


def post(path: str, body: bytes, content_type: str | bytes, headers: Headers = ()) -> bytes:
    """Return a well-formed POST request that closes its connection; `content_type` may be nonsense."""
    kind = content_type.encode() if isinstance(content_type, str) else content_type
    lines = [
        b"POST %s HTTP/1.1" % path.encode(),
        b"Host: " + HOST,
        b"Connection: close",
        b"Content-Type: " + kind,
        b"Content-Length: %d" % len(body),
    ]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(target: str | bytes, headers: Headers = (), method: str = "GET") -> bytes:
    """Return a well-formed request without a body that closes its connection."""
    place = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + place + b" HTTP/1.1", b"Host: " + HOST, b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def part(name: str, data: bytes, filename: str | None = None, content_type: str | None = None) -> bytes:
    """Return one well-formed part of a multipart form, without its boundary."""
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + data


def multipart(parts: Sequence[bytes], boundary: bytes = b"a-boundary") -> tuple[str, bytes]:
    """Return content type and body of a form of `parts`."""
    body = b"".join(b"--" + boundary + b"\r\n" + one + b"\r\n" for one in parts) + b"--" + boundary + b"--\r\n"
    return f"multipart/form-data; boundary={boundary.decode('latin-1')}", body


ADDRESSES = {
    "image": (("/api/v1/image", 8), ("/api/v1/images", 2), ("/", 2), ("/share", 2), ("/api/v1/video", 1), ("/api/v1/speech", 1)),
    "video": (("/api/v1/video", 8), ("/api/v1/speech", 3), ("/speech", 1), ("/api/v1/image", 1)),
    "sound": (("/api/v1/speech", 8), ("/speech", 3), ("/api/v1/video", 2), ("/api/v1/image", 1)),
}
"""Kind of file -> addresses that it is sent to, with their weights; some are meant for other kinds."""
OPTIONS = {
    "/api/v1/image": ("annotate=true", "landmarks=true", "explain=true", "detector=none", "detector=haar", "tracks=&time=0"),
    "/api/v1/images": ("annotate=true", "landmarks=true", "explain=true"),
    "/api/v1/video": ("fps=30", "fps=0.01", "annotated=mp4", "landmarks=true", "detector=none"),
}
"""Address -> options that change what is done with the file."""
MEDIA_TYPES = {"/api/v1/image": "image/", "/api/v1/video": "video/", "/api/v1/speech": "audio/"}


def upload(kind: str, data: bytes, suffix: str, random: Random, headers: Headers = ()) -> bytes:
    """Return a request that sends a file of `kind`, as a form or as raw bytes, to one of ADDRESSES with random options."""
    places, weights = zip(*ADDRESSES[kind], strict=True)
    path = random.choices(places, weights)[0]
    options = OPTIONS.get(path, ())
    query = "?" + random.choice(options) if options and random.random() < 0.3 else ""
    headers = (*headers, *SAME_ORIGIN)
    if path in MEDIA_TYPES and random.random() < 0.3:
        return post(path + query, data, MEDIA_TYPES[path] + suffix, headers)
    content_type, body = multipart([part("file", data, f"input.{quote(suffix)}", "application/octet-stream")])
    return post(path + query, body, content_type, headers)
