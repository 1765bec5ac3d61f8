"""A long text cut into what the network reads at once: sentences, and pieces of sentences that are too long."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .tokenizer import Word

BREAK = re.compile(r"(?<=[.!?\u2026])[\"'\u2019\u201d)\]]*\s+|\s*\n\s*")
ABBREVIATION = re.compile(r"(?:^|\W)(?:mr|mrs|ms|dr|st|prof|vs|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence, without the white space around it.

    A sentence ends at a full stop, question or exclamation mark or ellipsis before white space, and at a line's end; not
    behind a title or a single letter.
    """
    start = 0
    for found in BREAK.finditer(text):
        if "\n" not in found.group() and ABBREVIATION.search(text[max(start, found.start() - 8) : found.start()]):
            continue
        yield from _trimmed(text, start, found.end())
        start = found.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    inner = text[start:end]
    if stripped := inner.strip():
        begun = start + inner.index(stripped[0])
        yield begun, begun + len(stripped)


def runs(words: list[Word], limit: int) -> Iterator[list[Word]]:
    """`words` in runs of at most `limit` pieces; a word of more is a run of its own."""
    run: list[Word] = []
    room = limit
    for word in words:
        if run and len(word.pieces) > room:
            yield run
            run, room = [], limit
        run.append(word)
        room -= len(word.pieces)
    if run:
        yield run
