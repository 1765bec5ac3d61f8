"""Examples and code samples of the OpenAPI document: the examples are what the server answers, and the samples run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts.common.serving import local_server
from scripts.docs.api_examples import record
from web import create_app
from web.api.openapi.examples import recorded
from web.api.openapi.snippets import BASE_URL, NDJSON

SAMPLES = Path(__file__).resolve().parents[3] / "static" / "samples"
DOCUMENT = create_app().test_client().get("/openapi.json").json
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yield where two answers differ by more than another processor may cause; times are not compared."""
    if where.endswith("timing_ms"):
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() ^ found.keys():
            yield f"{where}.{key}"
        for key in expected.keys() & found.keys():
            yield from differences(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif isinstance(expected, int | float) and isinstance(found, int | float) and not isinstance(expected, bool):
        if abs(expected - found) > max(0.02, 0.02 * abs(expected)):
            yield f"{where}: {expected} is now {found}"
    elif expected != found:
        yield f"{where}: {expected!r} is now {found!r}"


def test_examples_are_what_the_server_answers():
    """`make api-examples` records them again."""
    assert list(differences(recorded(), record())) == []


def test_differences_are_found():
    old = {"faces": [{"box": {"left": 208}, "emotion": "happy"}], "timing_ms": {"decode": 1}}
    new = {"faces": [{"box": {"left": 220}, "emotion": "sad"}], "timing_ms": {"decode": 9}}
    assert sorted(differences(old, new)) == [".faces[0].box.left: 208 is now 220", ".faces[0].emotion: 'happy' is now 'sad'"]
    assert list(differences(old, {**old, "more": 1})) == [".more"]


def examples() -> list[tuple[str, dict, Any]]:
    """Operation, schema and value of every example."""
    found = []
    for name, operation in OPERATIONS.items():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for kind, content in (item for body in bodies for item in body.get("content", {}).items()):
            if "example" in content:
                lines = content["example"].splitlines() if kind == NDJSON else [json.dumps(content["example"])]
                found += [(name, content["schema"], json.loads(line)) for line in lines]
    return found


def test_examples_match_their_schemas():
    found = examples()
    assert {name for name, _, _ in found} == set(OPERATIONS)
    for name, schema, value in found:
        errors = Draft202012Validator({**schema, "components": DOCUMENT["components"]}).iter_errors(value)
        assert [error.message for error in errors] == [], name


def test_every_operation_has_samples():
    for operation in OPERATIONS.values():
        assert [sample["label"] for sample in operation["x-codeSamples"]] == ["curl", "Python", "JavaScript"]
        assert all(sample["source"].count(BASE_URL) == 1 for sample in operation["x-codeSamples"])


@pytest.fixture(scope="module")
def server(app) -> Iterator[str]:
    with local_server(app) as address:
        yield address


@pytest.mark.parametrize("label", ["curl", "Python", "JavaScript"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_run(server, tmp_path, name, label):
    (source,) = (sample["source"] for sample in OPERATIONS[name]["x-codeSamples"] if sample["label"] == label)
    program = tmp_path / "sample.mjs"
    program.write_text(source.replace(BASE_URL, server), encoding="utf-8")
    command = {
        "curl": ["sh", "-e", program],
        "Python": [sys.executable, program],
        "JavaScript": ["node", program],
    }[label]
    needed = {"curl": "curl", "Python": "sh", "JavaScript": "node"}[label]
    if not shutil.which(needed):
        pytest.skip(f"{needed} is not on this machine")
    done = subprocess.run(command, cwd=SAMPLES, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    check_output(name, label, done.stdout)


def check_output(name: str, label: str, output: str) -> None:
    """Compare what a sample printed with the recorded example."""
    example = recorded().get(name, {}).get("response")
    if example is None:
        assert output.strip() == ("" if label == "curl" else "204")
    elif label == "curl":
        lines = [json.loads(line) for line in output.splitlines()] if isinstance(example, list) else [json.loads(output)]
        first, expected = lines[0], example[0] if isinstance(example, list) else example
        assert first.keys() == expected.keys()
    else:
        expected = example[0] if isinstance(example, list) else example
        assert all(key in output for key in expected)
