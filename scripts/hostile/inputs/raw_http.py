"""Hostile HTTP: requests that no client sends, as bytes for a socket, with the end that they come to."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import seeds
from .mutation import log_uniform, mutate
from .requests import get, multipart, part, post, upload

WAIT, BRIEF, HALF, CLOSE = "wait", "brief", "half", "close"
"""Ends of a request: wait for the answer; wait some seconds, since none may come; send no more but read; close at once."""
Raw = tuple[bytes, str]

METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PATCH",
    b"get",
    b"G" * 40,
    b"",
    b"G\0T",
    b"\xff",
    b"PRI",
    b"GE T",
)
TARGETS = (
    b"/", b"", b"*", b"//", b"/../../etc/passwd", b"/static/../../../etc/passwd", b"/static/%2e%2e/%2e%2e/etc/passwd",
    b"/static/..%2f..%2fmain.py",
    b"/static//etc/passwd", b"/static/%00", b"/\0", b"http://127.0.0.1/health", b"http://other.example/",
    b"https://[::1]:99999/", b"ftp://x/", b"/%",
    b"/%zz", b"/%ff%fe", b"/\xff\xfe", b"/;a=b", b"/?" + b"&" * 500, b"/health#x", b"health", b"//other.example/a", b"\\\\x\\y",
    b"/ /health", b"/static/.",
    b"/static/css/app.css/..", b"/api/v1/image/", b"/API/V1/IMAGE", b"127.0.0.1:80",
)  # fmt: skip
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"HTTP/9.9",
    b"HTTP/",
    b"HTTP/1.1.1",
    b"http/1.1",
    b"ICY",
    b"",
    b"HTTP/-1.1",
    b"HTTP/1.\xb2",
)
ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\r\n")


def request_line(random: Random) -> Raw:
    """Return a request line of any method, target and version."""
    words = (random.choice(METHODS), random.choice(TARGETS), random.choice(VERSIONS))
    line = random.choice((b" ", b" ", b" ", b"\t", b"  ", b"")).join(words)
    if random.random() < 0.1:
        line = b"GET /" + b"a" * log_uniform(random, 1000, 10**6) + b" HTTP/1.1"
    end = random.choice(ENDS)
    return line + end + b"Host: a" + end + b"Connection: close" + end + end, random.choice((BRIEF, BRIEF, HALF))


def headers(random: Random) -> Raw:
    """Return headers of every size and number: long names, long values, thousands, folded, without colon, repeated."""
    size = log_uniform(random, 1, 200_000)
    lines = (
        b"X: " + b"a" * size, b"X" * size + b": a", b"\r\n".join(b"X%d: y" % index for index in range(size // 40 + 1)),
        b"X: a\r\n b\r\n\tc", b"no colon", b": empty",
        b"X : space", b" X: first", b"X: \0", b"X: \xff\xfe", b"X\xe9: y", b"Host: b", b"Host: \0", b"Host: " + b"h" * size,
        b"Host: evil.example:99999", b"Cookie: " + b"a=b; " * (size // 5),
        b"Accept: " + b"*/*;q=0.1," * (size // 10), b"Accept-Language: " + b"x-" * (size // 2),
        b"Range: bytes=" + b"0-1," * (size // 4), b"Range: bytes=-1,99999999999999999999-",
        b"If-None-Match: " + b'"x",' * (size // 4), b"If-Modified-Since: " + b"9" * min(size, 3000),
        b"X-Request-Id: " + b"r" * size, b"X-Request-Id: \x1b[31m{{7*7}}%0a",
        b"Expect: 100-continue", b"Expect: nonsense", b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c\r\nHTTP2-Settings: AAAA", b"X-Forwarded-For: " + b"1.2.3.4," * (size // 8),
        b"X-Forwarded-Proto: javascript", b"Forwarded: for=\"[::]\";host=x;proto=\0", b"Authorization: Basic \xff",
        b"Content-Type: \xff/\0", b"Accept-Encoding: " + b"gzip;q=9," * (size // 9),
        b"traceparent: 00-" + b"f" * min(size, 5000) + b"-00-01", b"X-Cloud-Trace-Context: " + b"0/" * min(size, 5000),
        b"Sec-Fetch-Site: \xff", b"Origin: " + b"http://" * (size // 7),
    )  # fmt: skip
    path = random.choice((b"/", b"/health", b"/api/v1/models", b"/static/css/app.css", b"/about"))
    chosen = b"\r\n".join(random.sample(lines, random.choice((1, 1, 1, 3))))
    return b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + chosen + b"\r\n\r\n", random.choice(
        (BRIEF, BRIEF, HALF)
    )


def chunked(random: Random) -> Raw:
    """Return a chunked body broken in every way: sizes, ends, extensions, trailers, with a length beside it, never ended."""
    kind, body = multipart([part("file", seeds.image("jpg"), "a.jpg")])
    head = f"POST /api/v1/image HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {kind}\r\n".encode()
    coding = random.choice((b"chunked",) * 6 + (b"gzip, chunked", b"chunked, chunked", b"identity", b"Chunked", b"xchunked",
        b"\x0bchunked", b"chunked\r\nContent-Length: 5",
                            b"chunked\r\nTransfer-Encoding: identity"))  # fmt: skip
    piece = body[: random.randrange(1, len(body))]
    sizes = (b"%x" % len(piece), b"%X" % len(piece), b"0x%x" % len(piece), b"-1", b"", b"g", b"ffffffffffffffff",
        b"fffffffffffffffffffffff", b"7fffffff", b"+5", b"5 ", b" 5", b"1_0",
             b"%x;ext=1" % len(piece), b"%x;" % len(piece) + b"e" * log_uniform(random, 1, 100_000), b"0" * log_uniform(random,
             1, 10_000) + b"%x" % len(piece), b"\xd9\xa3")  # fmt: skip
    first = (
        random.choice(sizes)
        + random.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""))
        + piece
        + random.choice((b"\r\n", b"\r\n", b"", b"xx"))
    )
    rest = b"%x\r\n" % (len(body) - len(piece)) + body[len(piece) :] + b"\r\n" if random.random() < 0.7 else b""
    if random.random() < 0.2:
        first = b"".join(b"1\r\n%c\r\n" % byte for byte in body[:50_000])
        rest = b""
    end = random.choice(
        (
            b"0\r\n\r\n",
            b"0\r\n\r\n",
            b"0\r\n",
            b"",
            b"0\r\nTrailer: x\r\n\r\n",
            b"0\r\n" + b"T: x\r\n" * 5000 + b"\r\n",
            b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        )
    )
    return head + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + first + rest + end, random.choice((BRIEF, BRIEF, HALF))


def content_length(random: Random) -> Raw:
    """Return a body with another length than stated, several stated, or a length that is no number."""
    kind, body = multipart([part("file", seeds.image("jpg"), "a.jpg")])
    lengths = (b"0", b"1", b"%d" % (len(body) // 2), b"%d" % (len(body) + 100), b"%d" % 2**25, b"%d" % (2**25 + 1),
        b"%d" % 2**31, b"%d" % 2**63, b"9" * 400, b"-1", b"+5", b"1e3", b"",
               b"0x10", b"1_0", b"5, 5", b"5\r\nContent-Length: 6", b"\xd9\xa3", b" 5", b"5;")  # fmt: skip
    path = random.choice(("/api/v1/image", "/", "/api/v1/text", "/health", "/nowhere", "/api/v1/models")).encode()
    method = random.choice((b"POST", b"POST", b"POST", b"GET", b"PUT", b"HEAD"))
    head = method + b" " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: " + kind.encode()
    sent = body[: random.randrange(len(body) + 1)] if random.random() < 0.3 else body
    return head + b"\r\nContent-Length: " + random.choice(lengths) + b"\r\n\r\n" + sent, random.choice((BRIEF, BRIEF, HALF))


def pipelined(random: Random) -> Raw:
    """Return up to 100 requests in one piece: pages, uploads, and one that is broken between them."""
    several = [get(random.choice(("/health", "/", "/api/v1/models", "/nowhere"))) for _ in range(log_uniform(random, 2, 100))]
    several.insert(random.randrange(len(several)), post("/api/v1/image", seeds.image("gif"), "image/gif"))
    if random.random() < 0.5:
        several.insert(random.randrange(len(several)), mutate(several[0], random))
    data = b"".join(several[:-1]).replace(b"Connection: close", b"Connection: keep-alive") + several[-1]
    return data, random.choice((BRIEF, HALF, CLOSE))


def cut_short(random: Random) -> Raw:
    """Return part of an upload, after which the client closes or falls silent."""
    kind = random.choice(("image", "video", "sound"))
    data = {"image": seeds.image("png"), "video": seeds.video("mp4"), "sound": seeds.sound("wav")}[kind]
    whole = upload(kind, data, "x", random)
    return whole[: random.randrange(1, len(whole))], random.choice((BRIEF, HALF, CLOSE))


def gone(random: Random) -> Raw:
    """Return a complete upload whose client does not wait for the answer."""
    kind = random.choice(("image", "video", "sound"))
    data = {"image": seeds.image("jpg"), "video": seeds.video("mp4"), "sound": seeds.sound("wav")}[kind]
    return upload(kind, data + random.randbytes(random.randrange(8)), "x", random), CLOSE


def other_protocol(random: Random) -> Raw:
    """Return the first bytes of another protocol, or noise."""
    starts = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"EHLO x\r\n",
        b"\0\0\0\x10", b"GET /health\r\n", b"\r\n" * 50, b"",
              b"*1\r\n$4\r\nPING\r\n", b"\x05\x01\0",
              b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nGET /health HTTP/1.1\r\n\r\n")  # fmt: skip
    return random.choice(starts) + random.randbytes(log_uniform(random, 1, 20_000)), random.choice((BRIEF, BRIEF, HALF))


def mutated(random: Random) -> Raw:
    """Return a well-formed request with random damage in its head."""
    whole = random.choice(
        (
            get("/health"),
            post("/api/v1/text", b'{"text": "I love it"}', "application/json"),
            upload("image", seeds.image("jpg"), "jpg", random),
        )
    )
    head, _, body = whole.partition(b"\r\n\r\n")
    return mutate(head, random) + b"\r\n\r\n" + body, random.choice((BRIEF, BRIEF, HALF))


FAMILIES: tuple[Callable[[Random], Raw], ...] = (
    request_line, headers, chunked, content_length, pipelined, cut_short, mutated, other_protocol, gone,
)  # fmt: skip
