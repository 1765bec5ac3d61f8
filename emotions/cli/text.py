"""Classify the emotions of texts.

One JSON line or row for each text. Every FILE is one text; with --lines every line of it is. Texts are in English and in UTF-8,
or in UTF-16 or UTF-32 with a byte order mark.
"""

from __future__ import annotations

import argparse
import codecs
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..errors import ModelFileError, SourceError
from ..labels import EMOTIONS
from ..runtime.limits import get_limits
from ..text.classifier import TextClassifier
from .files import Input, InputError, expand, open_stream
from .metadata import Metadata
from .output import Output, Progress, Row, error_record, error_row

NAME, HELP, FACES = "text", "classify the emotions of texts", False
LIMITS = ("text_characters",)
SUFFIXES = frozenset((".txt", ".md", ".text"))
COLUMNS = ("file", "line", "emotion", "emotions", *EMOTIONS, "reason", "error", "message")
TABLE = {"file": 36, "line": 5, "emotion": 9, "emotions": 24, "reason": 14}
BYTES_PER_CHARACTER = 4
"""Bytes that a character of UTF-8 has at most."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""First bytes of files of other encodings, such as those that PowerShell writes, the longer ones first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--lines", action="store_true", help="take every line that is not empty as a text")
    parser.add_argument("--words", action="store_true", help="with jsonl: add the contribution of each word")
    parser.add_argument("--sentences", action="store_true", help="with jsonl: add the prediction for each sentence")


def run(options: argparse.Namespace) -> int:
    """Classify all texts and return the exit code."""
    classifier = TextClassifier()
    _ = classifier.entry  # raises ModelFileError if there is no text model: that ends the run
    metadata = Metadata(options)
    inputs = expand(options.files, SUFFIXES)
    output, failed = Output(options.format, COLUMNS, TABLE), 0
    model = {"name": classifier.entry.name, "version": classifier.entry.version}
    with Progress(len(inputs), "files") as progress:
        for done, source in enumerate(inputs):
            outcome: dict[str, Any] = {"texts": 0, "errors": 0, "model": model}
            for record in records(classifier, source, options):
                progress.clear()
                failed += "error" in record
                outcome["errors" if "error" in record else "texts"] += 1
                outcome |= {"error": record["error"]} if "error" in record else {}
                output.write(record, [row(record)])
            metadata.add(source, outcome)
            progress.show(done + 1, source.name)
    metadata.write()
    return 1 if failed else 0


def records(classifier: TextClassifier, source: Input, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the JSON lines of a file; a text that cannot be used is one with its error."""
    try:
        if source.error:
            raise source.error
        for line, data in texts(source, options.lines):
            where: dict[str, Any] = {"file": source.name} | ({"line": line} if options.lines else {})
            try:
                yield where | classifier.predict(decode(data), explain=options.words, sentences=options.sentences).to_json()
            except ValueError as error:
                yield {**error_record(source.name, error), **where}
    except ModelFileError:
        raise
    except Exception as error:  # one bad file is a row and does not end the run
        yield error_record(source.name, error)


def texts(source: Input, lines: bool) -> Iterator[tuple[int, bytes]]:
    """Yield the texts of a file, still encoded, with their line numbers, from 1. Raises OSError and SourceError."""
    with open_stream(source) as opened:
        stream = _in_utf8(opened)
        if not lines:
            yield 1, stream.read(max_bytes() + BYTES_PER_CHARACTER)
            return
        for number, line in enumerate(bounded_lines(stream), 1):
            if line.strip():
                yield number, line.rstrip(b"\r\n")


class _Recoded:
    """Text of another encoding, read as UTF-8. What cannot be decoded becomes U+FFFD.

    Args:
        stream: File that begins with a byte order mark.
        encoding: Encoding that the mark stands for.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding, "replace", newline="\n")

    def read(self, size: int) -> bytes:
        """Read at most `size` characters."""
        return self._text.read(size).encode()

    def readline(self, size: int) -> bytes:
        """Read up to and with the next line feed, at most `size` characters."""
        return self._text.readline(size).encode()


def _in_utf8(stream: BinaryIO) -> BinaryIO | _Recoded:
    """Return a file as it is, or as one in UTF-8 where it begins with another encoding's byte order mark."""
    head = stream.peek(4) if isinstance(stream, io.BufferedReader) else b""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    return _Recoded(stream, encoding) if encoding else stream


def bounded_lines(stream: BinaryIO | _Recoded) -> Iterator[bytes]:
    """Yield the lines of a stream, of those that are too long the beginning.

    Raises SourceError for a line that does not end within `Limits.file_mb`: that is no text.
    """
    size, file_bytes = max_bytes() + BYTES_PER_CHARACTER, get_limits().file_bytes
    while line := stream.readline(size):
        yield line
        skipped = len(line)
        while not line.endswith(b"\n") and (line := stream.readline(size)):
            skipped += len(line)
            if skipped > file_bytes:
                raise SourceError("file_too_large", f"A line has more than {file_bytes:,} bytes, the limit.")


def max_bytes() -> int:
    """Return the number of bytes of which a text of maximum length has at most so many."""
    return BYTES_PER_CHARACTER * get_limits().text_characters


def decode(data: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark. More than `max_bytes` may be cut within a character: too long anyway."""
    try:
        return data.decode("utf-8-sig", "replace" if len(data) > max_bytes() else "strict")
    except UnicodeDecodeError:
        raise InputError("not_text", "This is not a text in UTF-8.") from None


def row(record: Row) -> dict[str, Any]:
    """Return a JSON line by COLUMNS."""
    if "error" in record:
        return {**error_row(record), **({"line": record["line"]} if "line" in record else {})}
    return {**record, **record["probabilities"], "emotions": " ".join(record["emotions"])}
