"""Figures of the manifest prepared for /about: reliability, confusion matrices, recall and precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotions import EMOTIONS
from emotions.runtime.manifest import ModelEntry

TEST_SETS = {
    "fer2013_test": "FER2013 test faces, original labels",
    "fer2013_test_unseen": "The same without faces that are also in an earlier split",
    "ferplus_test": "The test faces on which more than half of the FER+ votes agree, with that label",
    "facial_expressions_test": "Test faces of muxspace/facial_expressions; nobody in them is in its other splits",
    "dicebear_test": "Drawn faces of style families outside the training data",
}
SHORT_TITLES = {"fer2013_test": "by FER2013's labels", "ferplus_test": "by FER+ majorities"}
UNSURE_LIMITS = {
    "turned": ("The face is turned", "the head points more than {:.0f} degrees to a side, or more than 40 up or down"),
    "small": ("The face is small", "the face crop covers less than {:.0f} pixels of the image a side"),
    "blurred": ("The face is blurred", "the face crop has a sharpness below {:.2f} (0.45 is usual)"),
    "low_confidence": ("Low confidence", "the most likely emotion has less than {:.0%}"),
}
"""Reason of `unsure` -> title, and description of its limit."""
NUMBERS = {"accuracy": "Accuracy", "balanced_recall": "Balanced recall", "macro_f1": "Macro-F1", "ece": "Calibration error"}
CALLED = {"happy": "smiles called happy"}
"""Label of a photograph -> title of the share that is called so; others are titled "label called label"."""
MIN_BIN_COUNT = 20
"""Faces a bin needs before its accuracy is quoted: below, its standard error exceeds 10 percentage points."""


def reliability_of(confidence: float, bins: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the reliability bin of `confidence` (0..1); None if there is none or it holds too few faces."""
    for entry in bins:
        if entry["low"] <= confidence < entry["high"] or confidence == entry["high"] == 1:
            return entry if entry["count"] >= MIN_BIN_COUNT else None
    return None


def confusion_shares(counts: list[list[int]]) -> list[dict[str, Any]]:
    """Normalize a confusion matrix (7 x 7 counts, row = label, column = prediction) by its rows."""
    return [
        {"emotion": name, "shares": [count / max(sum(row), 1) for count in row]}
        for name, row in zip(EMOTIONS, counts, strict=True)
    ]


def per_emotion(counts: list[list[int]]) -> list[dict[str, Any]]:
    """Return count, recall and precision of each emotion; recall is None without faces, precision without predictions."""
    predicted = [sum(column) for column in zip(*counts, strict=True)]
    return [
        {
            "emotion": name,
            "count": sum(row),
            "recall": row[index] / sum(row) if any(row) else None,
            "precision": row[index] / predicted[index] if predicted[index] else None,
        }
        for index, (name, row) in enumerate(zip(EMOTIONS, counts, strict=True))
    ]


def head_card(entry: ModelEntry) -> dict[str, Any]:
    """Prepare the entry of an expression head."""
    served = entry.metadata.get("through_api", {})
    evaluations = [_evaluation(name, figures, served.get(name, {})) for name, figures in entry.evaluation.items()]
    return {**entry.metadata, "evaluations": evaluations, "reliability": entry.reliability, "groups": groups_card(entry)}


def groups_card(entry: ModelEntry) -> dict[str, Any] | None:
    """Prepare what was measured of groups of people with a head, None without: `people`, `titles` of the shares, `rows` with the
    shares of a group in their order (None where it has no photographs), `differences` as (title, points, p-value), and `smiles`,
    the shares of women and men whose smiles are called happy, None without.
    """
    portraits = entry.metadata.get("portraits")
    if not portraits:
        return None
    labels = list(portraits["rows"][0]["labels"])
    rows = [{**row, "shares": [*map(row["labels"].get, labels), row["found"]]} for row in portraits["rows"]]
    called = {label: CALLED.get(label, f"{label} called {label}") for label in labels}
    differences = [(called[label], 100 * row["difference"], row["p"]) for label, row in portraits["differences"].items()]
    sexes = {row["group"]: row["labels"]["happy"]["share"] for row in rows if row["by"] == "sex" and "happy" in row["labels"]}
    return {
        "people": portraits["people"],
        "titles": [*called.values(), "faces found"],
        "rows": rows,
        "differences": differences,
        "smiles": sexes if {"women", "men"} <= sexes.keys() else None,
    }


def rejection_card(entry: ModelEntry) -> dict[str, Any]:
    """Prepare a head's rejection thresholds: `limits` in words, and `sets` with the accuracy of accepted test faces."""
    thresholds, measured = entry.thresholds, entry.metadata.get("doubts", {})
    limits = [(title, words.format(thresholds[name])) for name, (title, words) in UNSURE_LIMITS.items() if name in thresholds]
    titles = {name: SHORT_TITLES.get(name, f"by the labels of {name.removesuffix('_test')}") for name in measured}
    sets = [{**figures, "title": titles[name]} for name, figures in measured.items()]
    return {"limits": limits, "sets": sets}


def covered_card(entry: ModelEntry | None) -> dict[str, Any] | None:
    """Return what the head for covered faces calls covered among test faces, by what was painted on them; None without it."""
    return entry.evaluation.get("test") or None if entry else None


def architecture_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the table of architectures, which `make readme` writes beside the shipped models; else none."""
    path = folder / "designs.json"
    if not path.is_file():
        return []
    return [{**row, "confusion": confusion_shares(row["confusion"])} for row in json.loads(path.read_text(encoding="utf-8"))]


TEXT_SETS = {"goemotions_test": "GoEmotions test", "meld_test": "MELD test"}


def text_card(entry: ModelEntry) -> dict[str, Any]:
    """Prepare the entry of a text model."""
    measured = entry.evaluation
    sets = [{**measured[name], "title": title} for name, title in TEXT_SETS.items() if name in measured]
    return {**entry.metadata, "evaluations": sets}


def _evaluation(name: str, figures: dict[str, Any], served: dict[str, Any]) -> dict[str, Any]:
    """Prepare the `figures` of a test set, and those `served` through the API, which may be empty."""
    confusion = figures.get("confusion")
    numbers = [(label, f"{100 * figures[key]:.1f} %") for key, label in NUMBERS.items() if key in figures]
    if served:
        numbers.insert(1, ("Accuracy through the API", f"{100 * served['accuracy']:.1f} %"))
    return {
        "title": TEST_SETS.get(name, name.replace("_", " ")),
        "count": figures.get("count"),
        "numbers": numbers,
        "groups": [(group, f"{100 * recall:.1f} %") for group, recall in figures.get("groups", {}).items()],
        "interval": [f"{100 * end:.1f}" for end in figures.get("interval", [])],
        "confusion": confusion and confusion_shares(confusion),
        "per_emotion": confusion and per_emotion(confusion),
    }
