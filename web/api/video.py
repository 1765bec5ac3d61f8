"""POST /api/v1/video: the faces of a video as NDJSON, a line a frame, or the video with its faces framed and labelled."""

from __future__ import annotations

import errno
import json
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from apiflask.fields import Boolean, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from flask import Flask, Response, current_app, g

from emotions.errors import TimeBudgetError, VideoError
from emotions.face.detector import DETECTORS
from emotions.runtime.limits import SERVER
from emotions.runtime.memory import trim_heap
from emotions.runtime.time_budget import TimeBudget
from emotions.video.analyzer import VideoAnalyzer
from emotions.video.reader import FPS, MAX_FPS, MIN_FPS, VideoReader
from emotions.video.writer import ENCODER_BYTES, VideoWriter

from ..http.logging import LOGGER, trace_fields
from ..http.problems import Problem, invalid
from ..http.uploads import uploaded_video
from ..inference import analyzer
from .blueprint import api
from .openapi.document import VIDEO_TYPES
from .options import parse_options
from .schemas import NUMBER, BooleanOption, Face, InputSchema, Model, NumberOption, OutputSchema, Probabilities, ViewsOption

MAX_SECONDS = 600.0
"""Duration limit: App Engine ends requests after ten minutes, in which a small instance analyzes less than that."""


class VideoOptions(InputSchema):
    fps = NumberOption(MIN_FPS, MAX_FPS, "Frames per second that are analyzed, where the video has as many.", FPS)
    start = NumberOption(
        0.0, MAX_SECONDS, "Seconds from which the video is analyzed; times in the answer count from the video's beginning.", 0.0
    )
    end = NumberOption(0.0, MAX_SECONDS, "Seconds at which the analysis ends, by default the end of the video.")
    detector = String(load_default="auto", validate=OneOf(DETECTORS), metadata={"description": "as for an image"})
    landmarks = BooleanOption(
        metadata={"description": "Also return the 468 Face Mesh landmarks of each face, where they are found."}
    )
    annotated = String(
        validate=OneOf(["mp4"]),
        metadata={
            "description": "`mp4`: the response is the annotated video instead, with every face framed and labelled (H.264, at "
            "most 1,024 px and 30 frames per second, boxes held between analyzed frames, no sound, at most about 30 MB: longer "
            "videos get a lower quality). It is sent when the whole video is analyzed; a header `X-Partial` gives the reason "
            "where "
            "it is incomplete."
        },
    )
    views = ViewsOption()
    merge = BooleanOption(
        default=True,
        metadata={
            "description": "Merge in the summary the tracks of a person who comes back after some time in the same clothes and "
            "light: the `ids` of a person are those of the tracks in the preceding lines."
        },
    )


class Person(OutputSchema):
    id = Integer(required=True, metadata={"description": "the first of the `ids`"})
    number = Integer(required=True, metadata={"description": NUMBER})
    ids = List(Integer(), required=True, metadata={"description": "ids of the person's tracks in the preceding lines, ascending"})
    first = Float(required=True, metadata={"description": "seconds"})
    last = Float(
        required=True, metadata={"description": "seconds; of a frame that is held, the last sampling time at which it is shown"}
    )
    frames = Integer(required=True, metadata={"description": "frames in which this person was detected"})
    seconds = Float(
        required=True, metadata={"description": "seconds for which these frames count, each until the next one that was analyzed"}
    )
    shares = Nested(
        Probabilities, required=True, metadata={"description": "share of these seconds for which each emotion was predicted"}
    )
    mean = Nested(Probabilities, required=True, metadata={"description": "mean probabilities over these seconds"})


class Summary(OutputSchema):
    duration = Float(required=True, metadata={"description": "seconds that could be decoded, whatever the file states"})
    stated_duration = Float(required=True, allow_none=True, metadata={"description": "seconds stated by the file"})
    start = Float(required=True, metadata={"description": "seconds at which the part begins that was analyzed"})
    fps = Float(required=True)
    frames = Integer(required=True, metadata={"description": "frames that were analyzed, one line each"})
    width = Integer(required=True, allow_none=True)
    height = Integer(required=True, allow_none=True)
    # marshmallow.Schema has an attribute of this name
    partial = Boolean(required=True, metadata={"description": "true if only a part of the video was analyzed"})  # type: ignore[assignment]
    reason = String(
        required=True,
        allow_none=True,
        metadata={
            "description": "why it is partial: `cut_off`, `damaged`, `video_too_long`, `time_limit` (of processor time), "
            "`too_much_memory`, `shutting_down` (the server was being stopped), `internal_error`; more may be added"
        },
    )
    detail = String(required=True, allow_none=True, metadata={"description": "the reason in words"})
    detector = String(required=True, allow_none=True)
    views = Integer(required=True, metadata={"description": "views of each face over which its probabilities are averaged"})
    model = Nested(Model, required=True)
    people = List(Nested(Person), required=True, metadata={"description": "in order of appearance"})


class VideoLine(OutputSchema):
    """A line of the response: `time`, `frame` and `faces` for each analyzed frame, and `summary` alone in the last line."""

    time = Float(metadata={"description": "seconds since the start of the video"})
    frame = Integer(metadata={"description": "number of the frame in the file, from 0"})
    faces = List(
        Nested(Face), metadata={"description": "tracked: ids persist, probabilities are smoothed, `raw` holds those of the frame"}
    )
    summary = Nested(Summary)


MAX_FRAMES = 36_000
"""Limit of frames to decode: ten minutes at 60 frames per second."""
MAX_CONCURRENT = 2
"""Videos, and sets of pictures, that are analyzed at the same time; of the four threads two remain for photos and pages."""
MAX_OUTPUT_BYTES = SERVER.file_bytes - 2 * 2**20
"""Target size of an annotated video: App Engine sends no response over 32 MB."""
CHUNK = 2**16
VIDEO_PROBLEMS = (
    "unknown_option", "invalid_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "too_many_pixels", "too_much_memory", "video_too_long", "unsupported_media_type", "unsupported_video", "empty_file",
    "not_a_video", "no_picture_track", "truncated_video", "outside_video", "busy", "too_much_work", "shutting_down", "no_space",
)  # fmt: skip

OPTIONS = VideoOptions()


def register(app: Flask) -> None:
    app.extensions["video_slots"] = threading.BoundedSemaphore(MAX_CONCURRENT)


@api.post("/video")
@api.input(VideoOptions, location="query", arg_name="query", validation=False)  # for OpenAPI alone: see parse_options
@api.output(VideoLine, content_type=VIDEO_TYPES[0])
@api.doc(
    summary="Track the faces of a video and classify their expressions",
    operation_id="readVideo",
    extensions={"x-problems": VIDEO_PROBLEMS},
)
def video(query: dict) -> Response:
    """MP4, MOV, WebM, MKV, AVI, MPEG, MPEG-TS, WMV or FLV, of at most ten minutes, 32 MB and 4K.

    `python -m emotions video` reads longer ones.

    The response is NDJSON: a JSON object a line, each sent when its frame is analyzed, and a last one with the `summary`. (App
    Engine's standard environment buffers the response until it is complete, and takes at most 32 MB of it.) Errors before the
    first frame are problems; later ones are reported in the summary, as is the end of the processor time that a video gets.
    Options are query parameters or form fields; one that is given in both must have the same value.
    """
    options = parse_options(OPTIONS)
    start, end = options["start"], options["end"]
    if end is not None and end <= start:
        raise invalid("invalid_option", {"end": [f"Must be after start, which is {start:g}."]})
    data = uploaded_video()
    with ExitStack() as stack:
        stack.enter_context(video_slot())
        duration = max(0.0, min(check_duration(data), MAX_SECONDS if end is None else end) - start)
        further = ENCODER_BYTES if "annotated" in options else 0
        reader = stack.enter_context(VideoReader(data, options["fps"], MAX_SECONDS, further, start, end))
        chosen = {name: options[name] for name in ("detector", "landmarks", "views", "merge")}
        video_analyzer = VideoAnalyzer(reader, analyzer=analyzer(), **chosen)
        if "annotated" in options:
            return annotated_video(video_analyzer, duration)
        lines = stack.enter_context(closing(ndjson_lines(video_analyzer, trace_fields())))
        first = next(lines)  # before the response starts: an unreadable file must get its status
        resources = stack.pop_all()
    others = budgeted(lines, g.get("budget"))
    response = Response(closing_stream(chain([first], others), resources), mimetype=VIDEO_TYPES[0])
    response.headers["X-Accel-Buffering"] = "no"  # asks proxies to forward each line immediately
    response.call_on_close(resources.close)  # in case the client disconnects before anything is sent
    return response


@contextmanager
def video_slot() -> Iterator[None]:
    """Hold one of the MAX_CONCURRENT slots. Raises VideoError `busy` where all are taken."""
    slots = current_app.extensions["video_slots"]
    if not slots.acquire(blocking=False):
        raise VideoError("busy", f"{MAX_CONCURRENT} videos or sets of pictures are being analyzed; try again when they are done.")
    try:
        yield
    finally:
        slots.release()
        trim_heap()


def check_duration(data: bytes) -> float:
    """Return the actual duration in seconds. Raises VideoError where it or the frame count is over its limit."""
    with VideoReader(data) as reader:
        seconds, frames = reader.duration_and_count(MAX_SECONDS, MAX_FRAMES)
    if seconds > MAX_SECONDS or frames > MAX_FRAMES:
        limit = f"the limit is {MAX_SECONDS / 60:.0f} minutes and {MAX_FRAMES:,} frames"
        advice = "python -m emotions video analyzes videos of any length"
        length = f"at least {seconds / 60:.1f} minutes and {frames:,} frames"
        raise VideoError("video_too_long", f"This video has {length}; {limit}. {advice}.")
    return seconds


def ndjson_lines(video_analyzer: VideoAnalyzer, log_fields: dict[str, str]) -> Generator[str]:
    """Yield the lines of the response; an exception after the first one is logged with `log_fields`.

    They end without a summary where the client has gone.
    """
    failure = {}
    started = False
    try:
        for result in video_analyzer:
            yield json.dumps(result.to_json()) + "\n"
            started = True
    except Exception as error:
        if not started:
            raise
        if isinstance(error, TimeBudgetError):
            return
        # The status has been sent already, so the summary reports the failure.
        LOGGER.exception("analyzing a video failed", extra={"fields": log_fields})
        failure = {"partial": True, "reason": "internal_error", "detail": "The server failed in the middle of the video."}
    yield json.dumps({"summary": video_analyzer.summary() | failure}) + "\n"


def budgeted(lines: Iterator[str], budget: TimeBudget | None) -> Iterator[str]:
    """Yield the lines, with the request's time budget active while each is made.

    The server iterates over a response when the request's own context has ended.
    """
    while True:
        with budget or nullcontext():
            line = next(lines, None)
        if line is None:
            return
        yield line


def closing_stream(chunks: Iterator, resources: ExitStack | BinaryIO) -> Iterator:
    """Yield the chunks of a response body and close `resources` afterwards, or when the client disconnects."""
    with resources:
        yield from chunks


def annotated_video(video_analyzer: VideoAnalyzer, duration: float) -> Response:
    """Encode the annotated video into a temporary file, which is unlinked before the first byte is sent.

    Raises Problem where the file system is full.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "annotated.mp4")
            with VideoWriter(path, MAX_OUTPUT_BYTES, duration) as writer:
                start = video_analyzer.reader.start
                for result in video_analyzer.results(every_frame=True):
                    writer.add(result.time - start, result.annotated(), result.until - start)
            size, file = path.stat().st_size, path.open("rb")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Problem("no_space") from None
        raise
    response = Response(closing_stream(iter(partial(file.read, CHUNK), b""), file), mimetype=VIDEO_TYPES[1])
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Disposition"] = 'inline; filename="annotated.mp4"'
    if video_analyzer.reader.reason:
        response.headers["X-Partial"] = video_analyzer.reader.reason
    return response
