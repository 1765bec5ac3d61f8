"""Model card of the speech model: Markdown rendered from its manifest entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import ModelRegistry
from emotions.speech.cleaning import MIN_SNR_DB

from ..common.git import commit
from ..report.card import render
from ..report.tables import confusion_table

TITLES = {
    "ravdess_cross_validated": "RAVDESS, cross-validated over `emobox_fold` (6 folds of 4 actors)",
    "ravdess_actors_21_to_24": "RAVDESS, the published file on actors 21 to 24, through the library",
    "emodb_speakers_out": "EmoDB, trained on EmoDB alone, leaving one speaker out (six classes: no surprise)",
    "tess_across_speakers": "TESS, trained on one actress and tested on the other, both ways",
}
"""Titles of the test sets, in the order of the card."""


def write_card(folder: Path) -> Path:
    """Write the card that the manifest entry of the speech model names into `folder`; return its path."""
    registry = ModelRegistry(folder)
    entry, check = registry.entry("speech").metadata, registry.entry("speech-check").metadata
    evaluation = {name: entry["evaluation"][name] for name in TITLES if name in entry["evaluation"]}
    by_speaker = sorted(evaluation["ravdess_cross_validated"]["by_speaker"].items(), key=lambda pair: pair[1])
    lowest, highest = (f"{recall:.0%} ({speaker})" for speaker, recall in (by_speaker[0], by_speaker[-1]))
    context = {
        "entry": entry, "check": check, "commit": commit(), "thresholds": entry["thresholds"],
        "recall_rows": list(recall_rows(evaluation)), "lowest": lowest, "highest": highest,
        "matrices": [(TITLES[name], confusion_table(report)) for name, report in evaluation.items()],
        "condition_rows": [
            (*recall_cells(name, row), *(f"{row[what] / row['count']:.0%}" for what in ("refused", "changed")))
            for name, row in entry.get("conditions", {}).items()
        ],
        "family_rows": [recall_cells(name, row) for name, row in entry.get("families", {}).items()], "min_snr": MIN_SNR_DB,
        "speech_rows": list(abstention_rows(entry, check)),
        "sound_rows": [
            (kind.replace("_", " "), "yes" if row["learnt"] else "no", f"{row['refused']:.0%}")
            for kind, row in check["refused"]["others"].items()
        ],
    }  # fmt: skip
    path = folder / entry["card"]
    path.write_text(render("speech_card.md.j2", context), encoding="utf-8")
    return path


def recall_cells(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Name, number of clips and mean recall."""
    return name, f"{row['count']:,}", f"{row['recall']:.1%}"


def recall_rows(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows of the table of mean recall, one for each test set."""
    for name, row in evaluation.items():
        low, high = row["interval"]
        yield (
            TITLES[name], f"{row['count']:,}", f"{row['speakers']}", f"**{row['recall']:.1%}**", f"{low:.1%} to {high:.1%}",
            f"{row['accuracy']:.1%}", f"{row['ece']:.3f}",
        )  # fmt: skip


def abstention_rows(entry: Mapping[str, Any], check: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows of the table of abstentions, one for each corpus; a dash where whole clips were not evaluated."""
    for corpus, row in check["refused"]["speech"].items():
        whole = entry.get("refused", {}).get(corpus)
        yield corpus, f"{row['count']:,}", f"{whole['refused']:.2%}" if whole else "–", f"{row['refused']:.2%}"
