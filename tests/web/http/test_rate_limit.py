"""RATE_LIMIT: requests a minute of each client, and CLIENT_ADDRESS, which says who that is."""

from __future__ import annotations

import json
import threading
from hashlib import sha256
from io import BytesIO

import pytest

from web import create_app
from web.http import rate_limit
from web.http.clients import client_address
from web.http.rate_limit import RateLimiter

LIMIT = 3


class Clock:
    """A clock that is set by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock):
    """Make an app with these settings, whose limiter has the clock."""

    def make(**settings):
        app = create_app({"RATE_LIMIT": LIMIT, **settings})
        app.extensions["rate_limiter"]._clock = clock
        return app

    return make


def statuses(client, count: int, path: str = "/api/v1/style", **request) -> list[int]:
    return [client.get(path, **request).status_code for _ in range(count)]


def from_address(address: str) -> dict:
    return {"environ_overrides": {"REMOTE_ADDR": address}}


def test_requests_beyond_the_limit_are_refused_until_the_time_that_is_told(limited, clock):
    client = limited().test_client()
    assert statuses(client, LIMIT + 1) == [200] * LIMIT + [429]
    response = client.get("/api/v1/style")
    problem = json.loads(response.data)
    assert response.mimetype == "application/problem+json" and problem["code"] == "rate_limited"
    assert response.headers["Retry-After"] == "20" and "3 requests a minute" in problem["detail"]
    clock.seconds += 19.9
    assert statuses(client, 1) == [429]
    clock.seconds += 0.1
    assert statuses(client, 2) == [200, 429]
    clock.seconds += 60
    assert statuses(client, LIMIT + 1) == [200] * LIMIT + [429], "a full bucket is full after a minute, and never fuller"


def test_it_is_off_by_default():
    assert statuses(create_app().test_client(), 200) == [200] * 200


def test_clients_are_counted_one_by_one(limited):
    client = limited().test_client()
    assert statuses(client, LIMIT + 1, **from_address("192.0.2.1"))[-1] == 429
    assert statuses(client, 1, **from_address("192.0.2.2")) == [200]


def test_requests_that_run_no_model_are_not_counted_beside_the_api(limited):
    client = limited().test_client()
    for path in ("/", "/health", "/docs", "/openapi.json"):
        assert statuses(client, LIMIT + 2, path) == [200] * (LIMIT + 2)
    assert client.options("/api/v1/image").status_code == 200 and statuses(client, LIMIT) == [200] * LIMIT


@pytest.mark.parametrize("path", ["/", "/share", "/text", "/speech", "/api/v1/image", "/api/v1/nowhere", "/api/v1/feedback"])
def test_forms_of_the_pages_count_like_the_api(limited, path):
    client = limited().test_client()
    assert [client.post(path).status_code == 429 for _ in range(LIMIT + 1)] == [False] * LIMIT + [True]
    assert statuses(client, 1) == [429], "all addresses together"


def test_browsers_get_a_page(limited):
    client = limited().test_client()
    for _ in range(LIMIT):
        client.post("/")
    response = client.post("/", headers={"Accept": "text/html"})
    assert response.status_code == 429 and response.mimetype == "text/html" and "rate_limited" in response.text
    assert response.headers["Retry-After"] == "20"


def test_a_refused_body_is_not_read(limited, photo):
    class Body(BytesIO):
        def read(self, *_):
            raise AssertionError("the body is read")

        readinto = readline = read

    client = limited().test_client()
    statuses(client, LIMIT)
    environ = {"wsgi.input": Body(photo), "CONTENT_LENGTH": str(len(photo)), "CONTENT_TYPE": "image/jpeg"}
    assert client.post("/api/v1/image", environ_overrides=environ).status_code == 429


def test_each_file_counts(limited, clock):
    """A request with five files is admitted, and the client then waits as long as after five requests."""
    client = limited().test_client()
    with client.post("/api/v1/images", data={"file": [(BytesIO(b"x"), "x.jpg")] * 1}) as response:
        assert response.status_code == 200
    with client.post("/api/v1/images", data={"file": [(BytesIO(b"x"), f"{number}.jpg") for number in range(5)]}) as response:
        assert response.status_code == 200 and len(response.text.splitlines()) == 5
    assert client.get("/api/v1/style").headers["Retry-After"] == "80"
    clock.seconds += 80
    assert statuses(client, 2) == [200, 429]


def test_keys_are_clients(limited):
    keys = {name: {"Authorization": f"Bearer {name}"} for name in ("one", "two")}
    client = limited(API_KEYS=tuple(sha256(name.encode()).hexdigest() for name in keys)).test_client()
    assert statuses(client, LIMIT + 1, headers=keys["one"], **from_address("192.0.2.1"))[-1] == 429
    assert statuses(client, 1, headers=keys["one"], **from_address("192.0.2.2")) == [429], "from wherever it is used"
    assert statuses(client, LIMIT, headers=keys["two"], **from_address("192.0.2.1")) == [200] * LIMIT
    assert statuses(client, 1, **from_address("192.0.2.1")) == [401], "without a key nothing is counted"


FORWARDED = "203.0.113.9, 198.51.100.7, 192.0.2.55"


@pytest.mark.parametrize(
    ("source", "headers", "expected"),
    [
        ("peer", {}, "192.0.2.1"),
        ("peer", {"X-Forwarded-For": FORWARDED, "X-Appengine-User-IP": "203.0.113.9"}, "192.0.2.1"),
        ("1", {"X-Forwarded-For": FORWARDED}, "192.0.2.55"),
        ("2", {"X-Forwarded-For": FORWARDED}, "198.51.100.7"),
        ("3", {"X-Forwarded-For": FORWARDED}, "203.0.113.9"),
        ("4", {"X-Forwarded-For": FORWARDED}, "192.0.2.1"),
        ("1", {}, "192.0.2.1"),
        ("1", {"X-Forwarded-For": "unknown"}, "192.0.2.1"),
        ("1", {"X-Forwarded-For": "203.0.113.9, <script>"}, "192.0.2.1"),
        ("1", {"X-Forwarded-For": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"),
        ("1", {"X-Forwarded-For": "2001:db8:1:2::ffff"}, "2001:db8:1:2::/64"),
        ("1", {"X-Forwarded-For": "::ffff:203.0.113.9"}, "203.0.113.9"),
        ("1", {"X-Forwarded-For": "203.0.113.9:5678"}, "203.0.113.9"),
        ("1", {"X-Forwarded-For": "[2001:db8:1:2::1]:443"}, "2001:db8:1:2::/64"),
        ("appengine", {"X-Appengine-User-IP": "203.0.113.9", "X-Forwarded-For": FORWARDED}, "203.0.113.9"),
        ("appengine", {"X-Forwarded-For": FORWARDED}, "192.0.2.1"),
    ],
)
def test_address_of_a_client(app, monkeypatch, source, headers, expected):
    """The entries that trusted proxies appended, from the end; what stands before them is the client's own invention."""
    monkeypatch.setitem(app.config, "CLIENT_ADDRESS", source)
    with app.test_request_context("/", headers=headers, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}):
        assert client_address() == expected


def test_addresses_that_a_client_invents_do_not_help_it(limited):
    client = limited(CLIENT_ADDRESS="1").test_client()
    answers = [
        client.get("/api/v1/style", headers={"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.7"}).status_code
        for number in range(LIMIT + 1)
    ]
    assert answers == [200] * LIMIT + [429]


def test_memory_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 100)
    limiter = RateLimiter(LIMIT, clock)
    for number in range(1000):
        assert limiter.take(f"address {number}") == 0
    assert len(limiter) == 100
    clock.seconds += 60
    assert limiter.take("address 7") == 0 and len(limiter) == 1, "full buckets are forgotten"


def test_threads_get_no_more_than_the_limit(clock):
    limiter, admitted = RateLimiter(500, clock), []

    def take() -> None:
        for _ in range(100):
            if not limiter.take("one"):
                admitted.append(1)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 500
