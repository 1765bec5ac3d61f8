"""Page POST /feedback: the feedback form of a result, for browsers without JavaScript."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template, request
from marshmallow import ValidationError

from ..api.feedback import Feedback
from ..http.feedback import record_feedback
from ..http.problems import Problem, invalid
from .base import pages


@pages.post("/feedback")
def feedback() -> str:
    record_feedback(parse_feedback())
    return render_template("thanks.html")


def parse_feedback() -> dict[str, Any]:
    """Validate the form's fields with the API's schema. Raises Problem."""
    fields: dict[str, Any] = request.form.to_dict()
    try:
        fields["confidence"] = float(fields.get("confidence", ""))
        feedback = Feedback().load(fields)
    except ValidationError as error:
        raise invalid("invalid_body", error.messages) from None
    except ValueError:
        raise Problem("invalid_body", "The confidence must be a number.") from None
    if not feedback.get("token"):
        raise Problem("feedback_off" if not current_app.config["FEEDBACK"] else "invalid_token")
    return feedback
