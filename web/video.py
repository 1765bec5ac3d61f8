"""POST /api/v1/video: a film's faces over time, line by line as they are read, or the film with its faces framed and named."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from flask import Response, current_app

from emotions.errors import FilmError
from emotions.image.loading import MAX_FILE
from emotions.video.analyzer import Viewing
from emotions.video.reader import Film
from emotions.video.writer import FilmWriter

from .api import api
from .logs import LOGGER, trace_fields
from .memory import give_back
from .openapi import VIDEO_TYPES
from .options import given_options
from .photos import analyser
from .uploads import keep_upload, uploaded_video
from .video_schemas import VideoLine, VideoOptions

LONGEST = 600.0
"""Seconds of a video: what a small instance reads within the ten minutes that App Engine gives a request is less."""
MOST_FRAMES = 36_000
"""Frames that are decoded for it: ten minutes at 60 a second."""
AT_ONCE = 2
"""Videos that are read at the same time: with four threads, photos and pages still get theirs."""
MOST_BYTES = MAX_FILE - 2 * 2**20
"""Bytes that an annotated film aims to stay below: App Engine sends no answer of more than 32 MB."""
PIECE = 2**16
VIDEO_PROBLEMS = (
    "unknown_option", "invalid_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "too_many_pixels", "too_much_memory", "video_too_long", "unsupported_media_type", "unsupported_video", "empty_file",
    "not_a_video", "no_picture_track", "truncated_video", "busy",
)  # fmt: skip

OPTIONS = VideoOptions()

api.record_once(lambda state: state.app.extensions.setdefault("films", threading.BoundedSemaphore(AT_ONCE)))


@api.post("/video")
@api.input(VideoOptions, location="query", arg_name="query", validation=False)  # documents; the form counts as well
@api.output(VideoLine, content_type=VIDEO_TYPES[0])
@api.doc(summary="Read the faces of a video", operation_id="readVideo", extensions={"x-problems": VIDEO_PROBLEMS})
def video(query: dict) -> Response:
    """MP4, MOV, WebM, MKV or AVI of at most ten minutes, 32 MB and 4K; `python -m emotions video` reads longer ones.

    The answer is NDJSON: a JSON object a line, each sent when its picture is read, and a last one with the `summary`. (App
    Engine's standard environment holds every answer back until it is complete, and takes at most 32 MB of it.) What is
    wrong with the file before its first picture is a problem; what comes later is told in the summary. Options count in the
    query and as form fields alike; the form's win where both have one.
    """
    options = given_options(OPTIONS)
    data = uploaded_video()
    with ExitStack() as stack:
        stack.enter_context(turn())
        seconds = checked_length(data)
        film = stack.enter_context(Film(data, options["fps"], LONGEST))
        viewing = Viewing(film, detector=options["detector"], landmarks=options["landmarks"], analyser=analyser())
        if "annotated" in options:
            return annotated_film(viewing, seconds)
        lines = stack.enter_context(closing(told(viewing, trace_fields())))
        first = next(lines)  # so that an error of the file is a problem with its status
        stack.enter_context(keep_upload())
        kept = stack.pop_all()
    response = Response(until_sent(chain([first], lines), kept), mimetype=VIDEO_TYPES[0])
    response.headers["X-Accel-Buffering"] = "no"  # asks proxies to send each line on at once
    response.call_on_close(kept.close)  # where the client goes away before anything is sent
    return response


@contextmanager
def turn() -> Iterator[None]:
    """One of the places for videos. Raises FilmError `busy` where all are taken."""
    places = current_app.extensions["films"]
    if not places.acquire(blocking=False):
        raise FilmError("busy", f"{AT_ONCE} videos are being read already; try again when they are done.")
    try:
        yield
    finally:
        places.release()
        give_back()


def checked_length(data: bytes) -> float:
    """The seconds that a film really has. Raises FilmError where that is too much, and for what is no film."""
    with Film(data) as film:
        seconds, frames = film.extent()
    if seconds > LONGEST or frames > MOST_FRAMES:
        limit = f"the limit is {LONGEST / 60:.0f} minutes and {MOST_FRAMES:,} frames"
        there = "python -m emotions video reads films of any length"
        raise FilmError("video_too_long", f"This video has {seconds / 60:.1f} minutes and {frames:,} frames; {limit}. {there}.")
    return seconds


def told(viewing: Viewing, fields: dict[str, str]) -> Iterator[str]:
    """The lines of the answer. `fields` go into the log's line where reading fails in the middle."""
    broken = {}
    begun = False
    try:
        for seen in viewing:
            yield json.dumps(seen.to_json()) + "\n"
            begun = True
    except Exception:
        if not begun:
            raise
        # The status is sent already: the client learns it from the summary.
        LOGGER.exception("reading a video failed", extra={"fields": fields})
        broken = {"partial": True, "reason": "internal_error", "detail": "The server failed in the middle of the video."}
    yield json.dumps({"summary": viewing.summary() | broken}) + "\n"


def until_sent(pieces: Iterator, kept: ExitStack | BinaryIO) -> Iterator:
    """The pieces of an answer; what was kept for them is given back after the last, or when the client goes away."""
    with kept:
        yield from pieces


def annotated_film(viewing: Viewing, seconds: float) -> Response:
    """The film with faces framed and named: made in the temporary folder, and gone from it before the first byte is sent."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotated.mp4")
        with FilmWriter(path, MOST_BYTES, seconds) as writer:
            for seen in viewing.seen(every_frame=True):
                writer.add(seen.time, seen.annotated())
        size, file = path.stat().st_size, path.open("rb")
    response = Response(until_sent(iter(partial(file.read, PIECE), b""), file), mimetype=VIDEO_TYPES[1])
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Disposition"] = 'inline; filename="annotated.mp4"'
    if viewing.film.reason:
        response.headers["X-Partial"] = viewing.film.reason
    return response
