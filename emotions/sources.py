"""Inputs of all modalities: a path, the bytes of a file, or a binary file object, opened in one place."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from .errors import SourceError
from .runtime.limits import get_limits
from .runtime.memory import MB

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
"""A path, the bytes of a file, or a file object opened in binary mode."""
COPY_BYTES = 2**20
"""Bytes that are copied at once from a pipe."""
ACCEPTED = "a path (str or os.PathLike), the bytes of a file, or a binary file object"


@contextmanager
def open_source(source: Source, accepted: str = ACCEPTED) -> Iterator[BinaryIO]:
    """Open a source as a seekable binary file at its beginning.

    A file object of the caller is read from its beginning and left open. What cannot seek, such as a pipe, is first copied into a
    temporary file, at most `Limits.file_mb` of it.

    Args:
        source: Path, bytes or binary file object.
        accepted: List of accepted types for the error text.

    Yields:
        The open file.

    Raises:
        TypeError: The source is of another type.
        SourceError: The path is that of a device or a socket, or a pipe gives more than the limit.
        OSError: The file cannot be opened.
    """
    if isinstance(source, (str, os.PathLike)) and not isinstance(source, bytes):
        path = _path(source, accepted)
        check_kind(path)
        with open(path, "rb") as file, _seekable(file) as copy:
            yield copy
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif _is_binary_file(source):
        with _seekable(source) as copy:
            yield copy
    else:
        raise type_error(source, accepted)


def check_kind(path: str | os.PathLike[str]) -> None:
    """Raise SourceError for a device or a socket: many never end, some wait. Raises OSError where there is nothing."""
    mode = os.stat(path).st_mode
    for is_kind, name in ((stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"), (stat.S_ISSOCK, "socket")):
        if is_kind(mode):
            raise SourceError("not_a_file", f"This is a {name}, not a file.")


def read_bounded(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a stream in pieces. Raises SourceError where there is more of it than `Limits.file_mb`."""
    left = get_limits().file_bytes
    while piece := stream.read(min(COPY_BYTES, left + 1)):
        left -= len(piece)
        if left < 0:
            raise SourceError("file_too_large", f"This has more than {get_limits().file_bytes / MB:g} MB, the limit.")
        yield piece


@contextmanager
def _seekable(source: BinaryIO) -> Iterator[BinaryIO]:
    """The file at its beginning, or a temporary copy where it cannot seek."""
    if _is_seekable(source):
        source.seek(0)
        yield source
        return
    with tempfile.TemporaryFile() as file:
        for piece in read_bounded(source):
            file.write(piece)
        file.seek(0)
        yield cast(BinaryIO, file)


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
