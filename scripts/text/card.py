"""The text model's card: Markdown written from its manifest entry, never by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotions.labels import EMOTIONS

from ..common.git import commit
from ..report.card import filled

INTRODUCTION = """Seven independent probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for an English text, and
which of them are above thresholds. Written by `python -m scripts.text.evaluate` from the exported file; every figure is through
the library's code, as texts are served."""
LIMITS = """What is read is the wording of a text, not what its writer feels. The labels are what three or more raters, all
English speakers in India, saw in single Reddit comments without their thread; they often disagreed. Reddit's writers are mostly
young men from English-speaking countries, and its language carries their slang and their prejudices: no groups of people were
compared. Sarcasm, irony and quotes are mostly taken at their word, and context outside of the text is unknown to it. English
only: the check that refuses other languages knows words and scripts, not meanings. Do not decide anything about a person by it:
not whom to hire, grade, insure, admit, moderate without appeal, suspect or diagnose; it is no detector of suicidal thoughts.
The EU's AI Act (Article 5(1)(f)) forbids inferring emotions at work and in education from biometric data, and other law may
forbid it from texts."""
NETWORK = """Four Transformer blocks of width 384 with 12 heads over {pieces:,} word pieces; {parameters:,} weights, stored as
int8 ({bytes:,} bytes with the word lists). It reads up to {longest} pieces at once; longer texts are read by the sentence, and
the whole is the mean of their probabilities weighted by length."""
BEGUN = """layers {layers} of all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0; after MiniLM, Wang et al., 2020, MIT), whose
makers trained it on a billion pairs of sentences from the web, Reddit among them, without emotion labels; its table of pieces
cut to the {stored:,} that GoEmotions' training texts use most and to {rank} numbers each."""
RECIPE = """epochs on GoEmotions' training split: {epochs} of the {schedule} that the cosine was laid out for; AdamW, peak rate
{peak:g}, batch {batch}, dropout {dropout:g}; binary cross-entropy of the seven classes and, at weight {fine:g}, of the 28 fine
labels; {names:.0%} of masked names replaced by real ones."""
DATA = """GoEmotions: D. Demszky, D. Movshovitz-Attias, J. Ko, A. Cowen, G. Nemade and S. Ravi, “GoEmotions: A Dataset of
Fine-Grained Emotions”, ACL 2020, licensed under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/); 43,410 Reddit
comments were learnt from, with the corpus's own Ekman grouping (joy is `happy`, sadness `sad`; neutral is the seventh class).
The comments' writers hold their own rights. MELD (research use) was measured on and never learnt from."""
SCORES = """A class is said where its probability is above its threshold; a refused text says none. Macro-F1: mean F1 of the
seven classes. Intervals: bootstrap over texts, 1,000 draws. For comparison, the same classes and split: BERT-base 0.62 to
0.64."""
MELD = """MELD's lines are from a television series and were labelled by people who saw and heard the scene, so no reader of the
words alone can agree with them often."""
TITLES = {
    "goemotions_dev": "GoEmotions dev (thresholds were chosen on it)",
    "goemotions_test": "GoEmotions test",
    "meld_test": "MELD test, not learnt from",
}


def write_card(folder: Path, entry: dict[str, Any]) -> Path:
    """Write the card that the entry names; gives its path."""
    config, evaluation = entry["config"], entry["evaluation"]
    told = {
        "Network": NETWORK.format(**entry["input"], parameters=entry["parameters"], bytes=entry["bytes"]),
        "Begun from": BEGUN.format(layers=", ".join(map(str, config["layers"])), rank=config["rank"], stored=config["stored"]),
        "Recipe": RECIPE.format(**config["optimiser"], **config["loss"]),
        "Licence": f"{entry['licence']}.",
        "Chosen on": "the dev split: number of epochs, thresholds. Test was only reported.",
        "Source": f"measured at commit {commit()}.",
    }
    parts = [
        f"# Model card: {entry['name']} {entry['version']}", filled(INTRODUCTION),
        "\n".join(filled(f"- **{name}**: {text}", "  ") for name, text in told.items()),
        "## What it is not for", filled(LIMITS), "## Data and licences", filled(DATA),
        "## Accuracy, multi-label", summary(evaluation),
        filled(SCORES),
        "## Class by class", *classes(entry), "## Out of its domain", filled(MELD), single(evaluation),
        "## What smaller weights changed, on dev", quantisation(entry["quantisation"]),
        "## Configuration", "```json\n" + json.dumps(config, indent=1) + "\n```",
    ]  # fmt: skip
    path = folder / entry["card"]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def summary(evaluation: dict[str, Any]) -> str:
    lines = ["| measured on | texts | macro-F1 | 95 % interval | refused |", "| --- | ---: | ---: | --- | ---: |"]
    for name, report in evaluation.items():
        low, high = report["interval"]
        title = TITLES.get(name, name)
        lines.append(
            f"| {title} | {report['count']:,} | {report['macro_f1']:.3f} | {low:.3f} to {high:.3f} | {report['refused']:.2%} |"
        )
    return "\n".join(lines)


def classes(entry: dict[str, Any]) -> list[str]:
    """A table a corpus: threshold, texts, precision, recall and F1 of each class."""
    found = []
    for name, report in entry["evaluation"].items():
        lines = ["| class | threshold | texts | precision | recall | F1 |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
        for emotion in EMOTIONS:
            numbers = " | ".join(f"{report[figure][emotion]:.3f}" for figure in ("precision", "recall", "f1"))
            lines.append(f"| {emotion} | {entry['thresholds'][emotion]:.2f} | {report['texts'][emotion]:,} | {numbers} |")
        found += [f"### {TITLES.get(name, name)}", "\n".join(lines)]
    return found


def single(evaluation: dict[str, Any]) -> str:
    """Figures of the one likeliest emotion, for corpora with one label a text."""
    lines = ["| measured on | accuracy of `emotion` | macro-F1 | weighted F1 |", "| --- | ---: | ---: | ---: |"]
    for name, report in evaluation.items():
        if one := report.get("single"):
            lines.append(
                f"| {TITLES.get(name, name)} | {one['accuracy']:.1%} | {one['macro_f1']:.3f} | {one['weighted_f1']:.3f} |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def quantisation(report: dict[str, Any]) -> str:
    return (
        f"Macro-F1 {report['trained']:.4f} as trained and {report['stored']:.4f} as stored; {report['same_answers']:.1%} of "
        "texts get the same answers."
    )
