"""Keys of the API: bearer tokens whose SHA-256 digests API_KEYS lists, and the tokens of this server's own pages.

The scripts of the pages call the API as well. Each page then carries a signed token that is valid for some hours, for the
addresses that the scripts call. So the keys close the API to programs, not the pages to people: everybody who can open a page
can have a picture analyzed, there or with its token. Nothing is stored, and instances with the same API_KEYS accept each other's
tokens.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Any

from flask import Flask, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

from .problems import Problem

PROTECTED = ("/api/v1/", "/metrics")
"""Beginnings of the addresses that need a key."""
PAGE_ADDRESSES = frozenset(f"/api/v1/{name}" for name in ("image", "video", "feedback", "style"))
"""Addresses that the scripts of the pages call."""
PAGE_TOKEN_SECONDS = 12 * 3600
"""Age to which the token of a page is accepted: a live page may stay open for a day's opening hours."""
SCHEME = "bearer "


class ApiKeys:
    """The keys that this server accepts.

    Args:
        digests: SHA-256 digests of the keys, in hexadecimal digits; none: no key is needed.
    """

    def __init__(self, digests: tuple[str, ...]) -> None:
        self._digests = digests
        # Somebody who knows all digests could sign a token, which is no more than a visitor of a page gets.
        self._signer = URLSafeTimedSerializer(sha256(" ".join(sorted(digests)).encode()).digest(), salt="page")

    def __bool__(self) -> bool:
        return bool(self._digests)

    def identify(self, method: str, path: str, authorization: str) -> str | None:
        """Check the header Authorization of a request.

        Returns:
            The digest of its key; None where it needs none, or has the token of a page.

        Raises:
            Problem: There is no valid key (`unauthorized`).
        """
        if not self or method == "OPTIONS" or not path.startswith(PROTECTED):  # browsers send OPTIONS without a key
            return None
        token = authorization[len(SCHEME) :].strip() if authorization.lower().startswith(SCHEME) else ""
        digest = self._find(token) if token else None
        if digest is None and not (token and path in PAGE_ADDRESSES and self.is_page_token(token)):
            wrong = "The key is not one of this server's, or the page is too old: load it again." if token else None
            raise Problem("unauthorized", wrong, headers={"WWW-Authenticate": "Bearer"})
        return digest

    def refused(self, method: str, path: str, authorization: str) -> dict[str, Any] | None:
        """Return the problem of a request without a valid key as code, detail and headers; None if it has one or needs none."""
        try:
            self.identify(method, path, authorization)
        except Problem as problem:
            return {"code": problem.code, "detail": problem.detail, "headers": problem.headers}
        return None

    def _find(self, token: str) -> str | None:
        """Return the digest of a key, None if it is not one of this server; each comparison takes the same time."""
        digest = sha256(token.encode("latin-1", "replace")).hexdigest()
        found = [known for known in self._digests if compare_digest(known, digest)]
        return found[0] if found else None

    def issue_page_token(self) -> str | None:
        """Return a token for the scripts of a page; None where they need none."""
        return self._signer.dumps("page") if self else None

    def is_page_token(self, token: str) -> bool:
        """Return True for a token of a page of this server that is not too old."""
        try:
            self._signer.loads(token, max_age=PAGE_TOKEN_SECONDS)
        except BadData:
            return False
        return True


def register(app: Flask) -> None:
    app.extensions["api_keys"] = ApiKeys(app.config["API_KEYS"])
    app.context_processor(lambda: {"api_token": api_keys().issue_page_token()})
    app.before_request(check_key)


def api_keys() -> ApiKeys:
    """Return the keys of the running app."""
    return current_app.extensions["api_keys"]


def check_key() -> None:
    """Refuse a request to the API without a valid key, before its body is read; keep the key for the rate limit. Raises Problem.

    The server (web/server) has asked `refused` when the header arrived, and kept no body of such a request.
    """
    g.api_key = api_keys().identify(request.method, request.path, request.headers.get("Authorization", ""))
