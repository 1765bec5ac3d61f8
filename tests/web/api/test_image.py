"""POST /api/v1/image with the real models."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotions import EMOTIONS
from emotions.face.defaults import DEFAULT_VIEWS

LONG_TEXT = b'--x\r\nContent-Disposition: form-data; name="annotate"\r\n\r\n' + b"x" * 600_000 + b"\r\n--x--\r\n"


def answer(response) -> dict:
    assert response.status_code == 200, response.text
    return json.loads(response.data)


def code(response) -> tuple[int, str]:
    assert response.mimetype == "application/problem+json"
    return response.status_code, json.loads(response.data)["code"]


def without_times(response) -> dict:
    body = answer(response)
    del body["timing_ms"]
    return body


def encoded_image(width: int = 64, height: int = 64, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, kind)
    return buffer.getvalue()


def test_face_is_detected_and_classified(post, photo):
    body = answer(post(photo))
    assert list(body) == ["width", "height", "faces", "detector", "views", "model", "timing_ms"]
    (face,) = body["faces"]
    assert list(face) == ["id", "number", "box", "score", "emotion", "confidence", "probabilities", "drawn", "unsure"]
    assert list(face["probabilities"]) == list(EMOTIONS)
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=0.001)
    assert face["emotion"] == "happy", "the portrait smiles"


def test_no_face_is_no_error(post):
    assert answer(post(encoded_image()))["faces"] == []


def test_whole_image_as_one_face(post):
    (face,) = answer(post(encoded_image(), detector="none"))["faces"]
    assert face["box"] == {"left": 0, "top": 0, "width": 64, "height": 64} and face["score"] is None


@pytest.mark.parametrize("detector", ["auto", "blazeface", "haar", "none"])
def test_every_detector(post, photo, detector):
    body = answer(post(photo, detector=detector))
    assert len(body["faces"]) == 1
    assert body["detector"] == ("blazeface" if detector == "auto" else detector)


def test_raw_body_and_form_are_equivalent(client, post, photo):
    raw = client.post("/api/v1/image?landmarks=1", data=photo, content_type="image/jpeg")
    assert without_times(raw) == without_times(post(photo, landmarks="1"))


def test_options_in_query_and_form_are_equivalent(post, photo):
    asked = without_times(post(photo, "?landmarks=true&detector=haar"))
    assert asked == without_times(post(photo, landmarks="true", detector="haar"))


def test_landmarks(post, photo):
    (face,) = answer(post(photo, landmarks="true"))["faces"]
    assert np.shape(face["landmarks"]) == (468, 2)


@pytest.mark.parametrize("value", ["true", "1"])
def test_explanation(post, photo, value):
    response = post(photo, explain=value)
    body = answer(response)
    head, _, data = body["faces"][0]["explanation"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(data, validate=True))) as image:
        assert image.size == (240, 240) and np.ptp(np.asarray(image).astype(int).mean(axis=2)) > 60
    assert body["timing_ms"]["explain"] > 0 and "explain;dur=" in response.headers["Server-Timing"]


@pytest.mark.parametrize("fields", [{}, {"explain": "false"}, {"explain": "0"}])
def test_no_explanation_by_default(post, photo, fields):
    response = post(photo, **fields)
    body = answer(response)
    assert "explanation" not in body["faces"][0] and "explain" not in body["timing_ms"]
    assert "explain" not in response.headers["Server-Timing"]


def test_views(post, photo):
    one, two = (answer(post(photo, views=views)) for views in ("1", "2"))
    assert (one["views"], two["views"]) == (1, 2) and without_times(post(photo))["views"] == DEFAULT_VIEWS
    assert one["faces"][0]["box"] == two["faces"][0]["box"]
    assert one["faces"][0]["probabilities"] != two["faces"][0]["probabilities"]
    assert without_times(post(photo, "?views=2")) == without_times(post(photo, views="2"))
    tracked = answer(post(photo, views="2", tracks=""))
    assert tracked["faces"][0]["raw"] == two["faces"][0]["probabilities"] and tracked["views"] == 2


@pytest.mark.parametrize("value", ["", "0", "3", "10", "-1", "2.0", " 2", "true", "\u0662"])
def test_other_numbers_of_views_are_invalid(post, photo, value):
    response = post(photo, views=value)
    assert code(response) == (400, "invalid_option")
    assert json.loads(response.data)["errors"] == {"views": "Must be 1 or 2."}
    assert code(post(photo, f"?views={value}")) == (400, "invalid_option")


@pytest.mark.parametrize("value", ["true", "1"])
def test_annotated_image(post, photo, value):
    head, _, data = answer(post(photo, annotate=value))["image"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(data, validate=True))) as image:
        assert image.size == (400, 400)


@pytest.mark.parametrize("value", ["false", "0"])
def test_no_annotated_image_by_default(post, photo, value):
    assert "image" not in answer(post(photo, annotate=value))


@pytest.mark.parametrize("value", ["", "yes", "True", "FALSE", "on", "2", " true", "null"])
@pytest.mark.parametrize("option", ["annotate", "landmarks", "explain"])
def test_booleans_are_strict(post, photo, option, value):
    response = post(photo, **{option: value})
    assert code(response) == (400, "invalid_option")
    assert json.loads(response.data)["errors"] == {option: "Must be true, false, 1 or 0."}


@pytest.mark.parametrize("query", ["detector=dlib", "detector=", "detector=AUTO", "annotate=1&annotate=1", "annotate=maybe"])
def test_invalid_options(post, photo, query):
    assert code(post(photo, "?" + query)) == (400, "invalid_option")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("annotate=false", {"annotate": "true"}),
        ("annotate=false&views=1", {"annotate": "false", "views": "2"}),
        ("detector=auto", {"detector": "haar"}),
        ("tracks=", {"tracks": '{"version":1,"clock":5,"next":1,"tracks":[]}'}),
        ("tracks=&time=1", {"time": "1.5"}),
    ],
)
def test_an_option_with_different_values_in_query_and_form_is_invalid(post, photo, query, fields):
    response = post(photo, "?" + query, **fields)
    assert code(response) == (400, "invalid_option")
    problem = json.loads(response.data)
    ((name, message),) = problem["errors"].items()
    assert name == list(fields)[-1] and "query" in message and "form" in message and problem["detail"] == f"{name}: {message}"


def test_equal_values_in_query_and_form_are_accepted(post, photo):
    assert "image" in answer(post(photo, "?annotate=1&detector=auto&tracks=&time=1.0", annotate="true", tracks="", time="1"))


def test_an_invalid_value_in_the_query_is_an_error_beside_a_valid_one_in_the_form(post, photo):
    assert code(post(photo, "?annotate=maybe", annotate="true")) == (400, "invalid_option")


@pytest.mark.parametrize(
    ("query", "fields"), [("?anotate=true", {}), ("", {"url": "http://127.0.0.1/x.jpg"}), ("?file=/etc/passwd", {})]
)
def test_unknown_options(post, photo, query, fields):
    response = post(photo, query, **fields)
    assert code(response) == (400, "unknown_option")
    assert "annotate, detector, landmarks" in json.loads(response.data)["detail"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "no_file")),
        ({"file": "text"}, (400, "no_file")),
        ({"file": (BytesIO(), "")}, (400, "no_file")),
        ({"photo": (BytesIO(b"x"), "a.jpg")}, (400, "wrong_field")),
        ({"file": [(BytesIO(b"x"), "a.jpg"), (BytesIO(b"y"), "b.jpg")]}, (400, "too_many_files")),
        ({"file": (BytesIO(b"x"), "a.jpg"), "second": (BytesIO(b"y"), "b.jpg")}, (400, "too_many_files")),
        ({"file": (BytesIO(), "a.jpg")}, (422, "empty_file")),
        ({"file": (BytesIO(b"text, not an image"), "a.jpg")}, (422, "not_an_image")),
        ({"file": (BytesIO(encoded_image(kind="JPEG")[:-200]), "a.jpg")}, (422, "truncated_image")),
        ({"file": (BytesIO(encoded_image(kind="PPM")), "a.jpg")}, (415, "unsupported_image")),
        ({f"field{number}": "x" for number in range(30)}, (413, "body_too_large")),
    ],
)
def test_invalid_forms(client, form, expected):
    response = client.post("/api/v1/image", data=form, content_type="multipart/form-data")
    assert code(response) == expected


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b"", None, (400, "no_file")),
        (b"", "image/png", (422, "empty_file")),
        (b"words", "application/octet-stream", (422, "not_an_image")),
        (encoded_image(), "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b"{}", "application/json", (415, "unsupported_media_type")),
        (encoded_image(), None, (415, "unsupported_media_type")),
        (b"no boundary", "multipart/form-data", (400, "no_file")),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", (400, "no_file")),
        (LONG_TEXT, "multipart/form-data; boundary=x", (413, "body_too_large")),
    ],
)
def test_invalid_bodies(client, data, kind, expected):
    assert code(client.post("/api/v1/image", data=data, content_type=kind)) == expected


def test_over_32_mb(client):
    response = client.post("/api/v1/image", data=bytes(32 * 2**20 + 1), content_type="image/jpeg")
    assert code(response) == (413, "file_too_large")
    assert "32 MB" in json.loads(response.data)["detail"]


def test_concurrent_requests_give_the_same_results(app, photo):
    with Image.open(BytesIO(photo)) as image:
        turned = [image.rotate(angle, fillcolor="white") for angle in (0, 8, -8, 15)]
    photos = []
    for image in turned:
        buffer = BytesIO()
        image.save(buffer, "JPEG")
        photos.append(buffer.getvalue())

    def read(data: bytes) -> dict:
        return without_times(app.test_client().post("/api/v1/image?landmarks=1", data=data, content_type="image/jpeg"))

    alone = [read(data) for data in photos]
    assert all(body["faces"] for body in alone) and alone[0] != alone[1]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read, photos * 10))
    assert together == alone * 10
