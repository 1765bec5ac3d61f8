"""RATE_LIMIT: requests a minute that a client may send, counted in the memory of this process.

Each client has a bucket of RATE_LIMIT tokens that fills up again within a minute; a request takes one. A client is a key of the
API (web/http/keys.py), otherwise an address. Several instances count by themselves, and a restart starts from zero.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from flask import Flask, current_app, g, request

from .budgets import SETTINGS as WORK
from .clients import client_address
from .problems import Problem

MAX_CLIENTS = 10_000
"""Clients that are remembered, about 2 MB; beyond that the one whose last request is the longest ago is forgotten."""
MINUTE = 60.0


class RateLimiter:
    """Token buckets of clients. Thread safe.

    Args:
        per_minute: Tokens of a full bucket, and tokens that come back in a minute.
        clock: Returns monotonic seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and the time at which there were so many
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of clients that are remembered."""
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Take a token; return 0, or the seconds after which there will be one."""
        with self._lock:
            tokens, now = self._tokens(client)
            if tokens < 1:
                return (1 - tokens) * MINUTE / self.per_minute
            self._keep(client, tokens - 1, now)
            return 0.0

    def charge(self, client: str, count: int) -> None:
        """Take further tokens for a request that was admitted; where there are too few, later requests wait for them."""
        with self._lock:
            tokens, now = self._tokens(client)
            self._keep(client, tokens - count, now)

    def _tokens(self, client: str) -> tuple[float, float]:
        """Return the tokens of a client by now, and the time."""
        now = self._clock()
        tokens, since = self._buckets.get(client, (float(self.per_minute), now))
        return min(self.per_minute, tokens + (now - since) * self.per_minute / MINUTE), now

    def _keep(self, client: str, tokens: float, now: float) -> None:
        self._buckets[client] = tokens, now
        self._buckets.move_to_end(client)
        while len(self._buckets) > MAX_CLIENTS or self._is_full(next(iter(self._buckets)), now):
            self._buckets.popitem(last=False)

    def _is_full(self, client: str, now: float) -> bool:
        """Return True for a bucket that is full again, which need not be remembered."""
        tokens, since = self._buckets[client]
        return tokens + (now - since) * self.per_minute / MINUTE >= self.per_minute


def register(app: Flask) -> None:
    limit = app.config["RATE_LIMIT"]
    app.extensions["rate_limiter"] = RateLimiter(limit) if limit else None
    app.before_request(check_rate)


def check_rate() -> None:
    """Refuse a request to the API, or a page's form that runs a model, beyond the limit. Raises Problem."""
    limiter = current_app.extensions["rate_limiter"]
    is_counted = request.path.startswith("/api/v1/") or (request.method == "POST" and request.path in WORK)
    if limiter is None or not is_counted or request.method == "OPTIONS":
        return
    wait = limiter.take(_client())
    if wait:
        detail = f"A client may send {limiter.per_minute:,} requests a minute; try again in {ceil(wait)} s."
        raise Problem("rate_limited", detail, headers={"Retry-After": str(ceil(wait))})


def charge_further(count: int) -> None:
    """Count `count` more requests of the running request's client, for the further files that it carries."""
    limiter = current_app.extensions["rate_limiter"]
    if limiter is not None and count > 0:
        limiter.charge(_client(), count)


def _client() -> str:
    """Return what identifies the client: its key, or its address."""
    key = g.get("api_key")
    return f"key {key}" if key else f"address {client_address()}"
