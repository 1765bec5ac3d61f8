"""The manifest's figures in the form the pages show: reliability, confusion shares, recall and precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotions import EMOTIONS
from emotions.runtime.manifest import ModelEntry

TEST_SETS = {
    "fer2013_test": "FER2013 test faces, original labels",
    "fer2013_test_unseen": "The same without faces that an earlier split holds too",
    "ferplus_test": "The test faces on which more than half of the FER+ votes agree, labelled so",
    "facial_expressions_test": "Test faces of muxspace/facial_expressions, of people whom its other splits do not show",
    "dicebear_test": "Drawn faces of families of styles that nothing learnt",
}
SHORT = {"fer2013_test": "by FER2013's labels", "ferplus_test": "by FER+ majorities"}
DOUBT_LIMITS = {
    "turned": ("The face is turned", "the head points more than {:.0f} degrees to a side"),
    "small": ("The face is small", "the square that is read covers less than {:.0f} pixels of the picture a side"),
    "blurred": ("The face is blurred", "the square's edges are too soft (sharpness below {:.2f}, where 0.45 is usual)"),
    "low_confidence": ("No emotion stands out", "the most likely one has less than {:.0%}"),
}
"""Doubt -> what the page calls it, and its limit in words."""
NUMBERS = {"accuracy": "Accuracy", "balanced_recall": "Balanced recall", "macro_f1": "Macro-F1", "ece": "Calibration error"}
ENOUGH = 20
"""Faces a bin needs before its accuracy is quoted: below, the share's standard error exceeds 10 points."""


def reliability_of(confidence: float, bins: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The reliability bin that `confidence` (0..1) falls in; None if there is none or it holds too few faces."""
    for entry in bins:
        if entry["low"] <= confidence < entry["high"] or confidence == entry["high"] == 1:
            return entry if entry["count"] >= ENOUGH else None
    return None


def confusion_shares(counts: list[list[int]]) -> list[dict[str, Any]]:
    """Rows of a confusion matrix (7 x 7 counts, row = label, column = answer) as shares of the row's faces."""
    return [
        {"emotion": name, "shares": [count / max(sum(row), 1) for count in row]}
        for name, row in zip(EMOTIONS, counts, strict=True)
    ]


def per_emotion(counts: list[list[int]]) -> list[dict[str, Any]]:
    """Count of faces, recall and precision of each emotion; recall is None without faces, precision for one never answered."""
    answered = [sum(column) for column in zip(*counts, strict=True)]
    return [
        {
            "emotion": name,
            "count": sum(row),
            "recall": row[index] / sum(row) if any(row) else None,
            "precision": row[index] / answered[index] if answered[index] else None,
        }
        for index, (name, row) in enumerate(zip(EMOTIONS, counts, strict=True))
    ]


def head_card(entry: ModelEntry) -> dict[str, Any]:
    """What `/about` shows of an expression head: only what its manifest entry holds."""
    evaluations = [_evaluation(name, figures) for name, figures in entry.evaluation.items()]
    return {**entry.metadata, "evaluations": evaluations, "reliability": entry.reliability}


def doubt_card(entry: ModelEntry) -> dict[str, Any]:
    """What `/about` shows of a head's doubts: `limits` in words, and `sets` with what the marks were worth on test faces."""
    thresholds, measured = entry.thresholds, entry.metadata.get("doubts", {})
    limits = [(title, words.format(thresholds[name])) for name, (title, words) in DOUBT_LIMITS.items() if name in thresholds]
    titles = {name: SHORT.get(name, f"by the labels of {name.removesuffix('_test')}") for name in measured}
    sets = [{**figures, "title": titles[name]} for name, figures in measured.items()]
    return {"limits": limits, "sets": sets}


def design_cards(folder: Path) -> list[dict[str, Any]]:
    """Rows of the table of designs, which `make readme` leaves beside the shipped models; none for other folders."""
    path = folder / "designs.json"
    if not path.is_file():
        return []
    return [{**row, "confusion": confusion_shares(row["confusion"])} for row in json.loads(path.read_text())]


TEXT_SETS = {"goemotions_test": "GoEmotions test", "meld_test": "MELD test"}


def text_card(entry: ModelEntry) -> dict[str, Any]:
    """What `/about` shows of a text model."""
    measured = entry.evaluation
    sets = [{**measured[name], "title": title} for name, title in TEXT_SETS.items() if name in measured]
    return {**entry.metadata, "evaluations": sets}


def _evaluation(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    confusion = figures.get("confusion")
    return {
        "title": TEST_SETS.get(name, name.replace("_", " ")),
        "count": figures.get("count"),
        "numbers": [(label, f"{100 * figures[key]:.1f} %") for key, label in NUMBERS.items() if key in figures],
        "groups": [(group, f"{100 * recall:.1f} %") for group, recall in figures.get("groups", {}).items()],
        "interval": [f"{100 * end:.1f}" for end in figures.get("interval", [])],
        "confusion": confusion and confusion_shares(confusion),
        "per_emotion": confusion and per_emotion(confusion),
    }
