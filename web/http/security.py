"""Headers of every answer: what a browser may do with it, who may read it, how long it may be kept."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",  # neither inline script nor inline style, nothing from elsewhere
        "img-src 'self' data: blob:",  # the annotated picture is inline, the preview a blob, Bootstrap's arrows data:
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # frame-ancestors for browsers that do not know it
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOR_GOOD, FOR_NOW = "public, max-age=31536000, immutable", "public, max-age=600"
STRICT_TRANSPORT = "max-age=31536000"
SHARED_PATHS = ("/api/", "/openapi.json")
"""What other origins may read, where CORS_ORIGINS names them; pages never."""


def register(app: Flask) -> None:
    app.after_request(add_headers)
    app.after_request(add_cors)
    app.url_defaults(add_version)


def add_headers(response: Response) -> Response:
    """Security headers, and a lifetime: for ever for a static file asked for by its version, none for an answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure or request.headers.get("X-Forwarded-Proto") == "https":
        response.headers["InputSchema-Transport-Security"] = STRICT_TRANSPORT
    if request.endpoint == "static" and response.status_code in (200, 206, 304):
        response.headers["Cache-Control"] = FOR_GOOD if "v" in request.args else FOR_NOW
    elif "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def add_cors(response: Response) -> Response:
    """Let the pages of the origins in CORS_ORIGINS call the API; without the setting no header is sent."""
    allowed = current_app.config["CORS_ORIGINS"]
    if not allowed or not request.path.startswith(SHARED_PATHS):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in allowed:
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, Server-Timing"
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type, X-Request-Id"
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def add_version(endpoint: str, values: dict[str, Any]) -> None:
    """Give the address of a static file the file's version, so that browsers may keep it for good."""
    if endpoint == "static" and "v" not in values:
        path = Path(current_app.static_folder or "") / values["filename"]
        versions = current_app.extensions.setdefault("static-versions", {})
        if path not in versions and path.is_file():
            versions[path] = sha256(path.read_bytes()).hexdigest()[:10]
        if path in versions:
            values["v"] = versions[path]
