"""Classify the emotion of voices in recordings.

One JSON line for each file with all its segments; in CSV and table one row for each file, or with --segments for each segment.
A recording without speech (silence, music) is a row with a reason.
"""

from __future__ import annotations

import argparse

from ..errors import ModelFileError
from ..labels import EMOTIONS
from ..speech.classifier import SpeechClassifier
from .files import Input, expand, open_stream
from .kinds import is_sound
from .metadata import Metadata, outcome
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP = "speech", "classify the emotion of voices in recordings"
LIMITS = ("file_mb", "sound_seconds", "decode_mb")
SUFFIXES = frozenset((
    ".wav", ".wave", ".flac", ".mp3", ".mp2", ".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".spx", ".webm", ".weba", ".mka",
    ".aif", ".aiff", ".aifc", ".amr", ".awb", ".3ga", ".caf", ".au", ".snd", ".w64", ".wma", ".ac3", ".dts", ".ape", ".gsm",
    ".tta", ".voc", ".wv",
))  # fmt: skip
"""Suffixes of files that are read in folders; other files, films among them, are where `is_sound` says so."""
COLUMNS = ("file", "start", "end", "emotion", "confidence", *EMOTIONS, "reason", "partial", "error", "message")
OUTCOME = ("seconds", "partial", "reason", "model")
"""Entries of a JSON line that the metadata have."""
TABLE = {"file": 36, "start": 8, "end": 8, "emotion": 9, "confidence": 10, "reason": 11}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--segments", action="store_true", help="with csv and table: one row for each segment of a recording")


def run(options: argparse.Namespace) -> int:
    """Analyze all recordings, one after the other, and return the exit code."""
    classifier = SpeechClassifier()
    metadata = Metadata(options)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    inputs = expand(options.files, SUFFIXES, is_sound)
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            record = analyze(classifier, source)
            progress.clear()
            failed += "error" in record
            output.write(record, rows(record, options.segments))
            metadata.add(source, outcome(record, OUTCOME))
            progress.show(done + 1, source.name)
    metadata.write()
    return 1 if failed else 0


def analyze(classifier: SpeechClassifier, source: Input) -> Row:
    """Analyze a recording and return its JSON line."""
    try:
        if source.error:
            return error_record(source.name, source.error)
        if source.path is not None:
            return {"file": source.name, **classifier.predict(source.path).to_json()}
        with open_stream(source) as stream:
            return {"file": source.name, **classifier.predict(stream).to_json()}
    except ModelFileError:
        raise
    except Exception as error:  # one bad file is a row and does not end the run
        return error_record(source.name, error)


def rows(record: Row, segments: bool) -> list[Row]:
    """Return a row of COLUMNS for the recording, or one for each of its segments."""
    if "error" in record:
        return [error_row(record)]
    recording = {"start": 0.0, "end": record["seconds"], **record}
    parts = record["segments"] if segments and record["segments"] else [recording]
    return [{"file": record["file"], "partial": record["partial"], **part, **part["probabilities"]} for part in parts]
