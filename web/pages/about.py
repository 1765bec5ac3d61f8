"""Model card, limits, uses and privacy: the page /about."""

from __future__ import annotations

from flask import render_template

from ..inference import analyzer
from .base import pages
from .model_card import design_cards, doubt_card, head_card, text_card


@pages.get("/about")
def about() -> str:
    """Model card, limits, uses and privacy."""
    registry = analyzer().registry
    served = analyzer().classifier.head_entry.name
    heads = sorted(registry.entries("expression-head"), key=lambda entry: entry.name != served)
    return render_template(
        "about.html", heads=[head_card(entry) for entry in heads], served=served, doubts=doubt_card(heads[0]), designs=design_cards(registry.folder),
        models=[entry.metadata for entry in registry.entries()], texts=[text_card(entry) for entry in registry.entries("text")],
    )  # fmt: skip
