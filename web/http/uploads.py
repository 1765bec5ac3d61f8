"""Uploaded files, kept in memory and never written to disk; the server (web/server) bounds how much of it they take."""

from __future__ import annotations

import shutil
from collections import deque
from io import BytesIO
from typing import cast

from flask import Flask, Request, request
from werkzeug.datastructures import FileStorage

from emotions.runtime.limits import SERVER

from .problems import Problem

MAX_PARTS = 20
MAX_FILES = 32
"""Files of a request that takes more than one. Their bytes are bounded as those of one are: by the size of the body."""
OCTETS = "application/octet-stream"
"""Type of a body of which the client knows no other: its bytes say what it is, as they do whatever the type."""
MAX_NAME = 255
"""Characters of a file's name that an answer repeats."""


class MemoryRequest(Request):
    """Request that keeps files in memory: Werkzeug spools large ones to /tmp, which App Engine also keeps in memory."""

    max_form_parts = MAX_PARTS
    max_files: int | None = None  # where a view takes more than one
    _files_found = 0

    def allow_files(self, count: int) -> None:
        """Let the form, which must not have been read yet, carry `count` files; a Problem ends its reading at the next one."""
        self.max_files, self.max_form_parts = count, count + MAX_PARTS

    def _get_file_stream(self, total_content_length, content_type, filename=None, content_length=None) -> BytesIO:
        self._files_found += bool(filename)
        self.check_count(self._files_found)
        return BytesIO()

    def check_count(self, files: int) -> None:
        """Raise a Problem for more files than are allowed."""
        if self.max_files is not None and files > self.max_files:
            raise Problem("too_many_files", f"The request carries more than {self.max_files} files; send the rest in another.")

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if any(name is None for name in (*self.form, *self.files)):
            raise Problem("bad_request", "A part of the form has no name.")


def register(app: Flask) -> None:
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = SERVER.file_bytes  # App Engine's own limit is the same


def uploaded_photo() -> bytes:
    """Return the image of the multipart field `file`, or of an image/* or application/octet-stream body. Raises Problem."""
    return _uploaded("picture", ("image/", OCTETS))


def uploaded_video() -> bytes:
    """Return the video of the multipart field `file`, or of a video/*, animated or untyped body. Raises Problem."""
    return _uploaded("video", ("video/", "image/gif", "image/png", "image/apng", "image/webp", OCTETS))


def uploaded_recording() -> bytes:
    """Return the recording of the multipart field `file`, or of an audio/*, video/* (WebM) or untyped body. Raises Problem."""
    return _uploaded("recording", ("audio/", "video/", "application/ogg", OCTETS))


def uploaded_photos() -> deque[tuple[str, bytes]]:
    """Return name and bytes of each file in the multipart field `file`, in the order sent; they are the only copies.

    Raises Problem.
    """
    if request.mimetype != "multipart/form-data":
        raise Problem("unsupported_media_type", "Send the pictures as multipart/form-data, each in a field called 'file'.")
    photos: deque[tuple[str, bytes]] = deque()
    files = _files("picture")
    cast(MemoryRequest, request).check_count(len(files))  # those without a name are counted here alone
    for file in files:
        stream = cast(BytesIO, file.stream)
        photos.append(((file.filename or "")[:MAX_NAME], stream.getvalue()))
        stream.close()  # shares the bytes, and the request lives as long as the answer
    return photos


def _uploaded(what: str, kinds: tuple[str, ...]) -> bytes:
    if request.mimetype == "multipart/form-data":
        return _from_form(what)
    if request.mimetype.startswith(kinds):
        body = BytesIO()
        shutil.copyfileobj(request.stream, body)
        return body.getvalue()  # shares the buffer; request.get_data() would copy it
    if not request.content_length and not request.mimetype:
        raise Problem("no_file")
    raise Problem(
        "unsupported_media_type",
        f"Send the {what} as multipart/form-data in a field called 'file', or its bytes alone with a Content-Type of "
        f"{kinds[0]}*.",
    )


def _from_form(what: str) -> bytes:
    files = _files(what, most=1)
    return cast(BytesIO, files[0].stream).getvalue()


def _files(what: str, most: int | None = None) -> list[FileStorage]:
    """Return the files of the form, at least one and at most `most`, all from the field `file`. Raises Problem."""
    files = [(name, file) for name, file in request.files.items(multi=True) if _has_content(file)]
    if most is not None and len(files) > most:
        raise Problem("too_many_files", f"The request carries {len(files)} files; send one.")
    if not files and "file" in request.form:
        raise Problem("no_file", "The field 'file' holds text, not a file.")
    if not files:
        raise Problem("no_file")
    for name, _ in files:
        if name != "file":
            raise Problem("wrong_field", f"The {what} was sent in a field called {name[:40]!r}; the field must be called 'file'.")
    return [file for _, file in files]


def _has_content(file: FileStorage) -> bool:
    """Return False for the empty part without a file name that browsers send where no file was chosen."""
    return bool(file.filename) or cast(BytesIO, file.stream).getbuffer().nbytes > 0
