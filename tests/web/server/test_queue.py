"""Admission queue: cheap requests pass, long waits are refused at once with the time to try again."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from web.http.budgets import SETTINGS
from web.server.connections import Refusal
from web.server.queue import WORK, AdmissionQueue, is_quick


class Channel:
    """A connection with one request; its work ends when `release` is set."""

    def __init__(self, release: threading.Event, path: str = "/api/v1/image", method: str = "POST", size: int = 0) -> None:
        self.release, self.waited = release, None
        self.answer: str | None = None
        self.done = threading.Event()
        request = SimpleNamespace(path=path, command=method, body_bytes_received=size, error=None)
        request.refuse = lambda code, retry_after: setattr(request, "error", Refusal(code, None, {"Retry-After": retry_after}))
        self.requests = [request]

    def service(self) -> None:
        error = self.requests[0].error
        if error is None and self.requests[0].command == "POST":
            assert self.release.wait(30)
        self.answer = error.problem["code"] if error else "done"
        self.done.set()


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


def running(queue: AdmissionQueue, count: int) -> None:
    until = time.monotonic() + 10
    while len(queue.work.running) != count:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_other_requests_never_wait_for_models(release):
    queue = AdmissionQueue(threads=2)
    photos = [Channel(release) for _ in range(6)]
    for photo in photos:
        queue.add_task(photo)
    for method, path in (("GET", "/health"), ("GET", "/metrics"), ("GET", "/"), ("POST", "/feedback"), ("POST", "/nowhere")):
        other = Channel(threading.Event(), path, method)
        other.release.set()
        queue.add_task(other)
        assert other.done.wait(10) and other.answer == "done"
    assert not any(photo.done.is_set() for photo in photos)
    release.set()
    assert all(photo.done.wait(10) and photo.answer == "done" for photo in photos)
    queue.shutdown()


def test_requests_that_would_wait_too_long_are_refused_at_once(release):
    queue = AdmissionQueue(threads=2, max_wait=3.0)
    queue.work._rates["/api/v1/image"] = 1 / (2**19 + 2**20)  # a photo of 1 MB takes a second
    photos = [Channel(release, size=2**20) for _ in range(30)]
    for photo in photos:
        queue.add_task(photo)
    refused = [photo for photo in photos if photo.requests[0].error]
    assert 18 <= len(refused) <= 24, "two run, and about six are waited for within three seconds"
    assert all(one.done.wait(10) and one.answer == "busy" for one in refused)
    assert all(3 <= one.requests[0].error.problem["headers"]["Retry-After"] <= 6 for one in refused)
    release.set()
    assert all(photo.done.wait(10) for photo in photos)
    assert sum(photo.answer == "done" for photo in photos) == len(photos) - len(refused)
    queue.shutdown()


def test_estimates_follow_what_was_measured(release):
    queue = AdmissionQueue(threads=1)
    first = Channel(release, size=2**21)
    queue.add_task(first)
    running(queue, 1)
    time.sleep(0.2)
    release.set()
    assert first.done.wait(10)
    running(queue, 0)
    measured = queue.work._rates["/api/v1/image"] * (2**21 + 2**19)
    assert measured >= 0.2
    assert set(queue.work._rates) == {"/api/v1/image"}
    queue.shutdown()


def test_bursts_of_pages_are_not_refused(release):
    """Addresses without models share one estimate, which follows what they took: hundreds at once are answered."""
    queue = AdmissionQueue(threads=2)
    pages = [Channel(release, f"/page/{number}", "GET") for number in range(1500)]
    for number, page in enumerate(pages):
        queue.add_task(page)
        if number == 20:
            assert all(one.done.wait(10) for one in pages[:21])
    assert all(page.done.wait(10) and page.answer == "done" for page in pages)
    assert set(queue.quick._rates) == {""}
    queue.shutdown()


def test_waiting_requests_are_refused_when_the_server_ends(release):
    queue = AdmissionQueue(threads=1)
    photos = [Channel(release) for _ in range(3)]
    for photo in photos:
        queue.add_task(photo)
    running(queue, 1)
    queue.refuse_waiting("shutting_down")
    assert all(photo.done.wait(10) and photo.answer == "shutting_down" for photo in photos[1:])
    release.set()
    assert photos[0].done.wait(10) and photos[0].answer == "done"
    queue.shutdown()


def test_addresses_that_run_models_are_those_of_the_application(app):
    """Every address that takes a file or a text waits in the lane of the models; the others do not."""
    posts = {rule.rule for rule in app.url_map.iter_rules() if "POST" in rule.methods}
    assert {path for path in posts if is_quick("POST", path)} == {"/feedback", "/api/v1/feedback"}
    assert posts >= WORK and set(SETTINGS) == WORK
