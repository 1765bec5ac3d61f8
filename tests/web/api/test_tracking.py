"""Face tracking through requests: `tracks` of a response is sent with the next frame."""

from __future__ import annotations

import json
from io import BytesIO

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from PIL import Image

from emotions import EMOTIONS
from emotions.video.tracker_state import DESCRIPTOR_BYTES, MAX_BYTES, MAX_TRACKS


def without_times(response) -> dict:
    assert response.status_code == 200, response.text
    body = json.loads(response.data)
    del body["timing_ms"]
    return body


def code(response) -> tuple[int, str]:
    assert response.mimetype == "application/problem+json"
    return response.status_code, json.loads(response.data)["code"]


def side_by_side(*photos: tuple[bytes, float]) -> bytes:
    """Make a frame of square photos side by side, each scaled by its factor."""
    scene = Image.new("RGB", (400 * len(photos), 400), "gray")
    for number, (photo, size) in enumerate(photos):
        image = Image.open(BytesIO(photo)).convert("RGB").resize((round(400 * size), round(400 * size)))
        scene.paste(image.crop((0, 0, min(400, image.width), min(400, image.height))), (400 * number, 0))
    stream = BytesIO()
    scene.save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def obama() -> bytes:
    with Image.open("static/samples/obama.jpg") as image:
        stream = BytesIO()
        image.crop((56, 0, 456, 400)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture
def tracks(post, photo) -> str:
    """Tracker state of one face."""
    return without_times(post(photo, tracks=""))["tracks"]


def test_tracking_only_adds_fields(post, photo):
    plain = without_times(post(photo))
    response = post(photo, tracks="")
    followed = without_times(response)
    [face] = followed["faces"]
    assert face.pop("raw") == face["probabilities"], "no smoothing in the first frame"
    assert len(followed.pop("tracks")) <= MAX_BYTES and followed == plain
    assert "follow;dur=" in response.headers["Server-Timing"] and json.loads(response.data)["timing_ms"]["follow"] > 0


def test_time_without_tracks_has_no_effect(post, photo):
    assert without_times(post(photo, time="12.5")) == without_times(post(photo))


def test_ids_persist_when_the_order_of_sizes_changes(post, photo, obama):
    """Faces are sorted by size, so that without tracking their ids would swap."""
    with Image.open(BytesIO(photo)) as image:
        stream = BytesIO()
        image.convert("RGB").crop((90, 0, 310, 220)).save(stream, "JPEG")
    face = stream.getvalue()
    first = without_times(post(side_by_side((face, 0.8), (obama, 1.0)), tracks="", time="1"))
    second = without_times(post(side_by_side((face, 1.0), (obama, 0.8)), tracks=first["tracks"], time="1.3"))

    def places(body: dict) -> dict[int, str]:
        return {face["id"]: "left" if face["box"]["left"] < 400 else "right" for face in body["faces"]}

    assert [face["id"] for face in first["faces"]] == [0, 1] and [face["id"] for face in second["faces"]] == [1, 0]
    assert places(first) == places(second) == {0: "right", 1: "left"}


def test_probabilities_are_smoothed_and_raw_ones_kept(post, photo, obama):
    with Image.open(BytesIO(obama)) as image:  # the lower half is covered to change the prediction
        array = np.asarray(image.convert("RGB")).copy()
    array[150:230, 140:260] = array[100, 200]
    stream = BytesIO()
    Image.fromarray(array).save(stream, "JPEG")
    first = without_times(post(obama, tracks="", time="0"))
    second = without_times(post(stream.getvalue(), tracks=first["tracks"], time="0.1"))
    (before,), (after,) = first["faces"], second["faces"]
    assert after["id"] == before["id"] and max(abs(after["raw"][name] - before["raw"][name]) for name in EMOTIONS) > 0.05
    for name in EMOTIONS:
        low, high = sorted((before["probabilities"][name], after["raw"][name]))
        assert low - 0.001 <= after["probabilities"][name] <= high + 0.001
    assert after["confidence"] == max(after["probabilities"].values()) == after["probabilities"][after["emotion"]]


def test_annotated_image_shows_smoothed_predictions(post, photo, tracks):
    plain, followed = (without_times(post(photo, annotate="1", **fields))["image"] for fields in ({}, {"tracks": tracks}))
    assert plain == followed, "the same image twice gives the same probabilities"


def test_tracks_in_query_and_form_are_equivalent(client, post, photo, tracks):
    query = {"tracks": tracks, "time": "0.2"}
    raw = client.post("/api/v1/image", query_string=query, data=photo, content_type="image/jpeg")
    assert without_times(raw) == without_times(post(photo, **query))


def test_pose_of_a_rotated_image(post, photo):
    upright = without_times(post(photo, landmarks="1"))["faces"][0]["pose"]
    for degrees in (-30, 20):
        stream = BytesIO()
        Image.open(BytesIO(photo)).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor="white").save(stream, "JPEG")
        pose = without_times(post(stream.getvalue(), landmarks="1"))["faces"][0]["pose"]
        assert pose["roll"] == pytest.approx(upright["roll"] + degrees, abs=4)
        assert pose["yaw"] == pytest.approx(upright["yaw"], abs=6)
    assert all(value == round(value, 1) for value in upright.values())
    assert "pose" not in without_times(post(photo))["faces"][0]


@pytest.mark.parametrize("time", ["", "now", "nan", "inf", "-1", "1e10", "1e999", "1_0", " 1", "0x1", "١", "null", "true"])
def test_invalid_times(post, photo, time):
    response = post(photo, tracks="", time=time)
    assert code(response) == (400, "invalid_option") and "from 0 to 1,000,000,000" in json.loads(response.data)["errors"]["time"]


@pytest.mark.parametrize("time", ["0", "-0.0", "1e9", "1E-300", "999999999.9999", "3"])
def test_valid_times(post, photo, tracks, time):
    assert len(without_times(post(photo, tracks=tracks, time=time))["faces"]) == 1


PROBABILITIES = 8  # index of the probabilities, after id, box (4), velocity (2) and age; the appearance follows


def changed(text: str, **members: object) -> str:
    return json.dumps(json.loads(text) | members)


def with_row(tracks: str, place: int, value: object) -> str:
    body = json.loads(tracks)
    body["tracks"][0][place] = value
    return json.dumps(body)


MALFORMED = {
    "no JSON": lambda tracks: tracks[:-1],
    "a bare word": lambda _: "tracks",
    "a space": lambda _: " ",
    "null": lambda _: "null",
    "a list": lambda _: "[]",
    "an object": lambda _: "{}",
    "a number": lambda _: "1" * 8000,
    "deep": lambda _: "[" * 8000,
    "deep object": lambda _: '{"a":' * 1600,
    "deep member": lambda tracks: tracks.replace("[[", "[" * 4000),
    "too long": lambda tracks: tracks + " " * MAX_BYTES,
    "zero byte": lambda tracks: tracks + "\0",
    "next version": lambda tracks: changed(tracks, version=2),
    "version true": lambda tracks: changed(tracks, version=True),
    "version text": lambda tracks: changed(tracks, version="1"),
    "member too many": lambda tracks: changed(tracks, more=1),
    "member missing": lambda tracks: tracks.replace('"next":1,', ""),
    "clock missing": lambda tracks: changed(tracks, clock=None),
    "clock out of range": lambda tracks: changed(tracks, clock=10**13),
    "clock NaN": lambda tracks: changed(tracks, clock=float("nan")),
    "next huge": lambda tracks: changed(tracks, next=2**63),
    "next many digits": lambda tracks: tracks.replace('"next":1', '"next":' + "9" * 5000),
    "next negative": lambda tracks: changed(tracks, next=-1),
    "no list": lambda tracks: changed(tracks, tracks={}),
    "rows of text": lambda tracks: changed(tracks, tracks=["x"]),
    "empty rows": lambda tracks: changed(tracks, tracks=[[]] * 40),
    "thousands": lambda tracks: changed(tracks, tracks=[0] * 2500),
    "one too many": lambda tracks: changed(tracks, tracks=[[0]] * (MAX_TRACKS + 1)),
    "same id twice": lambda tracks: changed(tracks, tracks=json.loads(tracks)["tracks"] * 2),
    "id not given yet": lambda tracks: with_row(tracks, 0, 1),
    "id negative": lambda tracks: with_row(tracks, 0, -1),
    "id 2^63": lambda tracks: changed(with_row(tracks, 0, 2**63), next=2**63 + 1),
    "position NaN": lambda tracks: with_row(tracks, 1, float("nan")),
    "position infinite": lambda tracks: with_row(tracks, 2, float("inf")),
    "position fraction": lambda tracks: with_row(tracks, 1, 0.5),
    "position out of range": lambda tracks: with_row(tracks, 1, 10**7),
    "width 0": lambda tracks: with_row(tracks, 3, 0),
    "height negative": lambda tracks: with_row(tracks, 4, -5),
    "velocity out of range": lambda tracks: with_row(tracks, 5, 299_792_458),
    "velocity true": lambda tracks: with_row(tracks, 6, True),
    "age negative": lambda tracks: with_row(tracks, 7, -1),
    "age out of range": lambda tracks: with_row(tracks, 7, 10**9),
    "probability over 1": lambda tracks: with_row(tracks, PROBABILITIES, 10**5 + 1),
    "probability null": lambda tracks: with_row(tracks, PROBABILITIES, None),
    "sum not 1": lambda tracks: with_row(tracks, PROBABILITIES, 50_000),
    "appearance a number": lambda tracks: with_row(tracks, -1, 5),
    "appearance short": lambda tracks: with_row(tracks, -1, "AAAA"),
    "appearance long": lambda tracks: with_row(tracks, -1, "A" * 4 * DESCRIPTOR_BYTES),
    "appearance no base64": lambda tracks: with_row(tracks, -1, "*" * 64),
    "appearance not ASCII": lambda tracks: with_row(tracks, -1, "ä" * 64),
    "surrogates": lambda tracks: with_row(tracks, -1, "\ud800" * 64),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_tracks(post, photo, tracks, name):
    response = post(photo, tracks=MALFORMED[name](tracks))
    assert code(response) == (400, "invalid_tracks")
    assert len(response.data) < 1000, "the input is not echoed"


@pytest.mark.parametrize("spelling", ["%ff%fe", "%00", "%ed%a0%80", "%c3%28"])
def test_tracks_of_invalid_encoding_in_query(client, photo, spelling):
    response = client.post("/api/v1/image?tracks=" + spelling, data=photo, content_type="image/jpeg")
    assert code(response) == (400, "invalid_tracks")


def test_tracks_of_invalid_encoding_in_form(client, photo):
    body = b'--x\r\nContent-Disposition: form-data; name="tracks"\r\n\r\n\xff\xfe\x00\x80\r\n--x\r\n'
    body += b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + photo + b"\r\n--x--\r\n"
    response = client.post("/api/v1/image", data=body, content_type="multipart/form-data; boundary=x")
    assert code(response) == (400, "invalid_tracks")


def test_duplicate_tracks(post, photo, tracks):
    assert code(post(photo, "?tracks=&tracks=")) == (400, "invalid_option")


def test_oversized_tracks_are_rejected_before_decoding(post):
    assert code(post(b"no picture", tracks="x" * 100_000)) == (400, "invalid_tracks")


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(max_size=70),
    lambda inner: strategies.lists(inner, max_size=18) | strategies.dictionaries(strategies.text(max_size=8), inner, max_size=4),
    max_leaves=60,
)


@pytest.mark.slow
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    value=JSON, place=strategies.integers(0, 16), member=strategies.sampled_from(["clock", "next", "tracks", "row"])
)
def test_arbitrary_tracks_are_accepted_or_rejected(app, value, place, member):
    """There is no server error, and accepted tracks lead to tracks that are accepted again."""
    stream = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(stream, "PNG")
    good = [0, 50_000, 50_000, 9_000, 11_000, 0, 0, 0, 0, 0, 0, 100_000, 0, 0, 0, "A" * 64]
    body = {"version": 1, "clock": 5000, "next": 3, "tracks": [good]}
    if member == "row":
        good[place % len(good)] = value
    else:
        body[member] = value

    def post(tracks: str):
        data = {"file": (BytesIO(stream.getvalue()), "a.png"), "tracks": tracks}
        return app.test_client().post("/api/v1/image?detector=none", data=data)

    response = post(json.dumps(body))
    if response.status_code != 200:
        assert code(response) == (400, "invalid_tracks")
    else:
        again = response.json["tracks"]
        assert len(again) <= MAX_BYTES and post(again).status_code == 200
