"""Detect the faces of images and classify their expressions.

One JSON line for each file; in CSV and table one row for each face (one also for an image without faces).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..face.analyzer import FaceAnalyzer
from ..face.annotate import annotated_jpeg
from ..image.loading import MAX_FILE, open_image
from ..labels import EMOTIONS
from ..runtime.memory import set_decode_budget
from .files import Input, OutputFolder, atomic_write, expand
from .output import Output, Progress, Row, error_record, error_row
from .workers import ProcessDied, map_in_order

NAME, HELP = "photo", "analyze the faces of images"
SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".avif",
))  # fmt: skip
COLUMNS = (
    "file", "id", "left", "top", "width", "height", "score", "emotion", "confidence", *EMOTIONS, "unsure", "error", "message",
)  # fmt: skip
TABLE = {"file": 36, "id": 3, "emotion": 9, "confidence": 10, "unsure": 14}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated images into this folder")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="number of worker processes (default 1)")


@dataclass(frozen=True)
class Job:
    """An image to analyze in a worker process.

    Attributes:
        source: The file.
        data: Its bytes where it is standard input.
        detector: As for `FaceAnalyzer.analyze`.
        landmarks: As for `FaceAnalyzer.analyze`.
        annotated: Path of the annotated image to write, None for none.
        views: As for `FaceAnalyzer.analyze`.
    """

    source: Input
    data: bytes | None
    detector: str
    landmarks: bool
    annotated: Path | None
    views: int


def run(options: argparse.Namespace) -> int:
    """Analyze all images and return the exit code."""
    if options.processes < 1:
        print("emotions photo: --processes must be at least 1", file=sys.stderr)
        return 2
    inputs = expand(options.files, SUFFIXES)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    arguments = (options.head, options.decode_mb)
    with Progress(len(inputs), "files") as progress:
        results = map_in_order(analyze, _jobs(inputs, options), options.processes, init_worker, arguments)
        for done, (job, result) in enumerate(results):
            progress.clear()
            record = error_record(job.source.name, result) if isinstance(result, ProcessDied) else result
            failed += "error" in record
            output.write(record, rows(record))
            progress.show(done + 1, job.source.name)
    return 1 if failed else 0


def _jobs(inputs: list[Input], options: argparse.Namespace) -> Iterator[Job]:
    folder = OutputFolder(options.annotate) if options.annotate else None
    for source in inputs:
        data = sys.stdin.buffer.read(MAX_FILE + 1) if source.path is None and source.error is None else None
        annotated = folder.unused_path(source.stem, ".jpg") if folder and source.error is None else None
        yield Job(source, data, options.detector, options.landmarks, annotated, options.views)


_analyzer: FaceAnalyzer


def init_worker(head: str, decode_mb: int) -> None:
    """Prepare this process for `analyze`. Raises ModelFileError for an unknown head."""
    global _analyzer
    set_decode_budget(decode_mb)
    _analyzer = FaceAnalyzer(head=head)
    _analyzer.check_head()


def analyze(job: Job) -> Row:
    """Analyze an image and return its JSON line."""
    try:
        if job.source.error:
            return error_record(job.source.name, job.source.error)
        file = job.source.path if job.data is None else job.data
        assert file is not None  # the data of standard input, which has no path, is in the job
        image = open_image(file)
        result = _analyzer.analyze(image, job.detector, job.landmarks, views=job.views)
        record = {"file": job.source.name, **result.to_json()}
        if job.annotated:
            with atomic_write(job.annotated) as temporary:
                temporary.write_bytes(annotated_jpeg(image, result))
            record["annotated"] = str(job.annotated)
        return record
    except Exception as error:  # one bad file is a row and does not end the run
        return error_record(job.source.name, error)


def rows(record: Row) -> list[Row]:
    """Return a row of COLUMNS for each face of a JSON line, or a single one if there is no face or an error."""
    if "error" in record:
        return [error_row(record)]
    return [{"file": record["file"]} | flatten_face(face) for face in record["faces"]] or [{"file": record["file"]}]


def flatten_face(face: Row) -> dict[str, Any]:
    """Return the JSON object of a face with its box and probabilities as separate columns."""
    return {**face, **face["box"], **face["probabilities"]}
