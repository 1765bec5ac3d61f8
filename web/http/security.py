"""Security, CORS and caching headers of every response."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",  # no inline scripts or styles, nothing from other hosts
        "img-src 'self' data: blob:",  # annotated images are data:, previews blob:, Bootstrap's arrows data:
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
    "X-Frame-Options": "DENY",  # for browsers without frame-ancestors
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
IMMUTABLE, SHORT_LIVED = "public, max-age=31536000, immutable", "public, max-age=600"
HSTS = "max-age=31536000"
CORS_PATHS = ("/api/", "/openapi.json")
"""Paths that the origins in CORS_ORIGINS may read; pages are never shared."""


def register(app: Flask) -> None:
    app.after_request(add_headers)
    app.after_request(add_cors)
    app.url_defaults(add_version)


def add_headers(response: Response) -> Response:
    """Add security headers and Cache-Control: immutable for versioned static files, no-store for other responses."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure or request.headers.get("X-Forwarded-Proto") == "https":
        response.headers["Strict-Transport-Security"] = HSTS
    if request.endpoint == "static" and response.status_code in (200, 206, 304):
        response.headers["Cache-Control"] = IMMUTABLE if "v" in request.args else SHORT_LIVED
    elif "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def add_cors(response: Response) -> Response:
    """Add CORS headers for the origins in CORS_ORIGINS; without the setting there are none."""
    allowed = current_app.config["CORS_ORIGINS"]
    if not allowed or not request.path.startswith(CORS_PATHS):
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
    """Add a content hash to the URLs of static files, so that browsers may cache them indefinitely."""
    if endpoint == "static" and "v" not in values:
        path = Path(current_app.static_folder or "") / values["filename"]
        versions = current_app.extensions.setdefault("static-versions", {})
        if path not in versions and path.is_file():
            versions[path] = sha256(path.read_bytes()).hexdigest()[:10]
        if path in versions:
            values["v"] = versions[path]
