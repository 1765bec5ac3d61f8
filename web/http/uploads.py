"""Uploaded files, kept in memory and never written to disk, and the memory budget for them."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from io import BytesIO
from typing import cast

from flask import Flask, Request, Response, current_app, g, request
from werkzeug.datastructures import FileStorage

from emotions.image.loading import MAX_FILE
from emotions.runtime.memory import MemoryBudget

from .problems import Problem

MAX_PARTS = 20
CHUNK = 2**16


class MemoryRequest(Request):
    """Request that keeps files in memory: Werkzeug spools large ones to /tmp, which App Engine also keeps in memory."""

    max_form_parts = MAX_PARTS

    def _get_file_stream(self, total_content_length, content_type, filename=None, content_length=None) -> BytesIO:
        return BytesIO()


def register(app: Flask) -> None:
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_FILE  # App Engine's own limit is the same
    app.extensions["uploads"] = MemoryBudget(app.config["UPLOAD_MB"] * 2**20)
    app.before_request(reserve)
    app.after_request(drain_body)
    app.teardown_request(release)


def reserve() -> None:
    """Reserve memory for the body before it is read: its length, or MAX_FILE where that is unknown.

    Waits for other requests to release theirs. Raises MemoryBudgetError.
    """
    length = request.content_length
    if length is None:
        length = MAX_FILE if request.environ.get("wsgi.input_terminated") and request.method == "POST" else 0
    if length <= MAX_FILE:  # longer ones are rejected unread
        g.upload = ExitStack()
        g.upload.enter_context(current_app.extensions["uploads"].reserve(length))


def drain_body(response: Response) -> Response:
    """Drain the body of a rejected request, or the client fails with a broken pipe before it reads the error."""
    if request.environ.get("wsgi.input_terminated"):  # without it, reading could block forever
        stream = request.environ["wsgi.input"]
        for _ in range(2 * MAX_FILE // CHUNK):
            if not stream.read(CHUNK):
                break
    return response


def release(_: BaseException | None) -> None:
    if "upload" in g:
        g.upload.close()


def detach_reservation() -> ExitStack:
    """Detach the reservation of the body from the request, for a response that streams; the caller must close it."""
    return g.pop("upload", ExitStack())


def uploaded_photo() -> bytes:
    """Return the image of the multipart field `file`, or of an image/* body. Raises Problem."""
    return _uploaded("picture", ("image/",))


def uploaded_video() -> bytes:
    """Return the video of the multipart field `file`, or of a video/* body. Raises Problem."""
    return _uploaded("video", ("video/",))


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
