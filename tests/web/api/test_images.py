"""POST /api/v1/images with the real models: many pictures, each with its result or its error."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from emotions.runtime.memory import _budget as decoding
from emotions.runtime.time_budget import active_budget
from web.api.video import MAX_CONCURRENT
from web.http.uploads import MAX_FILES, MAX_NAME

ADDRESS = "/api/v1/images"


def encoded_image(color: str = "teal", kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), color).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def send(client) -> Callable:
    """Post these files (bytes, or name and bytes) with the query and further fields."""

    def send(*files: bytes | tuple[str, bytes], query: str = "", environ: dict | None = None, **fields: str):
        named = [file if isinstance(file, tuple) else (f"{number}.jpg", file) for number, file in enumerate(files)]
        form = {"file": [(BytesIO(data), name) for name, data in named], **fields}
        return client.post(ADDRESS + query, data=form, buffered=False, environ_overrides=environ or {})

    return send


def lines(response) -> list[dict]:
    assert response.status_code == 200 and response.mimetype == "application/x-ndjson", response.text
    with response:
        assert response.text.endswith("\n")
        return [json.loads(line) for line in response.text.splitlines()]


def code(response) -> tuple[int, str]:
    assert response.mimetype == "application/problem+json"
    return response.status_code, json.loads(response.data)["code"]


def codes(response) -> list[str | None]:
    """Code of the error of each line; None for a result."""
    return [line.get("error", {}).get("code") for line in lines(response)]


def released(app) -> bool:
    return decoding.used == 0 and app.extensions["video_slots"]._value == MAX_CONCURRENT


def test_line_for_each_file_in_the_order_sent(app, send, post, photo):
    files = [("b.jpg", photo), ("a.png", encoded_image()), ("c.txt", b"words"), ("b.jpg", photo), ("empty.jpg", b"")]
    response = send(*files)
    rows = lines(response)
    assert [(row["index"], row["name"]) for row in rows] == [(index, name) for index, (name, _) in enumerate(files)]
    assert [list(row)[2] for row in rows] == ["result", "result", "error", "result", "error"]
    assert len(rows[0]["result"]["faces"]) == 1 and rows[1]["result"]["faces"] == []
    single = json.loads(post(photo).data)
    for row in (rows[0], rows[3]):
        assert set(row["result"].pop("timing_ms")) == set(single["timing_ms"])
    del single["timing_ms"]
    assert rows[0]["result"] == rows[3]["result"] == single
    assert released(app)


def test_errors_are_the_problems_of_a_single_image(send, post, photo):
    files = [b"words", b"", encoded_image(kind="PPM"), photo[:2000]]
    response = send(*files)
    for row, file in zip(lines(response), files, strict=True):
        single = json.loads(post(file).data)
        assert row["error"].pop("request_id") == response.headers["X-Request-Id"]
        del single["request_id"]
        assert row["error"] == single


@pytest.mark.parametrize("place", ["query", "form"])
def test_options_hold_for_all_files(send, photo, place):
    options = {"annotate": "true", "landmarks": "1", "detector": "haar", "views": "2"}
    query = "?" + "&".join(f"{name}={value}" for name, value in options.items()) if place == "query" else ""
    for row in lines(send(photo, photo, query=query, **({} if query else options))):
        result = row["result"]
        assert result["image"].startswith("data:image/jpeg;base64,") and result["detector"] == "haar" and result["views"] == 2
        assert len(result["faces"][0]["landmarks"]) == 468


@pytest.mark.parametrize(
    ("query", "fields", "expected"),
    [
        ("?annotate=maybe", {}, "invalid_option"),
        ("?views=1", {"views": "2"}, "invalid_option"),
        ("?tracks=", {}, "unknown_option"),
        ("", {"time": "1"}, "unknown_option"),
    ],
)
def test_options_that_are_refused(app, send, photo, query, fields, expected):
    assert code(send(photo, query=query, **fields)) == (400, expected)
    assert released(app)


def test_most_files_of_a_request(send):
    assert codes(send(*[encoded_image()] * MAX_FILES, views="1")) == [None] * MAX_FILES


@pytest.mark.parametrize("count", [MAX_FILES + 1, 200])
def test_too_many_files(app, send, count):
    response = send(*[b"x"] * count)
    assert code(response) == (400, "too_many_files") and str(MAX_FILES) in json.loads(response.data)["detail"]
    assert released(app)


def test_files_without_a_name_are_counted(client):
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\nwords\r\n'
    for count, expected in ((MAX_FILES, 200), (MAX_FILES + 1, 400)):
        with client.post(ADDRESS, data=part * count + b"--x--\r\n", content_type="multipart/form-data; boundary=x") as response:
            assert response.status_code == expected
            assert expected == 400 or [json.loads(line)["name"] for line in response.text.splitlines()] == [""] * count


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "no_file")),
        ({"file": "text"}, (400, "no_file")),
        ({"file": (BytesIO(), "")}, (400, "no_file")),
        ({"file": (BytesIO(b"x"), "a.jpg"), "photo": (BytesIO(b"x"), "b.jpg")}, (400, "wrong_field")),
        ({f"field{number}": "x" for number in range(MAX_FILES + 30)}, (413, "body_too_large")),
    ],
)
def test_invalid_forms(client, form, expected):
    assert code(client.post(ADDRESS, data=form, content_type="multipart/form-data")) == expected


def test_long_texts(client):
    part = b'--x\r\nContent-Disposition: form-data; name="annotate"\r\n\r\n' + b"x" * 600_000 + b"\r\n--x--\r\n"
    assert code(client.post(ADDRESS, data=part, content_type="multipart/form-data; boundary=x")) == (413, "body_too_large")


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "application/json"])
def test_bodies_that_are_no_form(client, photo, kind):
    assert code(client.post(ADDRESS, data=photo, content_type=kind)) == (415, "unsupported_media_type")


def test_long_names_are_cut(send):
    (row,) = lines(send(("n" * 1000 + ".png", encoded_image())))
    assert row["name"] == "n" * MAX_NAME


def test_files_are_read_one_after_the_other_while_the_answer_is_sent(app, send, monkeypatch):
    analyze, calls = app.extensions["analyzer"].analyze, []
    monkeypatch.setattr(app.extensions["analyzer"], "analyze", lambda *a, **k: calls.append(1) or analyze(*a, **k))
    with send(*[encoded_image()] * 4) as response:
        rows = response.iter_encoded()
        for number in range(4):
            assert json.loads(next(rows))["index"] == number and len(calls) == number + 1
    assert released(app)


@pytest.fixture
def charges(app, monkeypatch) -> list[float]:
    """Seconds to charge for the next analyses; each must run in a budget of its own."""
    analyze, seconds = app.extensions["analyzer"].analyze, []

    def charged(*arguments, **options):
        active_budget().charge(seconds.pop(0))
        return analyze(*arguments, **options)

    monkeypatch.setattr(app.extensions["analyzer"], "analyze", charged)
    return seconds


def test_a_picture_that_takes_too_long_does_not_end_the_others(app, send, charges):
    charges[:] = [0, app.config["PHOTO_SECONDS"] + 0.1, 0]
    assert codes(send(*[encoded_image()] * 3)) == [None, "too_much_work", None]


def test_the_time_of_a_request_is_bounded(app, send, charges):
    """Pictures that each stay within their own limit may not take more than IMAGES_SECONDS together."""
    charges[:] = [15, 5, 15]
    response = send(*[encoded_image()] * 3, b"words", encoded_image())
    assert app.config["IMAGES_SECONDS"] == 25
    rows = lines(response)
    assert [row.get("error", {}).get("code") for row in rows] == [None, None, "too_much_work", "too_much_work", "too_much_work"]
    assert "25 seconds" in rows[-1]["error"]["detail"] and charges == [] and released(app)


def test_a_failure_of_the_server_is_the_error_of_its_file(app, send, monkeypatch, capsys):
    analyze, left = app.extensions["analyzer"].analyze, [1]

    def failing(*arguments, **options):
        if left:
            left.pop()
            raise RuntimeError("secret message")
        return analyze(*arguments, **options)

    monkeypatch.setattr(app.extensions["analyzer"], "analyze", failing)
    response = send(encoded_image(), encoded_image())
    first, second = lines(response)
    assert first["error"]["code"] == "internal_error" and "secret" not in json.dumps(first) and "result" in second
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (trouble,) = [line for line in logged if "secret message" in line.get("stack_trace", "")]
    assert trouble["request_id"] == response.headers["X-Request-Id"] and released(app)


def test_nothing_is_analyzed_for_a_client_that_has_gone(app, send, monkeypatch):
    gone = []
    with send(*[encoded_image()] * 5, environ={"waitress.client_disconnected": lambda: bool(gone)}) as response:
        rows = response.iter_encoded()
        assert json.loads(next(rows))["index"] == 0
        monkeypatch.setattr(app.extensions["analyzer"], "analyze", None)  # a call would be an error line
        gone.append(True)
        assert list(rows) == []
    assert released(app)


def test_work_ends_in_the_middle_of_a_picture_when_the_client_goes(app, send, monkeypatch):
    gone, analyze = [], app.extensions["analyzer"].analyze

    def leave(*arguments, **options):
        gone.append(True)
        return analyze(*arguments, **options)

    monkeypatch.setattr(app.extensions["analyzer"], "analyze", leave)
    with send(*[encoded_image()] * 5, environ={"waitress.client_disconnected": lambda: bool(gone)}) as response:
        assert response.data == b"" and len(gone) == 1
    assert released(app)


def test_end_of_the_server_is_said_for_the_files_that_are_left(app, send):
    with send(*[encoded_image()] * 3) as response:
        rows = response.iter_encoded()
        assert "result" in json.loads(next(rows))
        app.extensions["stopping"].set()
        try:
            left = [json.loads(row) for row in rows]
        finally:
            app.extensions["stopping"].clear()
    assert [row["error"]["code"] for row in left] == ["shutting_down"] * 2 and released(app)


def test_an_answer_that_nobody_reads_releases_everything(app, send):
    send(encoded_image(), encoded_image()).close()
    assert released(app)


def test_sets_of_pictures_count_as_videos(app, client, send, photo):
    held = [send(encoded_image()) for _ in range(MAX_CONCURRENT)]
    response = send(encoded_image())
    assert code(response) == (503, "busy") and response.headers["Retry-After"] == "5"
    for one in held:
        one.close()
    assert codes(send(encoded_image())) == [None] and released(app)


def test_log_line_has_no_names(send, capsys):
    with send(("my-holiday.png", encoded_image()), ("x.png", b"words")):
        (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["files"] == 2 and "my-holiday" not in json.dumps(line)


def test_documented_lines_have_the_fields_of_real_ones(send, photo):
    page = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    shown = [json.loads(line) for line in page.splitlines() if line.startswith('{"index":')]
    real = lines(send(photo, b"words"))
    assert [list(row) for row in shown] == [list(row) for row in real]
    assert set(shown[0]["result"]) < set(real[0]["result"]) and set(shown[1]["error"]) < set(real[1]["error"])
    assert shown[1]["error"]["code"] == real[1]["error"]["code"] == "not_an_image"
