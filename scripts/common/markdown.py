"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_RULES = {"l": "---", "r": "---:"}


def table_rows(columns: Sequence[str], align: str, rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table.

    Args:
        columns: column titles.
        align: one letter a column, "l" or "r"; the last one applies to all further columns.
        rows: cells of each row, converted with str().
    """
    align = align.ljust(len(columns), align[-1])
    rules = [_RULES[letter] for letter in align[: len(columns)]]
    return [f"| {' | '.join(map(str, cells))} |" for cells in (columns, rules, *rows)]


def table(columns: Sequence[str], align: str, rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table as one text; see `table_rows`."""
    return "\n".join(table_rows(columns, align, rows))
