"""GET /metrics: off by default; what is counted, in the text format of Prometheus."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from web import create_app
from web.http.metrics import Metrics
from web.http.problems import CATALOGUE
from web.server.queue import AdmissionQueue

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def measured():
    return create_app({"METRICS": True})


@pytest.fixture
def client(measured, monkeypatch):
    """Client of the app, whose counts start from zero."""
    monkeypatch.setitem(measured.extensions, "metrics", Metrics(measured.extensions["analyzer"].registry))
    return measured.test_client()


@pytest.fixture
def figures(client) -> Callable:
    """Return name and labels -> value, of the samples whose name begins with `start`."""

    def read(start: str = "emotions_") -> dict[tuple, float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for sample in samples
            if sample.name.startswith(start) and not sample.name.endswith("_created")
        }

    return read


def requests(figures: Callable) -> dict[tuple[str, str, str], float]:
    """Return (endpoint, method, status) -> number."""
    found = figures("emotions_requests_total")
    return {tuple(value for _, value in labels): number for (_, *labels), number in found.items()}


def test_it_is_off_by_default(app):
    response = app.test_client().get("/metrics")
    assert response.status_code == 404 and json.loads(response.data)["code"] == "not_found"
    assert app.extensions["metrics"] is None


def test_the_library_is_imported_only_where_metrics_are_on():
    code = "import os, sys; os.environ['METRICS'] = '{}'; import main; print('prometheus_client' in sys.modules)"
    run = [[sys.executable, "-c", code.format(switch)] for switch in (0, 1)]
    assert [subprocess.check_output(one, cwd=ROOT, text=True, timeout=60) for one in run] == ["False\n", "True\n"]


def test_format(client):
    response = client.get("/metrics")
    assert response.status_code == 200 and response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE emotions_request_seconds histogram" in response.text and "# EOF" not in response.text


def test_requests_are_counted_by_endpoint_method_and_status(client, figures, photo):
    client.post("/api/v1/image", data=photo, content_type="image/jpeg")
    client.post("/api/v1/image", data=b"words", content_type="image/jpeg")
    client.get("/health")
    client.get("/static/css/app.css").close()
    client.get("/")
    client.get("/")
    assert requests(figures) == {
        ("/api/v1/image", "POST", "200"): 1,
        ("/api/v1/image", "POST", "422"): 1,
        ("/health", "GET", "200"): 1,
        ("/static/<path:filename>", "GET", "200"): 1,
        ("/", "GET", "200"): 2,
    }
    seconds = figures("emotions_request_seconds_count")
    assert seconds["emotions_request_seconds_count", ("endpoint", "/api/v1/image")] == 2
    assert seconds["emotions_request_seconds_count", ("endpoint", "/static/<path:filename>")] == 1
    assert seconds["emotions_request_seconds_count", ("endpoint", "/metrics")] == 1


def test_labels_do_not_grow_with_what_clients_send(client, figures):
    for number in range(50):
        client.get(f"/nowhere/{number}?{number}=1")
        client.open("/health", method=f"METHOD{number}")
        client.get(f"/static/{number}")
    labels = requests(figures)
    assert labels["other", "GET", "404"] == 50 and labels["other", "other", "405"] == 50
    assert labels["/static/<path:filename>", "GET", "404"] == 50 and len(labels) == 3


def test_stages_are_those_of_server_timing(client, figures, photo):
    response = client.post("/api/v1/image?annotate=1&tracks=", data=photo, content_type="image/jpeg")
    timing = {part.partition(";")[0]: float(part.partition("dur=")[2]) for part in response.headers["Server-Timing"].split(", ")}
    sums = figures("emotions_stage_seconds_sum")
    assert {labels[1][1]: pytest.approx(1e3 * value, abs=0.02) for labels, value in sums.items()} == timing
    assert set(timing) == {"decode", "detect", "classify", "follow", "annotate"}
    client.get("/health", environ_overrides={"emotions.waited": 0.3})
    assert figures("emotions_stage_seconds_sum")["emotions_stage_seconds_sum", ("stage", "queue")] == pytest.approx(0.3)


def test_faces_are_counted_by_detector(client, figures, photo):
    for detector in ("auto", "haar", "haar"):
        client.post("/api/v1/image?detector=" + detector, data=photo, content_type="image/jpeg")
    faces = figures("emotions_faces_total")
    assert faces["emotions_faces_total", ("detector", "blazeface")] == 1
    assert faces["emotions_faces_total", ("detector", "haar")] == 2


def test_problems_are_counted_by_code(client, figures):
    client.get("/nowhere")
    client.post("/api/v1/image")
    problems = figures("emotions_problems_total")
    assert problems == {
        ("emotions_problems_total", ("code", "not_found")): 1, ("emotions_problems_total", ("code", "no_file")): 1,
    }  # fmt: skip


def test_problems_outside_of_the_catalogue_share_a_label(client, figures, measured):
    measured.extensions["metrics"].count_problem("i_m_a_teapot")
    assert "i_m_a_teapot" not in CATALOGUE
    assert figures("emotions_problems_total") == {("emotions_problems_total", ("code", "other")): 1}


def test_files_of_a_set_are_counted(client, figures, photo):
    files = [(BytesIO(photo), "a.jpg"), (BytesIO(b"words"), "b.jpg"), (BytesIO(photo), "c.jpg")]
    with client.post("/api/v1/images?annotate=1", data={"file": files}) as response:
        assert ("emotions_request_seconds_count", ("endpoint", "/api/v1/images")) not in figures(), "it is still answered"
        assert len(response.text.splitlines()) == 3
    found = figures()
    assert found["emotions_request_seconds_count", ("endpoint", "/api/v1/images")] == 1
    assert found["emotions_faces_total", ("detector", "blazeface")] == 2
    assert found["emotions_problems_total", ("code", "not_an_image")] == 1
    assert {found["emotions_stage_seconds_count", ("stage", name)] for name in ("decode", "detect", "annotate")} == {2}


def test_memory_queue_and_models(client, figures, measured):
    registry = measured.extensions["analyzer"].registry
    models = figures("emotions_model_info")
    entry = registry.entry("expression-head", "mixed")
    labels = {"role": entry.role, "name": entry.name, "version": entry.version, "set": registry.fingerprint}
    assert models["emotions_model_info", *sorted(labels.items())] == 1 and len(models) == len(registry.entries())
    assert figures("process_resident")["process_resident_memory_bytes",] > 10e6
    queue = AdmissionQueue(threads=1)
    measured.extensions["metrics"].watch_queue(queue)
    queue.work.waiting.extend([None, None])  # type: ignore[list-item]  # its thread sleeps until it is notified
    assert figures("emotions_queue_waiting") == {
        ("emotions_queue_waiting", ("lane", "quick")): 0, ("emotions_queue_waiting", ("lane", "work")): 2,
    }  # fmt: skip
    queue.work.waiting.clear()
    queue.shutdown()


def test_threads_lose_no_counts(client, figures, measured):
    threads = [threading.Thread(target=lambda: [measured.test_client().get("/health") for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert requests(figures)["/health", "GET", "200"] == 200


def test_no_personal_data(client, photo):
    headers = {"User-Agent": "someone in particular", "X-Forwarded-For": "203.0.113.9", "X-Request-Id": "my-request-id"}
    form = {"file": (BytesIO(photo), "my-holiday.jpg")}
    client.post("/api/v1/image?views=1", data=form, headers=headers)
    text = client.get("/metrics").text
    assert not any(word in text for word in ("particular", "203.0.113.9", "my-request-id", "my-holiday", "127.0.0.1"))


def test_running_server_shows_its_queue():
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "main:app"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=ROOT, env={"METRICS": "1"}, **quiet)
    try:
        text = get_when_started(port, server)
    finally:
        server.terminate()
        server.wait(30)
    assert 'emotions_queue_waiting{lane="work"} 0.0' in text
    assert float(re.search(r'emotions_queue_running{lane="quick"} (.*)', text)[1]) >= 1, "this request runs"


def get_when_started(port: int, server: subprocess.Popen) -> str:
    for _ in range(200):
        assert server.poll() is None, "the server stopped while starting"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
