""" "Was this right?": one log line an answer, so that errors can be counted without keeping anybody's picture."""

from __future__ import annotations

import logging
from typing import Any

from flask import current_app

from .logs import trace_fields
from .problems import Problem

LOGGER = logging.getLogger("web.feedback")
LOGGER.setLevel(logging.INFO)  # its own level: LOG_LEVEL=warning quietens the requests, not what people said


def record_feedback(feedback: dict[str, Any]) -> None:
    """Write what `schemas.Feedback` let through as one log line. Raises Problem where FEEDBACK=0."""
    if not current_app.config["FEEDBACK"]:
        raise Problem("feedback_off")
    LOGGER.info("feedback", extra={"fields": {"feedback": feedback, **trace_fields()}})
