"""Classify the emotion of voices in recordings.

One JSON line for each file with all its segments; in CSV and table one row for each file, or with --segments for each segment.
A recording without speech (silence, music) is a row with a reason.
"""

from __future__ import annotations

import argparse
import sys

from ..image.loading import MAX_FILE
from ..labels import EMOTIONS
from ..speech.classifier import SpeechClassifier
from .files import Input, expand
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP = "speech", "classify the emotion of voices in recordings"
SUFFIXES = frozenset((".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".webm", ".weba", ".mka"))
COLUMNS = ("file", "start", "end", "emotion", "confidence", *EMOTIONS, "reason", "partial", "error", "message")
TABLE = {"file": 36, "start": 8, "end": 8, "emotion": 9, "confidence": 10, "reason": 11}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--segments", action="store_true", help="with csv and table: one row for each segment of a recording")


def run(options: argparse.Namespace) -> int:
    """Analyze all recordings, one after the other, and return the exit code."""
    classifier = SpeechClassifier()
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    inputs = expand(options.files, SUFFIXES)
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            record = analyze(classifier, source)
            progress.clear()
            failed += "error" in record
            output.write(record, rows(record, options.segments))
            progress.show(done + 1, source.name)
    return 1 if failed else 0


def analyze(classifier: SpeechClassifier, source: Input) -> Row:
    """Analyze a recording and return its JSON line."""
    try:
        if source.error:
            return error_record(source.name, source.error)
        data = source.path if source.path is not None else sys.stdin.buffer.read(MAX_FILE + 1)
        return {"file": source.name, **classifier.predict(data).to_json()}
    except Exception as error:  # one bad file is a row and does not end the run
        return error_record(source.name, error)


def rows(record: Row, segments: bool) -> list[Row]:
    """Return a row of COLUMNS for the recording, or one for each of its segments."""
    if "error" in record:
        return [error_row(record)]
    recording = {"start": 0.0, "end": record["seconds"], **record}
    parts = record["segments"] if segments and record["segments"] else [recording]
    return [{"file": record["file"], "partial": record["partial"], **part, **part["probabilities"]} for part in parts]
