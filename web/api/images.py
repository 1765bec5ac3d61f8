"""POST /api/v1/images: many pictures in one request, answered as NDJSON, a line for each as soon as it is analyzed."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from apiflask.fields import Integer, Nested, String
from flask import Response, current_app, g, request

from emotions import FaceAnalyzer, open_image
from emotions.errors import CodedError, TimeBudgetError
from emotions.runtime.time_budget import TimeBudget

from ..http.budgets import stop_reason
from ..http.logging import LOGGER, trace_fields
from ..http.metrics import Metrics, running_metrics
from ..http.problems import Problem, from_coded_error
from ..http.rate_limit import charge_further
from ..http.uploads import MAX_FILES, MemoryRequest, uploaded_photos
from ..inference import analyzer, annotate_timed
from .blueprint import api
from .image import ANALYSIS_OPTIONS, ImageOptions, ImageResponse
from .openapi.document import VIDEO_TYPES
from .options import parse_options
from .schemas import OutputSchema
from .schemas import Problem as ProblemSchema
from .video import closing_stream, video_slot

NDJSON = VIDEO_TYPES[0]
IMAGES_OPTIONS = ImageOptions(exclude=("tracks", "time"))  # tracks run through the frames of one camera
IMAGES_PROBLEMS = (
    "unknown_option", "invalid_option", "no_file", "wrong_field", "too_many_files", "file_too_large", "body_too_large",
    "unsupported_media_type", "busy", "shutting_down",
)  # fmt: skip


class ImagesLine(OutputSchema):
    """A line of the response: a file's `result`, or the `error` for which it has none."""

    index = Integer(required=True, metadata={"description": "number of the file in the order sent, from 0"})
    name = String(required=True, metadata={"description": "the file's name as sent, at most 255 characters"})
    result = Nested(ImageResponse, metadata={"description": "as of POST /api/v1/image"})
    error = Nested(ProblemSchema, metadata={"description": "as POST /api/v1/image would answer; the other files are read"})


@api.post("/images")
@api.input(IMAGES_OPTIONS, location="query", arg_name="query", validation=False)  # for OpenAPI alone: see parse_options
@api.output(ImagesLine, content_type=NDJSON)
@api.doc(
    summary="Detect and classify the faces of many images",
    operation_id="readImages",
    extensions={"x-problems": IMAGES_PROBLEMS},
)
def images(query: dict) -> Response:
    """Up to 32 images, together at most 32 MB, each in a form field `file`.

    The response is NDJSON: a JSON object a line, in the order of the files, each sent when its image is analyzed. An image that
    cannot be read has an `error`, a problem as of POST /api/v1/image, and does not end the others. Options are those of POST
    /api/v1/image except `tracks` and `time`, and hold for all images. They are analyzed one after the other; those for which no
    processor time is left have the error `too_much_work`.
    """
    cast(MemoryRequest, request).allow_files(MAX_FILES)
    options = parse_options(IMAGES_OPTIONS)
    files = uploaded_photos()
    g.files = len(files)
    with ExitStack() as stack:
        stack.enter_context(video_slot())
        charge_further(len(files) - 1)
        lines = stack.enter_context(closing(running_batch(files, options).lines()))
        resources = stack.pop_all()
    response = Response(closing_stream(lines, resources), mimetype=NDJSON)
    response.headers["X-Accel-Buffering"] = "no"  # asks proxies to forward each line immediately
    response.call_on_close(resources.close)  # in case the client disconnects before anything is sent
    return response


def running_batch(files: deque[tuple[str, bytes]], options: dict[str, Any]) -> Batch:
    """Return the batch of the running request."""
    config = current_app.config
    limits = config["IMAGES_SECONDS"], config["PHOTO_SECONDS"]
    return Batch(files, options, analyzer(), *limits, stop_reason(), running_metrics(), g.request_id, trace_fields())


@dataclass
class Batch:
    """The pictures of a request, analyzed while the response is sent, when the request's own context has ended.

    Attributes:
        files: Name and bytes of those that are left.
        seconds: Processor seconds that all may take together.
        photo_seconds: Processor seconds that each may take.
        stopped: Returns the code with which to end now, if any.
        log_fields: Fields of the log line of a failure.
    """

    files: deque[tuple[str, bytes]]
    options: dict[str, Any]
    analyzer: FaceAnalyzer
    seconds: float
    photo_seconds: float
    stopped: Callable[[], str | None]
    metrics: Metrics | None
    request_id: str
    log_fields: dict[str, str]

    def lines(self) -> Generator[str]:
        """Yield a line for each file; they end where the client has gone."""
        spent = 0.0
        for index in count():
            if not self.files or self.stopped() == "client_gone":
                return
            name, data = self.files.popleft()
            budget = TimeBudget(min(self.photo_seconds, self.seconds - spent), self.stopped)
            try:
                outcome = {"result": self._read(data, budget)}
            except Problem as problem:
                if problem.code == "client_gone":
                    return
                outcome = {"error": problem.to_json(self.request_id)}
                if self.metrics:
                    self.metrics.count_problem(problem.code)
            spent += budget.spent
            yield json.dumps({"index": index, "name": name} | outcome) + "\n"

    def _read(self, data: bytes, budget: TimeBudget) -> dict[str, Any]:
        """Return the result of a file as JSON. Raises Problem."""
        if budget.seconds is not None and budget.seconds <= 0:
            detail = f"The files before this one took the {self.seconds:g} seconds of processor time that a request gets."
            raise Problem("too_much_work", detail)
        try:
            with budget:
                budget.check()
                return self._analyze(data)
        except TimeBudgetError as error:
            raise Problem(error.code, str(error)) from None
        except CodedError as error:
            raise from_coded_error(error) from None
        except Exception:
            LOGGER.exception("analyzing a picture failed", extra={"fields": self.log_fields})
            raise Problem("internal_error") from None

    def _analyze(self, data: bytes) -> dict[str, Any]:
        image = open_image(data)
        result = self.analyzer.analyze(image, **{name: self.options[name] for name in ANALYSIS_OPTIONS})
        body, timing = result.to_json(), dict(result.timing_ms)
        if self.options["annotate"]:
            body["image"], timing["annotate"] = annotate_timed(image, result)
        if self.metrics:
            self.metrics.count_faces(result.detector, len(result.faces))
            self.metrics.observe_stages(timing)
        return body
