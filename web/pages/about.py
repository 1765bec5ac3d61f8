"""Page /about: limits of use, privacy, and the model card."""

from __future__ import annotations

from flask import render_template

from ..inference import analyzer
from .base import pages
from .model_card import architecture_rows, covered_card, head_card, rejection_card, text_card


@pages.get("/about")
def about() -> str:
    classifier = analyzer().classifier
    registry, served = analyzer().registry, classifier.head_entry.name
    heads = sorted(registry.entries("expression-head"), key=lambda entry: entry.name != served)
    return render_template(
        "about.html",
        heads=[head_card(entry) for entry in heads],
        served=served,
        features=classifier.backbone_entry.output,
        rejection=rejection_card(heads[0]),
        covered=covered_card(classifier.covered_entry),
        architectures=architecture_rows(registry.folder),
        models=[entry.metadata for entry in registry.entries()],
        texts=[text_card(entry) for entry in registry.entries("text")],
    )
