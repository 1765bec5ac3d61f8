"""Pages /about, with limits of use, privacy and accuracy, and /about/models, with the details of all models."""

from __future__ import annotations

from typing import Any

from flask import render_template

from ..inference import analyzer
from .base import pages
from .model_card import architecture_rows, covered_card, head_card, rejection_card, text_card


@pages.get("/about")
def about() -> str:
    return render_template("about.html", **_cards())


@pages.get("/about/models")
def models() -> str:
    registry = analyzer().registry
    return render_template(
        "models.html",
        features=analyzer().classifier.backbone_entry.output,
        architectures=architecture_rows(registry.folder),
        models=[entry.metadata for entry in registry.entries()],
        **_cards(),
    )


def _cards() -> dict[str, Any]:
    """Return the figures that both pages show, those of the served head first."""
    classifier, registry = analyzer().classifier, analyzer().registry
    served = classifier.head_entry.name
    heads = sorted(registry.entries("expression-head"), key=lambda entry: entry.name != served)
    return {
        "heads": [head_card(entry) for entry in heads],
        "served": served,
        "rejection": rejection_card(heads[0]),
        "covered": covered_card(classifier.covered_entry),
        "texts": [text_card(entry) for entry in registry.entries("text")],
    }
