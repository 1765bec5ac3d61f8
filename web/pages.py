"""Pages for people: the photo page and its result, the phone's share target, feedback without JavaScript, and the model card."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from marshmallow import ValidationError

from emotions import EMOTIONS, Face
from emotions.face.detector import DETECTORS
from emotions.face.saliency import MOST_FACES
from emotions.image.loading import MAX_FILE
from emotions.labels import COLOURS, TITLES
from emotions.speech.results import SpeechResult
from emotions.text.results import TextResult

from . import schemas
from .card import design_cards, doubt_card, head_card, reliability_of, text_card
from .feedback import record_feedback
from .photos import analyser
from .problems import Problem, invalid
from .reading import read
from .samples import SAMPLES, sample_bytes
from .uploads import uploaded_photo

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> str:
    """The form: choose, drop, paste or take a photo, or try a sample."""
    return render_template("home.html")


@pages.post("/")
def result() -> str:
    """The result page for a photo or a sample."""
    name = request.form.get("sample")
    photo = sample_bytes(name) if name else chosen_photo()
    reading = read(photo, chosen_detector(), chosen_switch("explain"), name, chosen_switch("landmarks"))
    return render_template("result.html", reading=reading)


@pages.post("/share")
def share() -> str:
    """What a phone's share sheet sends to (`share_target` of the web app manifest)."""
    return render_template("result.html", reading=read(chosen_photo()))


@pages.get("/share")
def shared_before() -> Response:
    """A phone that reopens its last page asks for this address without the photo."""
    return redirect(url_for("pages.home"))


@pages.post("/feedback")
def feedback() -> str:
    """The answer to "was this right?" from a browser without JavaScript."""
    record_feedback(given_feedback())
    return render_template("thanks.html")


@pages.get("/about")
def about() -> str:
    """Model card, limits, uses and privacy."""
    artefacts = analyser().artefacts
    heads = [head_card(entry) for entry in artefacts.entries("expression-head")]
    served = analyser().expressions.head_entry["name"]
    heads.sort(key=lambda head: head["name"] != served)
    return render_template(
        "about.html", heads=heads, served=served, doubts=doubt_card(heads[0]), designs=design_cards(artefacts.folder),
        models=artefacts.entries(), texts=[text_card(entry) for entry in artefacts.entries("text")],
    )  # fmt: skip


@pages.app_context_processor
def shared() -> dict[str, Any]:
    """What every template may use; error pages carry the form too, so it is the same everywhere."""
    return {
        "colours": COLOURS,
        "emotions": EMOTIONS,
        "titles": TITLES,
        "samples": SAMPLES,
        "feedback": current_app.config["FEEDBACK"],
        "most_explained": MOST_FACES,
        "max_bytes": MAX_FILE,
        "max_megabytes": MAX_FILE // 2**20,
        "reliability_of": served_reliability,
        "drawn_figures": drawn_figures,
    }


@pages.app_template_filter()
def ranked(told: Face | TextResult | SpeechResult) -> list[tuple[str, float]]:
    """(emotion, probability) pairs, most likely first: with one answer in view the eye looks for it."""
    return sorted(zip(EMOTIONS, told.probabilities, strict=True), key=lambda pair: -pair[1])


def served_reliability(confidence: float) -> dict[str, Any] | None:
    """How often the served head was right on validation faces when it was about as sure as this."""
    return reliability_of(confidence, analyser().expressions.head_entry.get("reliability", []))


def chosen_photo() -> bytes:
    """The form's file, with a word for people where none was chosen. Raises Problem."""
    if not any(file.filename for file in request.files.values()):
        raise Problem("no_file", "No photo was chosen. Choose one, or try a sample.")
    return uploaded_photo()


def chosen_detector() -> str:
    """The form's way of finding faces. Raises Problem for one that does not exist."""
    detector = request.form.get("detector", "auto")
    if detector not in DETECTORS:
        raise Problem("invalid_option", f"The detector must be one of {', '.join(DETECTORS)}.")
    return detector


def chosen_switch(name: str) -> bool:
    """Whether the form asks for `explain` or `landmarks`. Raises Problem for a value that is no switch's."""
    value = request.form.get(name, "false")
    if value not in schemas.SWITCHES:
        raise Problem("invalid_option", f"The option {name!r} must be true, false, 1 or 0.")
    return schemas.SWITCHES[value]


def given_feedback() -> dict[str, Any]:
    """The form's fields as the API would take them. Raises Problem."""
    fields: dict[str, Any] = request.form.to_dict()
    try:
        fields["confidence"] = float(fields.get("confidence", ""))
        return schemas.Feedback().load(fields)
    except ValidationError as error:
        raise invalid("invalid_body", error.messages) from None
    except ValueError:
        raise Problem("invalid_body", "The confidence must be a number.") from None


def drawn_figures() -> dict[str, Any] | None:
    """What was measured of the head that answers on drawn faces in styles that nothing learnt; None if nothing was."""
    return analyser().expressions.head_entry.get("evaluation", {}).get("dicebear_test")
