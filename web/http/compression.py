"""Compression of pages. Results are sent as they are: they are posted, and mostly pictures."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

LEVEL = 6
"""Level of gzip: a page takes a millisecond."""


def register(app: Flask) -> None:
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Compress the answer to a GET request where the client takes that; what is streamed or encoded already stays as it is.

    Such answers hold no secrets beside what a client sent, which the size of a compressed answer could give away (BREACH).
    """
    if request.method != "GET" or response.status_code != 200 or response.mimetype != "text/html":
        return response
    if response.is_streamed or response.direct_passthrough or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
