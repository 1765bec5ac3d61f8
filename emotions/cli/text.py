"""Read the emotions of texts: a JSON line or row a text. Every FILE is one text; with --lines every line of it is.

Texts are in English and UTF-8, and have at most 100,000 characters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from ..labels import EMOTIONS
from ..text.classifier import MAX_TEXT, TextClassifier
from .files import Input, InputError, expand
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP, FACES = "text", "read the emotions of texts", False
ENDINGS = frozenset((".txt", ".md", ".text"))
COLUMNS = ("file", "line", "emotion", "emotions", *EMOTIONS, "reason", "error", "message")
TABLE = {"file": 36, "line": 5, "emotion": 9, "emotions": 24, "reason": 14}
MOST_BYTES = 4 * MAX_TEXT
"""Of a file that is one text: UTF-8 has at most four bytes a character."""


def describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lines", action="store_true", help="every line of a file that is not empty is a text")
    parser.add_argument("--words", action="store_true", help="with jsonl: also how much each word carried the answer")
    parser.add_argument("--sentences", action="store_true", help="with jsonl: also the answer for each sentence")


def run(options: argparse.Namespace) -> int:
    """Read all texts; gives the exit code."""
    model = TextClassifier()
    model.entry  # noqa: B018 - models that lack a text model shall end the run, not fail every file
    inputs = expand(options.files, ENDINGS)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            for record in records(model, source, options):
                progress.clear()
                failed += "error" in record
                output.write(record, [row(record)])
            progress.show(done + 1, source.name)
    return 1 if failed else 0


def records(model: TextClassifier, source: Input, options: argparse.Namespace) -> Iterator[Row]:
    """The JSON lines of a file; what cannot be read is one with its error."""
    try:
        if source.error:
            raise source.error
        for line, text in texts(source, options.lines):
            where: dict[str, Any] = {"file": source.name} | ({"line": line} if options.lines else {})
            try:
                yield where | model.predict(text, explain=options.words, sentences=options.sentences).to_json()
            except ValueError as error:
                yield {**error_record(source.name, error), **where}
    except Exception as error:  # a bad file is a row, never the end of the run
        yield error_record(source.name, error)


def texts(source: Input, lines: bool) -> Iterator[tuple[int, str]]:
    """(number, text) of each text of a file, numbered from 1 by line. Raises OSError and InputError."""
    stream = open(source.path, "rb") if source.path else sys.stdin.buffer
    try:
        if not lines:
            yield 1, decoded(stream.read(MOST_BYTES + 4))
            return
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, decoded(line).rstrip("\r\n")
    finally:
        if source.path:
            stream.close()


def decoded(data: bytes) -> str:
    """UTF-8, with or without a byte order mark; what was cut off at MOST_BYTES is too long in any case."""
    try:
        return data.decode("utf-8-sig", "replace" if len(data) > MOST_BYTES else "strict")
    except UnicodeDecodeError:
        raise InputError("not_text", "This is not a text in UTF-8.") from None


def row(record: Row) -> dict[str, Any]:
    """A JSON line by COLUMNS."""
    if "error" in record:
        return {**error_row(record), **({"line": record["line"]} if "line" in record else {})}
    return {**record, **record["probabilities"], "emotions": " ".join(record["emotions"])}
