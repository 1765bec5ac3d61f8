"""OpenAPI document: valid, complete, and matched by the responses to generated requests."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from emotions.face.defaults import DEFAULT_VIEWS, REQUEST_VIEWS
from emotions.face.reliability import UNSURE_REASONS
from emotions.video.tracker_state import PROB_SCALE, Track, TrackerState
from scripts.hostile.inputs import FAMILIES
from tests import clips, sounds
from web import create_app
from web.http.problems import CATALOGUE
from web.http.uploads import OCTETS

SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]
DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def document() -> dict:
    return create_app().test_client().get("/openapi.json").json


def test_document_is_valid(document):
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_document_has_every_route(app, document):
    routes = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert routes <= described and len(routes) == 8
    for path, method in described:
        assert document["paths"][path][method]["summary"] and document["paths"][path][method]["operationId"]


def test_errors_are_problems_and_bodies_are_required(document):
    assert list(document["components"]["x-problems"]) == list(CATALOGUE)
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation.get("requestBody", {"required": True})["required"] is True
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    assert list(response["content"]) == ["application/problem+json"] and response["description"]


def test_unsure_reasons_and_explanations_are_described(document):
    schemas = document["components"]["schemas"]
    unsure = schemas["Face"]["properties"]["unsure"]
    assert unsure["anyOf"] == [{"$ref": "#/components/schemas/UnsureReason"}, {"type": "null"}]
    assert schemas["UnsureReason"]["enum"] == list(UNSURE_REASONS)
    assert all(f"`{name}`" in unsure["description"] for name in UNSURE_REASONS)
    assert "yellow" in schemas["Face"]["properties"]["explanation"]["description"]


def options_of(document: dict, path: str) -> dict[str, dict]:
    """Options of the query: name -> description."""
    return {option["name"]: option for option in document["paths"][path]["post"]["parameters"] if option["in"] == "query"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1/image", ["annotate", "landmarks", "explain"]),
        ("/api/v1/images", ["annotate", "landmarks", "explain"]),
        ("/api/v1/video", ["landmarks", "merge"]),
    ],
)
def test_booleans_are_booleans(document, path, names):
    options = options_of(document, path)
    assert [name for name, option in options.items() if option["schema"].get("type") == "boolean"] == names


@pytest.mark.parametrize("path", ["/api/v1/image", "/api/v1/images", "/api/v1/video"])
def test_options_are_described_once_and_have_no_values(document, path):
    """A default would be sent by clients as if it were chosen, and an option in two places twice."""
    options = options_of(document, path)
    (body,) = (
        content["schema"]["properties"]
        for kind, content in document["paths"][path]["post"]["requestBody"]["content"].items()
        if kind == "multipart/form-data"
    )
    assert not options.keys() & body.keys()
    for option in options.values():
        assert not option["required"] and not {"default", "example"} & (option.keys() | option["schema"].keys())
    assert options["views"]["schema"] == {"type": "integer", "enum": list(REQUEST_VIEWS)}
    assert options["views"]["description"].endswith(f"Default: `{DEFAULT_VIEWS}`.")
    assert options["detector"]["schema"] == {"$ref": "#/components/schemas/Detector"}


def test_bodies_of_files(document):
    """A form, the media types of the files, and bytes without a type."""
    kinds = {
        path: list(operations["post"]["requestBody"]["content"])
        for path, operations in document["paths"].items()
        if "requestBody" in operations.get("post", {})
    }
    for path, kind in (("image", "image/*"), ("video", "video/*"), ("speech", "audio/*")):
        assert kinds[f"/api/v1/{path}"] == ["multipart/form-data", kind, "application/octet-stream"]
    assert kinds["/api/v1/images"] == ["multipart/form-data"]


@pytest.mark.parametrize(("path", "line"), [("/api/v1/images", "ImagesLine"), ("/api/v1/video", "VideoLine")])
def test_ndjson_has_the_schema_of_its_lines(document, path, line):
    content = document["paths"][path]["post"]["responses"]["200"]["content"]["application/x-ndjson"]
    assert content["schema"] == {"$ref": f"#/components/schemas/{line}"}
    properties = document["components"]["schemas"][line]["properties"]
    for text in content["example"].splitlines():
        assert json.loads(text).keys() <= properties.keys()


def test_document_does_not_depend_on_the_host(client):
    answers = {client.get("/openapi.json", base_url=url).data for url in ("http://localhost", "https://photos.example")}
    assert len(answers) == 1 and b"localhost" not in answers.pop()


ONE = TrackerState(
    60_000, 8, (Track(7, (50_000, 20_000, 9_000, 11_000), (-4, 90), 67, (0, 0, 0, PROB_SCALE, 0, 0, 0), bytes(range(48))),)
)


def images() -> list[bytes]:
    return [path.read_bytes() for path in DATA.glob("*.jpg")]


def videos() -> list[bytes]:
    return [clips.clip(clips.still_frames(2)), clips.clip(clips.still_frames(3), "webm", "libvpx")]


def recordings() -> list[bytes]:
    voice = sounds.voice_like(2.0)
    return [sounds.encoded(voice), sounds.encoded(voice, "flac", "flac"), (DATA / "buzz.flac").read_bytes()]


@schemathesis.serializer("audio/*", "video/*")  # of raw bodies it knows images, texts and JSON
def raw_bytes(_: object, body: object) -> object:
    return body


schemathesis.openapi.media_type("audio/*", strategies.sampled_from(recordings()))
schemathesis.openapi.media_type("video/*", strategies.sampled_from(videos()))
schemathesis.openapi.media_type("image/*", strategies.sampled_from(images()))
schemathesis.openapi.media_type(OCTETS, strategies.sampled_from(images()))
schemathesis.openapi.format("binary", strategies.sampled_from(images()))
schemathesis.openapi.format("emotion-tracks", strategies.sampled_from(["", TrackerState(5, 1).dumps(), ONE.dumps()]))


UNTYPED = {"/api/v1/image": images()[0], "/api/v1/video": videos()[0], "/api/v1/speech": recordings()[0]}
"""Address -> a file to send as application/octet-stream."""


REJECTED = ["4xx"]
"""Statuses of a refused request: one that violates the schema may first be too large (413) or of a wrong media type (415)."""


@pytest.fixture(scope="module")
def described(app):
    config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REJECTED}}})
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)


OPERATIONS = [
    ("POST", "/api/v1/image", GenerationMode.POSITIVE),
    ("POST", "/api/v1/image", GenerationMode.NEGATIVE),
    ("POST", "/api/v1/images", GenerationMode.POSITIVE),
    ("POST", "/api/v1/images", GenerationMode.NEGATIVE),
    ("POST", "/api/v1/video", GenerationMode.POSITIVE),
    ("POST", "/api/v1/video", GenerationMode.NEGATIVE),
    ("POST", "/api/v1/speech", GenerationMode.POSITIVE),
    ("POST", "/api/v1/speech", GenerationMode.NEGATIVE),
    ("POST", "/api/v1/feedback", GenerationMode.POSITIVE),
    ("POST", "/api/v1/feedback", GenerationMode.NEGATIVE),
    ("POST", "/api/v1/text", GenerationMode.POSITIVE),
    ("POST", "/api/v1/text", GenerationMode.NEGATIVE),
    ("GET", "/api/v1/models", GenerationMode.POSITIVE),  # these take no input that could be invalid
    ("GET", "/api/v1/style", GenerationMode.POSITIVE),
    ("GET", "/health", GenerationMode.POSITIVE),
]


def test_every_operation_is_tried(document):
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert described == {(method, path) for method, path, _ in OPERATIONS}


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
@pytest.mark.slow
def test_responses_match_the_document(described, method, path, mode):
    """Responses have a described status, media type, headers and body; valid requests succeed, invalid ones fail."""
    operation = described[path][method]
    tried = set()

    @hypothesis.settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def check(case):
        hypothesis.assume(mode is GenerationMode.POSITIVE or not has_short_list(case))
        # A form carries text alone: once encoded, a value of a wrong type may be valid. Invalid options have tests of their own.
        encoded = case.media_type == "multipart/form-data"
        tried.add(case.media_type)
        excluded = [negative_data_rejection] if encoded else []
        if path == "/api/v1/images":  # the files of a list are encoded without a name, as texts
            excluded.append(positive_data_acceptance)
        if case.media_type == OCTETS and mode is GenerationMode.POSITIVE:
            case.body = UNTYPED[path]  # what is valid depends on the address
        for options in (case.query, case.body):  # the part has to lie within the clip
            if path == "/api/v1/video" and mode is GenerationMode.POSITIVE and isinstance(options, dict):
                options.update({name: value for name, value in (("start", 0.1), ("end", 1.5)) if name in options})
        case.call_and_validate(excluded_checks=excluded)

    check()
    if mode is GenerationMode.POSITIVE:
        assert tried >= {body.media_type for body in operation.body}


RAW = {
    "/api/v1/image": FAMILIES["image"],
    "/api/v1/video": FAMILIES["video"],
    "/api/v1/speech": FAMILIES["sound"],
    "/api/v1/text": FAMILIES["text"],
    "/api/v1/feedback": FAMILIES["text"],
}
"""Address -> functions that make hostile bodies of its media type."""


@pytest.mark.parametrize("path", RAW)
def test_raw_bodies_get_described_responses(described, path):
    """Whatever the bytes of a body: a described status, media type, headers and fields, and no failure of the server."""
    operation = described[path]["POST"]
    kinds = [body.media_type for body in operation.body]
    hostile = strategies.builds(
        lambda family, number: family(Random(number)), strategies.sampled_from(RAW[path]), strategies.integers()
    )

    @hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)
    @hypothesis.given(strategies.sampled_from(kinds), strategies.binary(max_size=2000) | hostile)
    def check(kind, body):
        case = operation.Case(body=body, media_type=kind)
        case.call_and_validate(excluded_checks=[negative_data_rejection, positive_data_acceptance])

    check()


def has_short_list(case: schemathesis.Case) -> bool:
    """Return True for a form with a list of at most one value: encoded, it is that value or nothing, and may be valid."""
    values = case.body.values() if case.media_type == "multipart/form-data" and isinstance(case.body, dict) else ()
    return any(isinstance(value, list) and len(value) < 2 for value in values)


def test_page_says_where_a_key_is_needed(client):
    closed = create_app({"API_KEYS": ("0" * 64,)}).test_client()
    assert "your key" not in client.get("/docs").text and "entered your key under “Authorize”" in closed.get("/docs").text
