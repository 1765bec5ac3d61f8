"""Rows of the results: one JSON line for each photo, as the command line writes it, or one Parquet row for each face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from emotions.cli.output import error_record
from emotions.errors import ImageError, ModelFileError
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.defaults import DEFAULT_VIEWS
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from emotions.sources import read_bounded

MAX_ATTEMPTS = 10
"""Attempts to analyze a photo while memory is short (error code `busy`)."""


def row_of(file: str, analyzer: FaceAnalyzer, detector: str = "auto", views: int = DEFAULT_VIEWS) -> dict[str, Any]:
    """Analyze a photo; return its row, or {"file", "error": {"code", "message"}} if that fails.

    Timings are left out, so that reruns give the same bytes. Raises ModelFileError only.
    """
    try:
        body = _analyze(file, analyzer, detector, views)
    except ModelFileError:
        raise
    except Exception as error:  # a bad file is an error row and must not end the run
        return dict(error_record(file, error))
    del body["timing_ms"]
    return {"file": file, **body}


def json_line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def flatten(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the Parquet table, one for each face; a photo without faces has one row without a face."""
    photo = {"file": row["file"], "width": row["width"], "height": row["height"], "faces": len(row["faces"])}
    photo |= {"detector": row["detector"], "views": row["views"]}
    photo |= {"model": row["model"]["name"], "version": row["model"]["version"]}
    for face in row["faces"] or [None]:
        if face is None:
            yield photo
            continue
        box = {name: face["box"][name] for name in ("left", "top")}
        box |= {f"box_{name}": face["box"][name] for name in ("width", "height")}
        rest = {name: face[name] for name in ("score", "emotion", "confidence", "drawn", "unsure")}
        yield photo | {"face": face["id"]} | box | rest | face["probabilities"]


COLUMNS: dict[str, str] = {
    "file": "string", "width": "int32", "height": "int32", "faces": "int32", "detector": "string", "views": "int32",
    "model": "string", "version": "string", "face": "int32", "left": "int32", "top": "int32", "box_width": "int32",
    "box_height": "int32", "score": "float32", "emotion": "string", "confidence": "float32", "drawn": "float32",
    "unsure": "string", **dict.fromkeys(EMOTIONS, "float32"),
}  # fmt: skip
"""Columns of the Parquet table and their Arrow types."""


def _analyze(file: str, analyzer: FaceAnalyzer, detector: str, views: int) -> dict[str, Any]:
    for attempts_left in reversed(range(MAX_ATTEMPTS)):
        try:
            image = open_image(_source(file))
            return analyzer.analyze(image, detector, views=views).to_json()
        except ImageError as error:
            if error.code != "busy" or not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def _source(file: str) -> Path | bytes:
    """Path of a local file, or the bytes of another one, which is fetched only up to the size limit."""
    if FileSystems.get_scheme(file) is None:
        return Path(file)
    with FileSystems.open(file, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        return b"".join(read_bounded(stream))
