"""Feedback on predictions: the tokens that its forms carry, and the log line that it becomes."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from typing import Any

from flask import Flask, current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from .logging import trace_fields
from .problems import Problem

TOKEN_SECONDS = 24 * 3600
"""Age to which a token is accepted."""
MAX_USED = 10_000
"""Ids of used tokens that the process remembers. After a restart or on another instance a token could be used again, which its id
in the log line shows."""
SIGNED = ("shown", "confidence", "model")
"""Fields of a form that its token vouches for."""

FEEDBACK_LOGGER = logging.getLogger("web.feedback")
FEEDBACK_LOGGER.setLevel(logging.INFO)  # independent of LOG_LEVEL, which applies to requests


class FeedbackTokens:
    """Signed tokens, one for each answer that a page shows; each may be used once.

    Args:
        key: Key of the signature; without one a random key, whose tokens end with the process.
    """

    def __init__(self, key: str = "") -> None:
        self._signer = URLSafeTimedSerializer(key or secrets.token_hex(32), salt="feedback")
        self._used: OrderedDict[str, None] = OrderedDict()

    def issue(self, shown: str, confidence: float, model: str) -> str:
        """Return a new token for an answer as its page shows it."""
        return self._signer.dumps([secrets.token_hex(8), shown, f"{confidence:.4f}", model])

    def redeem(self, token: str, feedback: dict[str, Any]) -> str:
        """Use up a token.

        Returns:
            The id of the answer.

        Raises:
            Problem: The token is not one of this server, too old or of another answer (`invalid_token`), or used already
                (`already_sent`).
        """
        try:
            answer, *signed = self._signer.loads(token, max_age=TOKEN_SECONDS)
        except BadData:
            raise Problem("invalid_token") from None
        if signed != [feedback["shown"], f"{feedback['confidence']:.4f}", feedback["model"]]:
            raise Problem("invalid_token")
        if answer in self._used:
            raise Problem("already_sent")
        self._used[answer] = None
        if len(self._used) > MAX_USED:
            self._used.popitem(last=False)
        return str(answer)


def register(app: Flask) -> None:
    app.extensions["feedback"] = FeedbackTokens(app.config["FEEDBACK_KEY"])


def tokens() -> FeedbackTokens:
    """Return the tokens of the running app."""
    return current_app.extensions["feedback"]


def record_feedback(feedback: dict[str, Any]) -> None:
    """Log the validated fields of the `Feedback` schema as one line; a `token` among them is used up.

    Raises Problem where FEEDBACK=0, or where the token is not valid.
    """
    if not current_app.config["FEEDBACK"]:
        raise Problem("feedback_off")
    answer = {}
    if token := feedback.pop("token", None):
        answer = {"answer": tokens().redeem(token, feedback)}
    FEEDBACK_LOGGER.info("feedback", extra={"fields": {"feedback": feedback, **answer, **trace_fields()}})
