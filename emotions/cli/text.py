"""Classify the emotions of texts.

One JSON line or row for each text. Every FILE is one text; with --lines every line of it is. Texts are in English and UTF-8, and
have at most 100,000 characters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from ..labels import EMOTIONS
from ..text.classifier import MAX_TEXT, TextClassifier
from .files import Input, InputError, expand
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP, FACES = "text", "classify the emotions of texts", False
SUFFIXES = frozenset((".txt", ".md", ".text"))
COLUMNS = ("file", "line", "emotion", "emotions", *EMOTIONS, "reason", "error", "message")
TABLE = {"file": 36, "line": 5, "emotion": 9, "emotions": 24, "reason": 14}
MAX_BYTES = 4 * MAX_TEXT
"""Limit for a file that is one text: a character of UTF-8 has at most four bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--lines", action="store_true", help="take every line that is not empty as a text")
    parser.add_argument("--words", action="store_true", help="with jsonl: add the contribution of each word")
    parser.add_argument("--sentences", action="store_true", help="with jsonl: add the prediction for each sentence")


def run(options: argparse.Namespace) -> int:
    """Classify all texts and return the exit code."""
    classifier = TextClassifier()
    _ = classifier.entry  # raises ModelFileError if there is no text model: that ends the run
    inputs = expand(options.files, SUFFIXES)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            for record in records(classifier, source, options):
                progress.clear()
                failed += "error" in record
                output.write(record, [row(record)])
            progress.show(done + 1, source.name)
    return 1 if failed else 0


def records(classifier: TextClassifier, source: Input, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the JSON lines of a file; a text that cannot be used is one with its error."""
    try:
        if source.error:
            raise source.error
        for line, text in texts(source, options.lines):
            where: dict[str, Any] = {"file": source.name} | ({"line": line} if options.lines else {})
            try:
                yield where | classifier.predict(text, explain=options.words, sentences=options.sentences).to_json()
            except ValueError as error:
                yield {**error_record(source.name, error), **where}
    except Exception as error:  # one bad file is a row and does not end the run
        yield error_record(source.name, error)


def texts(source: Input, lines: bool) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file with their line numbers, from 1. Raises OSError and InputError."""
    with open(source.path, "rb") if source.path else nullcontext(sys.stdin.buffer) as stream:
        if not lines:
            yield 1, decode(stream.read(MAX_BYTES + 4))
            return
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, decode(line).rstrip("\r\n")


def decode(data: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark. More than MAX_BYTES may be cut within a character: too long anyway."""
    try:
        return data.decode("utf-8-sig", "replace" if len(data) > MAX_BYTES else "strict")
    except UnicodeDecodeError:
        raise InputError("not_text", "This is not a text in UTF-8.") from None


def row(record: Row) -> dict[str, Any]:
    """Return a JSON line by COLUMNS."""
    if "error" in record:
        return {**error_row(record), **({"line": record["line"]} if "line" in record else {})}
    return {**record, **record["probabilities"], "emotions": " ".join(record["emotions"])}
