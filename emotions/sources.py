"""Inputs of all modalities: a path, the bytes of a file, or a binary file object, opened in one place."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
"""A path, the bytes of a file, or a file object opened in binary mode."""
ACCEPTED = "a path (str or os.PathLike), the bytes of a file, or a binary file object"


@contextmanager
def open_source(source: Source, accepted: str = ACCEPTED) -> Iterator[BinaryIO]:
    """Open a source as a seekable binary file at its beginning.

    A file object of the caller is read from its beginning and left open. One that cannot seek, such as a pipe, is first copied
    into a temporary file.

    Args:
        source: Path, bytes or binary file object.
        accepted: List of accepted types for the error text.

    Yields:
        The open file.

    Raises:
        TypeError: The source is of another type.
        OSError: The file cannot be opened.
    """
    if isinstance(source, (str, os.PathLike)) and not isinstance(source, bytes):
        with open(_path(source, accepted), "rb") as file:
            yield file
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif _is_binary_file(source):
        if _is_seekable(source):
            source.seek(0)
            yield source
        else:
            with tempfile.TemporaryFile() as file:
                shutil.copyfileobj(source, file)
                file.seek(0)
                yield cast(BinaryIO, file)
    else:
        raise type_error(source, accepted)


def size_of(file: BinaryIO) -> int:
    """Return the size in bytes of a seekable file, and leave it at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def type_error(source: object, accepted: str) -> TypeError:
    """Make the error for a source of a type that is not accepted."""
    hint = "; open the file in binary mode ('rb')" if isinstance(source, io.TextIOBase) else ""
    return TypeError(f"expected {accepted}, not {type(source).__name__}{hint}")


def _path(source: str | os.PathLike[str], accepted: str) -> Path:
    path = os.fspath(source)
    if not isinstance(path, str):
        raise type_error(source, accepted)
    return Path(path)


def _is_binary_file(source: Any) -> bool:
    return callable(getattr(source, "read", None)) and not isinstance(source, io.TextIOBase)


def _is_seekable(source: Any) -> bool:
    seekable = getattr(source, "seekable", None)
    return bool(seekable()) if callable(seekable) else callable(getattr(source, "seek", None))
