"""A photo's file -> its row as the command line writes it, and the flat rows of Parquet, one a face."""

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
from emotions.image.loading import MAX_FILE, open_image
from emotions.labels import EMOTIONS
from emotions.runtime.memory import MB

PATIENCE = 10
"""How often a photo is tried for which there was no memory: as `busy` says, the same file may pass later."""


def row_of(file: str, analyzer: FaceAnalyzer, detector: str = "auto") -> dict[str, Any]:
    """The row of a photo, or that of its failure: {"file", "error": {"code", "message"}}.

    Times are left out: they differ from run to run, all else does not. Raises ModelFileError alone: no file can be read then.
    """
    try:
        body = _read(file, analyzer, detector)
    except ModelFileError:
        raise
    except Exception as error:  # a bad file is a row, never the end of the run
        return dict(error_record(file, error))
    del body["timing_ms"]
    return {"file": file, **body}


def line_of(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def flat(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the Parquet table, one a face; a photo without faces has one whose face is null."""
    photo = {"file": row["file"], "width": row["width"], "height": row["height"], "faces": len(row["faces"])}
    photo |= {"detector": row["detector"], "model": row["model"]["name"], "version": row["model"]["version"]}
    for face in row["faces"] or [None]:
        if face is None:
            yield photo
            continue
        box = {name: face["box"][name] for name in ("left", "top")}
        box |= {f"box_{name}": face["box"][name] for name in ("width", "height")}
        rest = {name: face[name] for name in ("score", "emotion", "confidence", "drawn", "unsure")}
        yield photo | {"face": face["id"]} | box | rest | face["probabilities"]


COLUMNS: dict[str, str] = {
    "file": "string", "width": "int32", "height": "int32", "faces": "int32", "detector": "string", "model": "string",
    "version": "string", "face": "int32", "left": "int32", "top": "int32", "box_width": "int32", "box_height": "int32",
    "score": "float32", "emotion": "string", "confidence": "float32", "drawn": "float32", "unsure": "string",
    **dict.fromkeys(EMOTIONS, "float32"),
}  # fmt: skip
"""The Parquet table's columns and their Arrow types."""


def _read(file: str, analyzer: FaceAnalyzer, detector: str) -> dict[str, Any]:
    for left in reversed(range(PATIENCE)):
        try:
            picture = open_image(_source(file))
            return analyzer.analyze(picture, detector).to_json()
        except ImageError as error:
            if error.code != "busy" or not left:
                raise
    raise AssertionError("the last try returns or raises")


def _source(file: str) -> Path | bytes:
    """What `open_image` takes: a local file's path, or the bytes of one elsewhere, which are fetched only within the limit."""
    if FileSystems.get_scheme(file) is None:
        return Path(file)
    with FileSystems.open(file, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        data = stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ImageError("file_too_large", f"This file has more than {MAX_FILE // MB} MB, which is the limit.")
    return data
