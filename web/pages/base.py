"""The blueprint of the pages and what every template may use."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from emotions import EMOTIONS, Face
from emotions.face.saliency import MAX_EXPLAINED
from emotions.image.loading import MAX_FILE
from emotions.labels import COLOURS, TITLES
from emotions.speech.results import SpeechResult

from ..inference import analyzer
from .model_card import reliability_of
from .samples import SAMPLES

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def shared() -> dict[str, Any]:
    """What every template may use; error pages carry the form too, so it is the same everywhere."""
    return {
        "colours": COLOURS,
        "emotions": EMOTIONS,
        "titles": TITLES,
        "samples": SAMPLES,
        "feedback": current_app.config["FEEDBACK"],
        "most_explained": MAX_EXPLAINED,
        "max_bytes": MAX_FILE,
        "max_megabytes": MAX_FILE // 2**20,
        "reliability_of": served_reliability,
        "drawn_figures": drawn_figures,
    }


@pages.app_template_filter()
def ranked(told: Face | SpeechResult) -> list[tuple[str, float]]:
    """(emotion, probability) pairs, most likely first: with one answer in view the eye looks for it."""
    return sorted(zip(EMOTIONS, told.probabilities, strict=True), key=lambda pair: -pair[1])


def served_reliability(confidence: float) -> dict[str, Any] | None:
    """How often the served head was right on validation faces when it was about as sure as this."""
    return reliability_of(confidence, analyzer().classifier.head_entry.reliability)


def drawn_figures() -> dict[str, Any] | None:
    """What was measured of the head that answers on drawn faces in styles that nothing learnt; None if nothing was."""
    return analyzer().classifier.head_entry.evaluation.get("dicebear_test")
