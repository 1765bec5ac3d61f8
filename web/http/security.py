"""Security, CORS and caching headers of every response."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request

from .problems import Problem

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


CHANGING = ("/feedback", "/share")
"""Ends of the addresses whose posts only pages of this server may send."""


def register(app: Flask) -> None:
    app.before_request(same_origin_only)
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
        right = request.args.get("v") == static_version((request.view_args or {})["filename"])
        response.headers["Cache-Control"] = IMMUTABLE if right else SHORT_LIVED
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
    if endpoint == "static" and "v" not in values and (version := static_version(values["filename"])):
        values["v"] = version


def static_version(filename: str) -> str | None:
    """Return the first digits of the SHA-256 of a static file; None if there is no such file. Each is read once."""
    path = Path(current_app.static_folder or "") / filename
    versions: dict[Path, str] = current_app.extensions.setdefault("static-versions", {})
    if path not in versions and path.is_file():
        versions[path] = sha256(path.read_bytes()).hexdigest()[:10]
    return versions.get(path)


def same_origin_only() -> None:
    """Refuse posts that change something and come from a page of another site. Raises Problem.

    Browsers say where a request comes from in Sec-Fetch-Site (Fetch Metadata), older ones in Origin alone; programs send neither.
    A request that the user began, such as one from a telephone's share sheet, has `none`.
    """
    if request.method != "POST" or not request.path.endswith(CHANGING):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is not None and origin in current_app.config["CORS_ORIGINS"] and request.path.startswith(CORS_PATHS):
        return
    if site not in ("same-origin", "none") if site is not None else origin and _host_of(origin) != request.host:
        raise Problem("cross_site")


def _host_of(origin: str) -> str | None:
    """Return host and port of an origin, None of what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
