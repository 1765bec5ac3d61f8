"""POST /api/v1/feedback: whether a prediction was correct, as one log line."""

from __future__ import annotations

from typing import Any

from apiflask import EmptySchema
from apiflask.fields import Float, String
from apiflask.validators import Length, OneOf, Range, Regexp

from emotions import EMOTIONS

from ..http.feedback import record_feedback
from .blueprint import api, json_body
from .schemas import InputSchema

MAX_BODY_BYTES = 4096
FEEDBACK_PROBLEMS = (
    "unknown_option", "invalid_json", "invalid_body", "feedback_off", "cross_site", "invalid_token", "already_sent",
    "body_too_large", "unsupported_media_type",
)  # fmt: skip


class StrictNumber(Float):
    """A JSON number; marshmallow's Float would also accept "0.5" and true."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Feedback(InputSchema):
    shown = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "`emotion` of the response"})
    said = String(required=True, validate=OneOf(EMOTIONS), metadata={"description": "the emotion that the user reports"})
    confidence = StrictNumber(required=True, validate=Range(0, 1), metadata={"description": "`confidence` of the response"})
    model = String(
        required=True,
        validate=Regexp(r"^[A-Za-z0-9][A-Za-z0-9._/+ -]{0,99}$(?!\n)"),  # Python's $ alone also matches before a trailing newline
        metadata={"description": "the response's `model`: name, space, version", "example": "vgg16/mixed 1.0.0"},
    )
    token = String(
        validate=Length(max=250),
        metadata={"description": "of the form on a result page, whose feedback is accepted once; optional"},
    )


@api.post("/feedback")
@json_body(MAX_BODY_BYTES)
@api.input(Feedback, arg_name="feedback")
@api.output(EmptySchema, status_code=204, description="Logged as one line")
@api.doc(
    summary="Report whether a prediction was correct", operation_id="sendFeedback", extensions={"x-problems": FEEDBACK_PROBLEMS}
)
def feedback(feedback: dict) -> str:
    """Log these four values as one line, without the image; 403 where the server runs with FEEDBACK=0."""
    record_feedback(feedback)
    return ""
