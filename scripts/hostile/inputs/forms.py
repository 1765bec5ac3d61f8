"""Hostile forms, options and tracker states."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote, quote_plus

from . import seeds
from .mutation import edge, log_uniform, mutate
from .requests import SAME_ORIGIN, Headers, get, multipart, part, post

PATHS = (
    "/api/v1/image",
    "/api/v1/images",
    "/",
    "/share",
    "/api/v1/text",
    "/api/v1/speech",
    "/speech",
    "/api/v1/video",
    "/text",
    "/feedback",
    "/api/v1/feedback",
)
PAGES = (
    "/", "/live", "/video", "/text", "/speech", "/about", "/about/models", "/docs", "/openapi.json", "/health", "/api/v1/models",
    "/api/v1/style", "/share", "/static/css/app.css", "/static/@0/js/app.js", "/favicon.ico", "/robots.txt", "/metrics", "/text/",
    "/nowhere", "/_ah/warmup", "/service-worker.js", "/models/manifest.json", "/models/0/face.tflite",
)  # fmt: skip
NAMES = ("file", "detector", "tracks", "time", "annotate", "landmarks", "explain", "views", "fps", "start",
         "end", "annotated", "sample", "text", "shown",
         "said", "confidence", "model", "", "x", "FILE", "file[]", "\0")  # fmt: skip
VALUES = ("", "true", "false", "1", "0", "TRUE", "yes", "auto", "none", "haar", "nan", "inf", "-1", "1e999", "1e308", "0x10",
    "1_0", "٣", "\0",
          "../../etc/passwd", "http://127.0.0.1/", "{{7*7}}", "<script>", "' or 1=1 --", "%s%n", "\r\nX: y", "true,false", "mp4",
          "5")  # fmt: skip


def value(random: Random) -> str:
    """Draw a value of an option: of its own, of another, or long."""
    if random.random() < 0.15:
        return random.choice("0a ٣{") * log_uniform(random, 1, 20_000)
    return random.choice(VALUES) if random.random() < 0.8 else str(random.choice((edge(random), random.uniform(-1e3, 1e3))))


def send(body: bytes, content_type: str | bytes, random: Random, headers: Headers = ()) -> bytes:
    return post(random.choice(PATHS), body, content_type, (*headers, *SAME_ORIGIN))


def odd_parts(random: Random, headers: Headers = ()) -> bytes:
    """Return a form of up to a few thousand parts: without names, of the same name, empty, with any header."""
    heads = (
        b"", b"Content-Disposition: form-data\r\n", b"Content-Disposition: form-data; name\r\n",
        b'Content-Disposition: form-data; name=""\r\n',
        b'Content-Disposition: attachment; name="file"\r\n',
        b'Content-Disposition: form-data; name="file"; filename="' + b"a" * 9000 + b'"\r\n',
        b"Content-Disposition: form-data; name*=utf-8''%ff%fe; filename*=utf-8''%00\r\n",
        b'Content-Disposition: form-data; name="a\0b"\r\n',
        b'Content-Disposition: form-data; name="file"; filename="\xff\xfe"\r\n', b"Content-Disposition: \r\n",
        b"no colon here\r\n", b": x\r\n",
        b'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Transfer-Encoding: base64\r\n', b"\0: \0\r\n",
        b'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Length: 99999999\r\n',
        b'Content-Disposition: form-data; name="text\r\n',
        b'Content-Disposition: form-data; name="sample"\r\nContent-Type: text/plain; charset=nonsense\r\n',
    )  # fmt: skip
    parts = []
    for _ in range(log_uniform(random, 1, 3000) if random.random() < 0.3 else random.randint(1, 4)):
        data = random.choice((b"", b"x", b"obama", seeds.image("gif")[:200], random.randbytes(random.randrange(60))))
        parts.append(random.choice(heads) + random.choice((b"\r\n", b"\r\n", b"", b"\n")) + data)
    kind, body = multipart(parts)
    return send(body, kind, random, headers)


def duplicates(random: Random, headers: Headers = ()) -> bytes:
    """Return a form of repeated and mixed fields, in the body and in the query."""
    parts = [part(random.choice(NAMES), value(random).encode("utf-8", "replace"), random.choice((None, "a.jpg", "",
        "\u202e.jpg")))
             for _ in range(random.randint(0, 25))]  # fmt: skip
    if random.random() < 0.7:
        parts.insert(random.randrange(len(parts) + 1), part("file", seeds.image("jpg"), "a.jpg"))
    kind, body = multipart(parts)
    return send(body, kind, random, headers)


def boundaries(random: Random, headers: Headers = ()) -> bytes:
    """Return a form whose boundary is missing, empty, long, not the body's, or never closed."""
    _, body = multipart([part("file", seeds.image("gif"), "a.gif")])
    body = random.choice((body, body[: random.randrange(len(body))], body.replace(b"\r\n", b"\n"),
        b"--a-boundary" * log_uniform(random, 1, 20_000), b"",
                          b"\r\n" * log_uniform(random, 1, 50_000) + body, mutate(body, random)))  # fmt: skip
    kinds = (
        b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=a-boundary",
        b"multipart/form-data; boundary=other",
        b"multipart/form-data; boundary=" + b"b" * log_uniform(random, 1, 6000), b'multipart/form-data; boundary="a-boundary',
        b"multipart/mixed; boundary=a",
        b"multipart/form-data; boundary=a-boundary; boundary=b", b"multipart/form-data; boundary=\xff\xfe", b"multipart/",
        b"multipart/form-data;;;;=",
        b"Multipart/Form-Data; Boundary=a-boundary", b"multipart/form-data; charset=utf-16; boundary=a-boundary",
    )  # fmt: skip
    return send(body, random.choice(kinds), random, headers)


def urlencoded(random: Random, headers: Headers = ()) -> bytes:
    """Return an urlencoded form of up to 50,000 fields, broken escapes, or one field of a megabyte."""
    pairs = [f"{quote_plus(random.choice(NAMES))}={quote_plus(value(random))}" for _ in range(random.randint(1, 10))]
    bodies = (
        "&".join(pairs).encode(), b"a=1&" * log_uniform(random, 1, 50_000), b"text=" + b"%" * log_uniform(random, 1, 20_000),
        b"=&" * random.randint(1, 999),
        b"text=%ff%fe%00" * random.randint(1, 99), b"&" * log_uniform(random, 1, 10**6), b"text=" + b"a" * log_uniform(random, 1,
        3 * 10**6), b"\0=\0",
        b"text=%ud800&said=" + random.randbytes(20),
    )  # fmt: skip
    return send(random.choice(bodies), "application/x-www-form-urlencoded", random, headers)


def any_body(random: Random, headers: Headers = ()) -> bytes:
    """Return a body of any media type at any address."""
    kinds = ("", "image/", "image/jpeg", "image/svg+xml", "video/x", "audio/x", "application/ogg", "text/html",
        "application/xml", "*/*", "a" * 5000,
             "image/jpeg; charset=\"", "application/json")  # fmt: skip
    body = random.choice((b"", b"\0", seeds.image("jpg"), random.randbytes(log_uniform(random, 1, 10**5)), b"<svg/>", b"{}"))
    return send(body, random.choice(kinds), random, headers)


def feedback(random: Random, headers: Headers = ()) -> bytes:
    """Return feedback with values out of range, to the page and to the API, from here and from other sites."""
    fields = {
        name: random.choice((value(random), "happy", "0.5", "vgg16 1.0"))
        for name in ("shown", "said", "confidence", "model", "token")
    }
    for name in random.sample(sorted(fields), random.randrange(4)):
        del fields[name]
    sites = (
        (b"Origin", random.choice((b"null", b"https://other.example", b"http://127.0.0.1"))),
        (b"Sec-Fetch-Site", b"cross-site"),
        SAME_ORIGIN[0],
    )
    headers = (*headers, *random.sample(sites, random.randrange(3)))
    if random.random() < 0.5:
        return post("/feedback", "&".join(f"{name}={quote_plus(given)}" for name, given in fields.items()).encode(),
                    "application/x-www-form-urlencoded", headers)  # fmt: skip
    odd = {**fields, "confidence": random.choice((1e308, -1, True, None, [0.5], edge(random)))}
    return post("/api/v1/feedback", json.dumps(odd).encode(), "application/json", headers)


FORMS: tuple[Callable[..., bytes], ...] = (odd_parts, boundaries, duplicates, urlencoded, any_body, feedback)


def options(random: Random, headers: Headers = ()) -> bytes:
    """Return a request with up to hundreds of options in its query, to a page or with a small valid file."""
    escape = random.choice((quote, quote_plus, str))
    names = (*NAMES, "token", "theme", "n" * 300)
    query = "&".join(f"{quote(random.choice(names))}={escape(value(random))}" for _ in range(log_uniform(random, 1, 200)))
    for character in " \r\n\0":  # others are sent as they are
        query = query.replace(character, f"%{ord(character):02x}")
    query = query.encode("utf-8", "replace")[:7500].decode("utf-8", "ignore")
    if random.random() < 0.4:
        return get(
            f"{random.choice(PAGES)}?{query}".encode(),
            headers,
            random.choice(("GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")),
        )
    path = random.choice(("/api/v1/image", "/api/v1/image", "/api/v1/video", "/api/v1/speech", "/", "/speech", "/api/v1/text"))
    data = {"/api/v1/video": seeds.video("mp4"), "/api/v1/speech": seeds.sound("wav")}.get(path, seeds.image("jpg"))
    kind, body = multipart([part("file", data, "a")])
    return post(f"{path}?{query}", body, kind, headers)


def tracks(random: Random, headers: Headers = ()) -> bytes:
    """Return a picture with a tracker state that no answer gave: out of range, nested, long, almost right."""

    def number() -> object:
        return random.choice((edge(random), -edge(random), 1e308, 0.5, None, True, "1", 10**30, random.randrange(10**5)))

    def track(identity: int) -> list[object]:
        appearance = base64.b64encode(random.randbytes(random.choice((48, 48, 48, 0, 47, 400)))).decode()
        row: list[object] = [identity, 50_000, 20_000, 9_000, 11_000, -4, 90, 67, 0, 0, 0, 100_000, 0, 0, 0, appearance]
        for _ in range(random.choice((0, 0, 1, 1, 3))):
            row[random.randrange(len(row))] = number()
        return row

    count = random.choice((0, 1, 2, 39, 40, 41, 200))
    state: dict[str, object] = {
        "version": 1,
        "clock": random.randrange(10**6),
        "next": count,
        "tracks": [track(index) for index in range(count)],
    }
    if random.random() < 0.4:
        state[random.choice(("version", "clock", "next", "tracks", "more"))] = random.choice(
            (number(), [], {}, [[]], [[[]]], "x")
        )
    text = json.dumps(state, separators=(",", ":"))
    if random.random() < 0.3:
        depth = log_uniform(random, 10, 8000)
        text = random.choice(
            (
                mutate(text.encode(), random).decode("latin-1"),
                "[" * depth,
                '{"version":' * (depth // 12) + "1",
                text + " " * depth,
            )
        )
    parts = [
        part("tracks", text.encode("utf-8", "replace")),
        part("time", value(random).encode("utf-8", "replace")),
        part("file", seeds.image("jpg"), "a.jpg"),
    ]
    kind, body = multipart(parts[:: random.choice((1, 1, 1, -1))])
    return post("/api/v1/image", body, kind, headers)
