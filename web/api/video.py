"""POST /api/v1/video: a film's faces over time, line by line as they are read, or the film with its faces framed and named."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from apiflask.fields import Boolean, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, current_app

from emotions.errors import VideoError
from emotions.face.detector import DETECTORS
from emotions.image.loading import MAX_FILE
from emotions.video.analyzer import VideoAnalyzer
from emotions.video.reader import FPS, MIN_FPS, MAX_FPS, VideoReader
from emotions.video.writer import VideoWriter

from ..http.logging import LOGGER, trace_fields
from ..http.uploads import detach_reservation, uploaded_video
from ..inference import analyzer, trim_heap
from .blueprint import api
from .openapi import VIDEO_TYPES
from .options import parse_options
from .schemas import BooleanOption, Face, InputSchema, Model, OutputSchema, Probabilities

# What POST /api/v1/video takes and gives, as marshmallow schemas.


class FrameRate(Field):
    """Pictures a second in a form or a query: float() takes "nan", "1_0" and other scripts' digits."""

    default_error_messages = {"invalid": f"Must be a number from {MIN_FPS:g} to {MAX_FPS:g}."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?", value) or not MIN_FPS <= float(value) <= MAX_FPS:
            raise self.make_error("invalid")
        return float(value)


class VideoOptions(InputSchema):
    fps = FrameRate(
        load_default=FPS,
        metadata={
            "type": "number",
            "minimum": MIN_FPS,
            "maximum": MAX_FPS,
            "default": FPS,
            "description": "Pictures a second that are read, where the video has as many.",
        },
    )
    detector = String(load_default="auto", validate=OneOf(DETECTORS), metadata={"description": "as for a picture"})
    landmarks = BooleanOption(
        metadata={"description": "Also give the 468 points of Face Mesh for each face, where it finds them."}
    )
    annotated = String(
        validate=OneOf(["mp4"]),
        metadata={
            "description": "`mp4`: the answer is the film with every face framed and named instead (H.264, at most 1,024 px and "
            "30 frames a second, boxes held between the pictures that are read, no sound, at most about 30 MB: what is longer "
            "gets coarser). It comes when all is read; a header `X-Partial` says why it is not the whole video, where it is not."
        },
    )


class Person(OutputSchema):
    id = Integer(required=True, metadata={"description": "as in the lines before"})
    first = Float(required=True, metadata={"description": "seconds"})
    last = Float(required=True, metadata={"description": "seconds"})
    frames = Integer(required=True, metadata={"description": "pictures in which this person was seen"})
    shares = Nested(Probabilities, required=True, metadata={"description": "share of them where each emotion was the answer"})
    mean = Nested(Probabilities, required=True, metadata={"description": "mean probabilities over these pictures"})


class Summary(OutputSchema):
    duration = Float(required=True, metadata={"description": "seconds that could be read, whatever the file says"})
    stated_duration = Float(required=True, allow_none=True, metadata={"description": "seconds that the file says it has"})
    fps = Float(required=True)
    frames = Integer(required=True, metadata={"description": "pictures that were read: as many lines came before"})
    width = Integer(required=True, allow_none=True)
    height = Integer(required=True, allow_none=True)
    # Schema has an option of this name.
    partial = Boolean(required=True, metadata={"description": "whether this is less than the whole video"})  # type: ignore[assignment]
    reason = String(
        required=True,
        allow_none=True,
        metadata={"description": "why: `cut_off`, `damaged`, `video_too_long`, `internal_error`; more may come"},
    )
    detail = String(required=True, allow_none=True, metadata={"description": "the same in words"})
    detector = String(required=True, allow_none=True)
    model = Nested(Model, required=True)
    people = List(Nested(Person), required=True, metadata={"description": "in order of appearance"})


class VideoLine(OutputSchema):
    """A line of the answer: `time` and `faces` for each picture that was read, and `summary` alone in the last one."""

    time = Float(metadata={"description": "seconds since the beginning of the video"})
    faces = List(Nested(Face), metadata={"description": "followed: ids stay, probabilities are smoothed, `raw` ones beside"})
    summary = Nested(Summary)


MAX_SECONDS = 600.0
"""Seconds of a video: what a small instance reads within the ten minutes that App Engine gives a request is less."""
MAX_FRAMES = 36_000
"""Frames that are decoded for it: ten minutes at 60 a second."""
MAX_CONCURRENT = 2
"""Videos that are read at the same time: with four threads, photos and pages still get theirs."""
MAX_OUTPUT_BYTES = MAX_FILE - 2 * 2**20
"""Bytes that an annotated film aims to stay below: App Engine sends no answer of more than 32 MB."""
CHUNK = 2**16
VIDEO_PROBLEMS = (
    "unknown_option", "invalid_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "too_many_pixels", "too_much_memory", "video_too_long", "unsupported_media_type", "unsupported_video", "empty_file",
    "not_a_video", "no_picture_track", "truncated_video", "busy",
)  # fmt: skip

OPTIONS = VideoOptions()

api.record_once(lambda state: state.app.extensions.setdefault("video_slots", threading.BoundedSemaphore(MAX_CONCURRENT)))


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
    options = parse_options(OPTIONS)
    data = uploaded_video()
    with ExitStack() as stack:
        stack.enter_context(video_slot())
        seconds = check_duration(data)
        film = stack.enter_context(VideoReader(data, options["fps"], MAX_SECONDS))
        video_analyzer = VideoAnalyzer(film, detector=options["detector"], landmarks=options["landmarks"], analyzer=analyzer())
        if "annotated" in options:
            return annotated_video(video_analyzer, seconds)
        lines = stack.enter_context(closing(ndjson_lines(video_analyzer, trace_fields())))
        first = next(lines)  # so that an error of the file is a problem with its status
        stack.enter_context(detach_reservation())
        kept = stack.pop_all()
    response = Response(closing_stream(chain([first], lines), kept), mimetype=VIDEO_TYPES[0])
    response.headers["X-Accel-Buffering"] = "no"  # asks proxies to send each line on at once
    response.call_on_close(kept.close)  # where the client goes away before anything is sent
    return response


@contextmanager
def video_slot() -> Iterator[None]:
    """One of the places for videos. Raises VideoError `busy` where all are taken."""
    places = current_app.extensions["video_slots"]
    if not places.acquire(blocking=False):
        raise VideoError("busy", f"{MAX_CONCURRENT} videos are being read already; try again when they are done.")
    try:
        yield
    finally:
        places.release()
        trim_heap()


def check_duration(data: bytes) -> float:
    """The seconds that a film really has. Raises VideoError where that is too much, and for what is no film."""
    with VideoReader(data) as film:
        seconds, frames = film.duration_and_count()
    if seconds > MAX_SECONDS or frames > MAX_FRAMES:
        limit = f"the limit is {MAX_SECONDS / 60:.0f} minutes and {MAX_FRAMES:,} frames"
        there = "python -m emotions video reads films of any length"
        raise VideoError("video_too_long", f"This video has {seconds / 60:.1f} minutes and {frames:,} frames; {limit}. {there}.")
    return seconds


def ndjson_lines(video_analyzer: VideoAnalyzer, fields: dict[str, str]) -> Generator[str]:
    """The lines of the answer. `fields` go into the log's line where reading fails in the middle."""
    broken = {}
    begun = False
    try:
        for seen in video_analyzer:
            yield json.dumps(seen.to_json()) + "\n"
            begun = True
    except Exception:
        if not begun:
            raise
        # The status is sent already: the client learns it from the summary.
        LOGGER.exception("reading a video failed", extra={"fields": fields})
        broken = {"partial": True, "reason": "internal_error", "detail": "The server failed in the middle of the video."}
    yield json.dumps({"summary": video_analyzer.summary() | broken}) + "\n"


def closing_stream(pieces: Iterator, kept: ExitStack | BinaryIO) -> Iterator:
    """The pieces of an answer; what was kept for them is given back after the last, or when the client goes away."""
    with kept:
        yield from pieces


def annotated_video(video_analyzer: VideoAnalyzer, seconds: float) -> Response:
    """The film with faces framed and named: made in the temporary folder, and gone from it before the first byte is sent."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotated.mp4")
        with VideoWriter(path, MAX_OUTPUT_BYTES, seconds) as writer:
            for seen in video_analyzer.results(every_frame=True):
                writer.add(seen.time, seen.annotated())
        size, file = path.stat().st_size, path.open("rb")
    response = Response(closing_stream(iter(partial(file.read, CHUNK), b""), file), mimetype=VIDEO_TYPES[1])
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Disposition"] = 'inline; filename="annotated.mp4"'
    if video_analyzer.reader.reason:
        response.headers["X-Partial"] = video_analyzer.reader.reason
    return response
