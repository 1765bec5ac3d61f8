"""Read the faces of pictures: a JSON line a file, a CSV or table row a face (a picture without faces is a row too)."""

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
from .files import Folder, Input, expand, whole
from .output import Output, Progress, Row, error_record, error_row
from .workers import ProcessDied, in_order

NAME, HELP = "photo", "read the faces of pictures"
ENDINGS = frozenset((
    ".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".avif",
))  # fmt: skip
COLUMNS = (
    "file", "id", "left", "top", "width", "height", "score", "emotion", "confidence", *EMOTIONS, "unsure", "error", "message",
)  # fmt: skip
TABLE = {"file": 36, "id": 3, "emotion": 9, "confidence": 10, "unsure": 14}


def describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated pictures into this folder")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="read with so many processes (default 1)")


@dataclass(frozen=True)
class Job:
    """A picture to read, its options, and where the annotated one goes."""

    source: Input
    data: bytes | None
    detector: str
    landmarks: bool
    annotated: Path | None


def run(options: argparse.Namespace) -> int:
    """Read all pictures; gives the exit code."""
    if options.processes < 1:
        print("emotions photo: --processes must be at least 1", file=sys.stderr)
        return 2
    inputs = expand(options.files, ENDINGS)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    start = (options.head, options.decode_mb)
    with Progress(len(inputs), "files") as progress:
        results = in_order(read, _jobs(inputs, options), options.processes, begin, start)
        for done, (job, result) in enumerate(results):
            progress.clear()
            record = error_record(job.source.name, result) if isinstance(result, ProcessDied) else result
            failed += "error" in record
            output.write(record, rows(record))
            progress.show(done + 1, job.source.name)
    return 1 if failed else 0


def _jobs(inputs: list[Input], options: argparse.Namespace) -> Iterator[Job]:
    folder = Folder(options.annotate) if options.annotate else None
    for source in inputs:
        data = sys.stdin.buffer.read(MAX_FILE + 1) if source.path is None and source.error is None else None
        annotated = folder.free(source.stem, ".jpg") if folder and source.error is None else None
        yield Job(source, data, options.detector, options.landmarks, annotated)


_analyzer: FaceAnalyzer


def begin(head: str, decode_mb: int) -> None:
    """Make this process ready to read."""
    global _analyzer
    set_decode_budget(decode_mb)
    _analyzer = FaceAnalyzer(head=head)
    _analyzer.check_head()


def read(job: Job) -> Row:
    """The JSON line of a picture."""
    try:
        if job.source.error:
            return error_record(job.source.name, job.source.error)
        file = job.source.path if job.data is None else job.data
        assert file is not None  # an input without a path is read from standard input
        picture = open_image(file)
        result = _analyzer.analyze(picture, job.detector, job.landmarks)
        record = {"file": job.source.name, **result.to_json()}
        if job.annotated:
            with whole(job.annotated) as temporary:
                temporary.write_bytes(annotated_jpeg(picture, result))
            record["annotated"] = str(job.annotated)
        return record
    except Exception as error:  # a bad file is a row, never the end of the run
        return error_record(job.source.name, error)


def rows(record: Row) -> list[Row]:
    """A row of COLUMNS for each face of a JSON line; one where there is none, with the error if there is one."""
    if "error" in record:
        return [error_row(record)]
    return [{"file": record["file"]} | flat(face) for face in record["faces"]] or [{"file": record["file"]}]


def flat(face: Row) -> dict[str, Any]:
    """A face's JSON with box and probabilities as columns of their own."""
    return {**face, **face["box"], **face["probabilities"]}
