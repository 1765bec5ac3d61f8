"""Record the examples of the OpenAPI document: answers of this server to requests with the files of static/samples.

    python -m scripts.docs.api_examples            # writes web/api/openapi/examples.json

Run it after a change of the models or of the samples; a test compares the file with new answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from web import create_app
from web.api.openapi.examples import FILE, SAMPLE_FILES
from web.api.openapi.snippets import NDJSON

SAMPLES = Path(__file__).resolve().parents[2] / "static" / "samples"
REQUESTS: dict[str, Any] = {
    "readText": {"text": "I love it, thank you so much!"},
    "sendFeedback": {"shown": "happy", "said": "surprise", "confidence": 0.93, "model": "vgg16/mixed 2.2.0"},
}
"""Operation -> JSON body of the example."""
MAX_LINES, MAX_ENTRIES = 2, 2
"""Lines of NDJSON before the last one, and entries of the list of models; longer examples would hide the rest of the page."""


def record() -> dict[str, dict[str, Any]]:
    """Return the examples of all operations, by the models that are served by default."""
    app = create_app()
    client = app.test_client()
    examples: dict[str, dict[str, Any]] = {}
    for path, method, operation in operations(json.loads(client.get("/openapi.json").data)):
        name = operation["operationId"]
        examples[name] = {"request": REQUESTS[name]} if name in REQUESTS else {}
        response = answer(client, path, method, name)
        if response is not None:
            examples[name]["response"] = response
    return {name: example for name, example in examples.items() if example}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and description of each operation."""
    for path, described in document["paths"].items():
        for method, operation in described.items():
            yield path, method, operation


def answer(client: FlaskClient, path: str, method: str, name: str) -> Any:
    """Return the answer to a request without options; None if it is empty. Raises RuntimeError for a problem."""
    if name in SAMPLE_FILES:
        files = [(BytesIO((SAMPLES / file).read_bytes()), file) for file in SAMPLE_FILES[name]]
        response = client.open(path, method=method, data={"file": files})
    else:
        response = client.open(path, method=method, json=REQUESTS.get(name))
    if response.status_code >= 300:
        raise RuntimeError(f"{method.upper()} {path}: {response.status} {response.text}")
    if response.mimetype == NDJSON:
        lines = [json.loads(line) for line in response.text.splitlines()]
        return lines if len(lines) <= MAX_LINES + 1 else [*lines[:MAX_LINES], lines[-1]]
    body: Any = json.loads(response.data) if response.data else None
    return body | {"models": body["models"][:MAX_ENTRIES]} if name == "listModels" else body


def main() -> None:
    FILE.write_text(json.dumps(record(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
