"""Read the voices of recordings: a JSON line a file with all its pieces, or (CSV, table) a row a file; --segments gives a row a
piece. A recording in which nothing can be told (silence, music) is a row with a reason.
"""

from __future__ import annotations

import argparse
import sys

from ..image.loading import MAX_FILE
from ..labels import EMOTIONS
from ..speech.classifier import SpeechClassifier
from .files import Input, expand
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP = "speech", "read the voices of recordings"
ENDINGS = frozenset((".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".webm", ".weba", ".mka"))
COLUMNS = ("file", "start", "end", "emotion", "confidence", *EMOTIONS, "reason", "partial", "error", "message")
TABLE = {"file": 36, "start": 8, "end": 8, "emotion": 9, "confidence": 10, "reason": 11}


def describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--segments", action="store_true", help="with csv and table: a row for each piece of a recording")


def run(options: argparse.Namespace) -> int:
    """Read all recordings, one after the other; gives the exit code."""
    reader = SpeechClassifier()
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    inputs = expand(options.files, ENDINGS)
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            record = read(reader, source)
            progress.clear()
            failed += "error" in record
            output.write(record, rows(record, options.segments))
            progress.show(done + 1, source.name)
    return 1 if failed else 0


def read(reader: SpeechClassifier, source: Input) -> Row:
    """The JSON line of a recording."""
    try:
        if source.error:
            return error_record(source.name, source.error)
        data = source.path if source.path is not None else sys.stdin.buffer.read(MAX_FILE + 1)
        return {"file": source.name, **reader.predict(data).to_json()}
    except Exception as error:  # a bad file is a row, never the end of the run
        return error_record(source.name, error)


def rows(record: Row, segments: bool) -> list[Row]:
    """A row of COLUMNS for the recording, or for each of its pieces."""
    if "error" in record:
        return [error_row(record)]
    whole = {"start": 0.0, "end": record["seconds"], **record}
    pieces = record["segments"] if segments and record["segments"] else [whole]
    return [{"file": record["file"], "partial": record["partial"], **piece, **piece["probabilities"]} for piece in pieces]
