"""Detect the faces of images and classify their expressions.

One JSON line for each file; in CSV and table one row for each face (one also for an image without faces).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CodedError, ModelFileError
from ..face.analyzer import FaceAnalyzer
from ..face.annotate import annotated_jpeg
from ..image.loading import open_image
from ..labels import EMOTIONS
from ..runtime.limits import Limits, set_limits
from ..sources import read_bounded
from .files import Input, OutputFolder, WriteError, expand, open_stream, unfinished_files, write_errors
from .kinds import is_picture
from .metadata import Metadata, outcome
from .output import Output, Progress, Row, complain, error_record, error_row
from .workers import ProcessDied, map_in_order

NAME, HELP = "photo", "analyze the faces of images"
LIMITS = ("file_mb", "megapixels", "decode_mb")
SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib",
    ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".avifs",
))  # fmt: skip
"""Suffixes of files that are read in folders; other files are where `is_picture` says so."""
COLUMNS = (
    "file", "id", "left", "top", "width", "height", "score", "emotion", "confidence", *EMOTIONS, "unsure", "error", "message",
    "number",
)  # fmt: skip
OUTCOME = ("width", "height", "detector", "model")
"""Entries of a JSON line that the metadata have."""
TABLE = {"file": 36, "number": 6, "emotion": 9, "confidence": 10, "unsure": 14}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated images into this folder")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="number of worker processes (default 1)")


@dataclass(frozen=True)
class Job:
    """An image to analyze in a worker process.

    Attributes:
        source: The file.
        data: Its bytes where it is standard input or a pipe, which the processes do not share.
        detector: As for `FaceAnalyzer.analyze`.
        landmarks: As for `FaceAnalyzer.analyze`.
        annotated: Path of the annotated image, None for none.
        unfinished: Folder in which `analyze` writes it, under the same name.
        views: As for `FaceAnalyzer.analyze`.
    """

    source: Input
    data: bytes | None
    detector: str
    landmarks: bool
    annotated: Path | None
    unfinished: Path | None
    views: int


def run(options: argparse.Namespace) -> int:
    """Analyze all images and return the exit code."""
    if options.processes < 1:
        complain("--processes must be at least 1")
        return 2
    FaceAnalyzer(head=options.head).check_head()  # here: what fails in a worker process would only end it
    metadata = Metadata(options)
    inputs = expand(options.files, SUFFIXES, is_picture)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    arguments = (options.head, options.limits)
    with ExitStack() as stack:
        folder = OutputFolder(options.annotate) if options.annotate else None
        unfinished = stack.enter_context(unfinished_files(folder)) if folder else None
        progress = stack.enter_context(Progress(len(inputs), "files"))
        jobs = _jobs(inputs, options, folder, unfinished)
        results = map_in_order(analyze, jobs, options.processes, init_worker, arguments)
        stack.enter_context(closing(results))  # the processes end before the folder is removed
        for done, (job, result) in enumerate(results):
            progress.clear()
            record = error_record(job.source.name, result) if isinstance(result, ProcessDied) else _completed(job, result)
            failed += "error" in record
            output.write(record, rows(record))
            metadata.add(job.source, outcome(record, OUTCOME), job.data)
            progress.show(done + 1, job.source.name)
    metadata.write()
    return 1 if failed else 0


def _jobs(
    inputs: list[Input], options: argparse.Namespace, folder: OutputFolder | None, unfinished: Path | None
) -> Iterator[Job]:
    for source in inputs:
        data = None
        if source.is_stream:
            try:
                with open_stream(source) as stream:
                    data = b"".join(read_bounded(stream))
            except (CodedError, OSError) as error:
                source = replace(source, error=error)
        annotated = folder.unused_path(source.stem, ".jpg") if folder and source.error is None else None
        yield Job(source, data, options.detector, options.landmarks, annotated, unfinished, options.views)


_analyzer: FaceAnalyzer


def init_worker(head: str, limits: Limits) -> None:
    """Prepare this process for `analyze`. Raises ModelFileError for an unknown head."""
    global _analyzer
    set_limits(limits)
    _analyzer = FaceAnalyzer(head=head)
    _analyzer.check_head()


def analyze(job: Job) -> Row:
    """Analyze an image, and write the annotated one into `Job.unfinished`; returns its JSON line. Raises ModelFileError."""
    try:
        if job.source.error:
            return error_record(job.source.name, job.source.error)
        file = job.source.path if job.data is None else job.data
        assert file is not None  # the data of standard input, which has no path, is in the job
        image = open_image(file)
        result = _analyzer.analyze(image, job.detector, job.landmarks, views=job.views)
        if job.annotated and job.unfinished:
            jpeg = annotated_jpeg(image, result)
            with write_errors(job.annotated):
                (job.unfinished / job.annotated.name).write_bytes(jpeg)
        return {"file": job.source.name, **result.to_json()}
    except ModelFileError:
        raise
    except Exception as error:  # one bad file is a row and does not end the run
        return error_record(job.source.name, error)


def _completed(job: Job, record: Row) -> Row:
    """Move the annotated image to its place and return the JSON line with its path."""
    if not (job.annotated and job.unfinished) or "error" in record:
        return record
    try:
        with write_errors(job.annotated):
            os.replace(job.unfinished / job.annotated.name, job.annotated)
    except WriteError as error:
        return error_record(job.source.name, error)
    return {**record, "annotated": str(job.annotated)}


def rows(record: Row) -> list[Row]:
    """Return a row of COLUMNS for each face of a JSON line, or a single one if there is no face or an error."""
    if "error" in record:
        return [error_row(record)]
    return [{"file": record["file"]} | flatten_face(face) for face in record["faces"]] or [{"file": record["file"]}]


def flatten_face(face: Row) -> dict[str, Any]:
    """Return the JSON object of a face with its box and probabilities as separate columns."""
    return {**face, **face["box"], **face["probabilities"]}
