"""Security and CORS headers of every response."""

from __future__ import annotations

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

WASM_POLICY = CONTENT_SECURITY_POLICY.replace("default-src 'self'", "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'")
"""Policy of the workers that run WebAssembly, sent with their scripts: workers have their own, pages keep the stricter one."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers without frame-ancestors
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",  # with the line above: threads in WebAssembly
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"
CORS_PATHS = ("/api/", "/openapi.json")
"""Paths that the origins in CORS_ORIGINS may read; pages are never shared."""


CHANGING = ("/feedback", "/share")
"""Ends of the addresses whose posts only pages of this server may send."""


def register(app: Flask) -> None:
    app.before_request(same_origin_only)
    app.after_request(add_headers)
    app.after_request(add_cors)


def add_headers(response: Response) -> Response:
    """Add security headers, and Cache-Control no-store where the view set none."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure or request.headers.get("X-Forwarded-Proto") == "https":
        response.headers["Strict-Transport-Security"] = HSTS
    if "Cache-Control" not in response.headers:
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
    response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, X-Partial, Server-Timing, Retry-After"
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-Request-Id"
        response.headers["Access-Control-Max-Age"] = "600"
    return response


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
