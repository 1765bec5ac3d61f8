"""Examples of the OpenAPI document: answers of this server to requests with the sample files, recorded in examples.json.

`make api-examples` records them, and a test compares them with new answers.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from .snippets import NDJSON

FILE = Path(__file__).with_name("examples.json")
SAMPLE_FILES = {
    "readImage": ("obama.jpg",),
    "readImages": ("obama.jpg", "friends.png"),
    "readVideo": ("video.mp4",),
    "readSpeech": ("speech.flac",),
}
"""Operation -> files of static/samples that its examples and code samples send, and the page /docs where none is chosen."""


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Return the recorded examples: operation -> `request` (a JSON body) and `response` (JSON, or a list for lines of NDJSON)."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def add_examples(operation: dict[str, Any]) -> None:
    """Add the recorded request and answer of an operation to its description."""
    example = recorded().get(operation.get("operationId", ""), {})
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    content = operation["responses"].get("200", {}).get("content", {})
    if "response" in example and NDJSON in content:
        content[NDJSON]["example"] = "".join(json.dumps(line) + "\n" for line in example["response"])
    elif "response" in example:
        content["application/json"]["example"] = example["response"]
