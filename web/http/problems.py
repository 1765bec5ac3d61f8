"""Error responses: RFC 9457 `application/problem+json` for programs, an HTML page for browsers."""

from __future__ import annotations

import errno
import re
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, g, json, render_template, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from emotions.errors import CodedError

CATALOGUE: dict[str, tuple[int, str, str]] = {
    "bad_request": (400, "Request not understood", "The request is not well-formed."),
    "unknown_option": (400, "Unknown option", "An option has a name that this address does not know."),
    "invalid_option": (400, "Option not understood", "An option has a value it does not take, or is given twice."),
    "invalid_tracks": (400, "Tracks not understood", "The option 'tracks' holds something that no answer gave, or too much."),
    "no_file": (400, "No file", "The request carries no file."),
    "wrong_field": (400, "Wrong field name", "The file was sent in a field that is not called 'file'."),
    "too_many_files": (400, "Too many files", "The request carries more files than are read at once."),
    "invalid_json": (400, "Not valid JSON", "The body is not valid JSON."),
    "invalid_body": (400, "Body not understood", "A field of the body is missing, unknown or out of range."),
    "unauthorized": (401, "Key needed", "The request carries no key of this server's API, or a wrong one."),
    "feedback_off": (403, "Feedback is off", "This server does not collect feedback."),
    "cross_site": (403, "From another site", "Pages of other sites may not send this."),
    "invalid_token": (403, "Form too old", "The form is not of this server or too old; analyze the photo again."),
    "not_found": (404, "Not found", "There is nothing at this address."),
    "no_model": (404, "No model", "This server has no model for that: its set of models is one for faces alone."),
    "method_not_allowed": (405, "Method not allowed", "The method is not allowed here; see the header Allow."),
    "already_sent": (409, "Already sent", "There was feedback on this answer already."),
    "request_timeout": (408, "Too slow", "The request did not arrive in the time that it may take."),
    "file_too_large": (413, "File too large", "The upload is larger than 32 MB."),
    "body_too_large": (413, "Request too large", "A text field or the body is too long, or has too many fields."),
    "text_too_long": (413, "Text too long", "A text, or all of them together, has more characters than are read at once."),
    "too_many_texts": (413, "Too many texts", "The request carries more texts than are read at once."),
    "too_many_sentences": (413, "Too many sentences", "The texts have more sentences than are returned at once."),
    "too_many_pixels": (413, "Too many pixels", "The picture has more pixels than this server opens."),
    "too_much_memory": (413, "Needs too much memory", "Opening the file would take more memory than one file gets."),
    "too_much_work": (413, "Too much work", "Answering would take more processor time than one request gets."),
    "video_too_long": (413, "Video too long", "The video is longer than this server reads; the command line reads it."),
    "uri_too_long": (414, "Address too long", "The address of the request is longer than 8 kB; send options as form fields."),
    "unsupported_media_type": (415, "Unsupported media type", "The body is of a type that this address does not take."),
    "unsupported_image": (415, "Unsupported kind of picture", "The file is a picture of a format that is not read."),
    "unsupported_video": (415, "Unsupported kind of video", "The file is a video of a kind that is not read."),
    "empty_file": (422, "Empty file", "The file has no content."),
    "not_an_image": (422, "Not a picture", "The file is not a picture."),
    "truncated_image": (422, "Damaged picture", "The picture is cut off or damaged."),
    "sound_too_long": (413, "Recording too long", "The recording is longer than an hour."),
    "unsupported_sound": (415, "Unsupported kind of sound", "The sound of the file is coded in a way that is not read."),
    "not_a_sound": (422, "Not a recording", "The file is not a recording of sound."),
    "no_sound_track": (422, "No sound", "The file has pictures but no sound track."),
    "truncated_sound": (422, "Damaged recording", "The recording is cut off or damaged before its first sound."),
    "not_a_video": (422, "Not a video", "The file is not a video."),
    "no_picture_track": (422, "No moving pictures", "The file has sound, but no track of moving pictures."),
    "truncated_video": (422, "Damaged video", "The video is cut off or damaged, and nothing of it can be read."),
    "outside_video": (422, "Outside of the video", "The video has no frame in the part that is asked for."),
    "rate_limited": (429, "Too many requests", "There were more requests than one client may send in a minute; try again later."),
    "request_header_fields_too_large": (431, "Header too large", "The header of the request is larger than 16 kB."),
    "client_gone": (499, "Client gone", "The client closed the connection before it was answered."),
    "internal_error": (500, "Something went wrong here", "The server failed; its log has the reason under the request id."),
    "not_implemented": (501, "Not implemented", "The server does not know this transfer coding or method."),
    "busy": (503, "Busy", "Other requests come first, or hold the memory; try again in a moment."),
    "shutting_down": (503, "Shutting down", "The server is being stopped; try again in a moment."),
    "no_space": (507, "No space", "The server has no room left for temporary files."),
}
"""Code -> status, title, description. The OpenAPI document includes this table, and a problem's `type` points into it."""

MAX_ERRORS, MAX_ERROR_NAME, MAX_ERROR_TEXT = 20, 100, 1000
"""Errors of a body that an answer lists, and characters of their names and messages."""

TYPE = "/openapi.json#/components/x-problems/"
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error response; `code` is stable, and `status` and `title` follow from it unless given.

    `extra`: further members of the JSON body, such as `errors` (option -> message).
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        status: int | None = None,
        title: str | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        default_status, default_title, default_detail = CATALOGUE.get(code) or _from_status(HTTPStatus(status or 500))
        self.code = code
        self.status = status or default_status
        self.title = title or default_title
        self.detail = detail or default_detail or f"{default_title}."
        self.extra = extra or {}
        self.headers = headers or {}
        super().__init__(code, self.detail)  # pickle calls the class with `args`

    def __str__(self) -> str:
        return self.detail

    def to_json(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the JSON body; `request_id` is by default that of the running request."""
        kind = TYPE + self.code if self.code in CATALOGUE else "about:blank"
        head = {"type": kind, "title": self.title, "status": self.status, "detail": self.detail, "code": self.code}
        return head | {"request_id": request_id or g.get("request_id")} | self.extra


def register(app: APIFlask) -> None:
    """Turn every exception of the app into a problem."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(CodedError, lambda error: respond(from_coded_error(error)))
    app.register_error_handler(HTTPError, lambda error: respond(from_api_error(error)))
    app.register_error_handler(HTTPException, lambda error: respond(from_http_error(error)))
    app.register_error_handler(Exception, _unexpected)


def respond(problem: Problem) -> Response:
    """Respond with the problem as JSON, or as a page to clients that prefer text/html, outside of /api."""
    g.problem = problem.code
    if prefers_html():
        response = Response(render_template("problem.html", problem=problem.to_json()), problem.status, mimetype="text/html")
    else:
        response = Response(json.dumps(problem.to_json()), problem.status, mimetype=MEDIA_TYPE)
    response.headers.extend(problem.headers)
    response.vary.add("Accept")
    return response


def prefers_html() -> bool:
    """Return True for browsers; `Accept: */*`, as programs send it, means JSON."""
    accepted = request.accept_mimetypes
    program = max(accepted[MEDIA_TYPE], accepted["application/json"])
    return not request.path.startswith("/api/") and accepted["text/html"] > program


def _from_status(status: HTTPStatus) -> tuple[int, str, str]:
    return status, status.phrase, status.description


def from_coded_error(error: CodedError) -> Problem:
    return Problem(error.code, str(error), headers={"Retry-After": "5"} if error.code == "busy" else None)


def from_api_error(error: HTTPError) -> Problem:
    """Convert the error of APIFlask's validation of a JSON body, whose `detail` is {"json": {field: [messages]}}."""
    errors = error.detail.get("json") if isinstance(error.detail, dict) else None
    if not errors:
        return Problem(_code_of(error.status_code), status=error.status_code, headers=dict(Headers(error.headers)))
    return invalid("invalid_body", errors)


def invalid(code: str, errors: dict[str, list[str]] | list[str]) -> Problem:
    """Make a problem of marshmallow's messages, listed in `errors` and joined in `detail`: MAX_ERRORS of them, with short names,
    since clients choose the names."""
    messages = list((errors if isinstance(errors, dict) else {"body": errors}).items())[:MAX_ERRORS]
    flat = {
        str(name)[:MAX_ERROR_NAME]: (" ".join(map(str, texts)) if isinstance(texts, list) else str(texts))[:MAX_ERROR_TEXT]
        for name, texts in messages
    }
    return Problem(code, " ".join(f"{name}: {text}" for name, text in flat.items()), extra={"errors": flat})


def from_http_error(error: HTTPException) -> Problem:
    """Convert an exception of Flask or Werkzeug, of any status."""
    headers = {name: value for name, value in error.get_headers() if name.lower() not in ("content-type", "content-length")}
    code, detail = _code_of(error.code or 500), None
    if error.code == 405:
        detail = f"{request.method} is not allowed here; allowed: {headers.get('Allow', 'nothing')}."
    if code == "file_too_large" and request.content_length:
        size, limit = request.content_length / 2**20, (request.max_content_length or 0) / 2**20
        detail = f"The upload has {size:.0f} MB; the limit is {limit:.0f} MB."
    return Problem(code, detail, status=error.code, headers=headers)


def _code_of(status: int) -> str:
    if status == 413:  # Werkzeug also raises 413 for a text field over its limit
        length = request.content_length
        over_limit = not request.is_json and (length is None or length > (request.max_content_length or 0))
        return "file_too_large" if over_limit else "body_too_large"
    special = {400: "bad_request", 500: "internal_error", 503: "busy"}
    return special.get(status) or re.sub(r"\W+", "_", HTTPStatus(status).phrase.lower())


def _unexpected(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return respond(Problem("no_space"))
    g.exception = error  # for the log line; the client gets only the request id
    return respond(Problem("internal_error"))
