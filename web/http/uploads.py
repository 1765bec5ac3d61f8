"""Uploaded files, kept in memory and never written to disk; the server (web/server) bounds how much of it they take."""

from __future__ import annotations

import shutil
from io import BytesIO
from typing import cast

from flask import Flask, Request, request
from werkzeug.datastructures import FileStorage

from emotions.runtime.limits import SERVER

from .problems import Problem

MAX_PARTS = 20


class MemoryRequest(Request):
    """Request that keeps files in memory: Werkzeug spools large ones to /tmp, which App Engine also keeps in memory."""

    max_form_parts = MAX_PARTS

    def _get_file_stream(self, total_content_length, content_type, filename=None, content_length=None) -> BytesIO:
        return BytesIO()

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if any(name is None for name in (*self.form, *self.files)):
            raise Problem("bad_request", "A part of the form has no name.")


def register(app: Flask) -> None:
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = SERVER.file_bytes  # App Engine's own limit is the same


def uploaded_photo() -> bytes:
    """Return the image of the multipart field `file`, or of an image/* body. Raises Problem."""
    return _uploaded("picture", ("image/",))


def uploaded_video() -> bytes:
    """Return the video of the multipart field `file`, or of a video/* body or an animated picture. Raises Problem."""
    return _uploaded("video", ("video/", "image/gif", "image/png", "image/apng", "image/webp"))


def uploaded_recording() -> bytes:
    """Return the recording of the multipart field `file`, or of an audio/* or video/* body (WebM). Raises Problem."""
    return _uploaded("recording", ("audio/", "video/", "application/ogg"))


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
    files = [(name, file) for name, file in request.files.items(multi=True) if _has_content(file)]
    if len(files) > 1:
        raise Problem("too_many_files", f"The request carries {len(files)} files; send one.")
    if not files and "file" in request.form:
        raise Problem("no_file", "The field 'file' holds text, not a file.")
    if not files:
        raise Problem("no_file")
    name, file = files[0]
    if name != "file":
        raise Problem("wrong_field", f"The {what} was sent in a field called {name[:40]!r}; the field must be called 'file'.")
    return cast(BytesIO, file.stream).getvalue()


def _has_content(file: FileStorage) -> bool:
    """Return False for the empty part without a file name that browsers send where no file was chosen."""
    return bool(file.filename) or cast(BytesIO, file.stream).getbuffer().nbytes > 0
