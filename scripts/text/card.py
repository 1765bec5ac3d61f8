"""Model card of the text model: Markdown written from its manifest entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotions.labels import EMOTIONS

from ..common.git import commit
from ..common.markdown import table
from ..report.card import filled

INTRODUCTION = """Seven independent probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for an English text, and
which of them are over their thresholds. Written by `python -m scripts.text.evaluate`; all metrics were measured with the exported
file through the library's code, as texts are served."""
LIMITS = """The model classifies the wording of a text, not what its writer feels. The labels are what three or more raters, all
English speakers in India, saw in single Reddit comments without their thread; they often disagreed. Reddit's writers are mostly
young men from English-speaking countries, and its language carries their slang and their prejudices: no groups of people were
compared. Sarcasm, irony and quotes are mostly taken literally, and context outside of the text is unknown to the model. English
only: the language check knows words and scripts, not meanings. Do not decide anything about a person by it: not whom to hire,
grade, insure, admit, moderate without appeal, suspect or diagnose; it is no detector of suicidal thoughts. The EU's AI Act
(Article 5(1)(f)) forbids inferring emotions at work and in education from biometric data, and other law may forbid it from
texts."""
NETWORK = """Four Transformer blocks of width 384 with 12 heads and a vocabulary of {pieces:,} word pieces; {parameters:,}
weights, stored as int8 ({bytes:,} bytes with the word lists). The input has up to {longest} word pieces; longer texts are
classified by sentence, and their probabilities averaged, weighted by length."""
INITIAL = """layers {layers} of all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0; after MiniLM, Wang et al., 2020, MIT),
trained by its authors on a billion pairs of sentences from the web, Reddit among them, without emotion labels; its embedding
table reduced to the {stored:,} word pieces that are most frequent in GoEmotions' training texts and to {rank} numbers
each."""
TRAINING = """epochs on GoEmotions' training split: {epochs} of the {schedule} of the cosine schedule; AdamW, peak rate {peak:g},
batch {batch}, dropout {dropout:g}; binary cross-entropy of the seven classes and, at weight {fine:g}, of the 28 fine labels;
{names:.0%} of masked names replaced by real ones."""
DATA = """GoEmotions: D. Demszky, D. Movshovitz-Attias, J. Ko, A. Cowen, G. Nemade and S. Ravi, “GoEmotions: A Dataset of
Fine-Grained Emotions”, ACL 2020, licensed under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/); trained on 43,410
Reddit comments, with the corpus's own Ekman grouping (joy is `happy`, sadness `sad`; neutral is the seventh class). The
comments' writers hold their own rights. MELD (research use) was only evaluated on, never trained on."""
METRICS = """A class is predicted if its probability reaches its threshold; the model abstains from texts that are empty or not in
English, which then count as texts without any class. Macro-F1: mean F1 of the seven classes. Intervals: bootstrap over texts,
1,000 draws. For comparison, on the same classes and split: BERT-base 0.62 to 0.64."""
MELD = """MELD's lines are from a television series and were labelled by people who saw and heard the scene, so a model that reads
the words alone cannot agree with them often."""
TITLES = {
    "goemotions_dev": "GoEmotions dev (thresholds were chosen on it)",
    "goemotions_test": "GoEmotions test",
    "meld_test": "MELD test, not trained on",
}


def write_card(folder: Path, entry: dict[str, Any]) -> Path:
    """Write the card that the manifest entry names into `folder`; return its path."""
    config, evaluation = entry["config"], entry["evaluation"]
    facts = {
        "Network": NETWORK.format(**entry["input"], parameters=entry["parameters"], bytes=entry["bytes"]),
        "Initialised from": INITIAL.format(
            layers=", ".join(map(str, config["layers"])), rank=config["rank"], stored=config["stored"]
        ),
        "Training": TRAINING.format(**config["optimiser"], **config["loss"]),
        "Licence": f"{entry['licence']}.",
        "Chosen on": "the dev split: number of epochs, thresholds. The test split was only evaluated on.",
        "Source": f"measured at commit {commit()}.",
    }
    parts = [
        f"# Model card: {entry['name']} {entry['version']}", filled(INTRODUCTION),
        "\n".join(filled(f"- **{name}**: {text}", "  ") for name, text in facts.items()),
        "## Limits of use", filled(LIMITS), "## Data and licences", filled(DATA),
        "## Accuracy, multi-label", summary_table(evaluation), filled(METRICS),
        "## Metrics by class", *class_tables(entry), "## Out of domain", filled(MELD), single_label_table(evaluation),
        "## Effect of quantisation, on dev", quantisation(entry["quantisation"]),
        "## Configuration", "```json\n" + json.dumps(config, indent=1) + "\n```",
    ]  # fmt: skip
    path = folder / entry["card"]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def summary_table(evaluation: dict[str, Any]) -> str:
    """Macro-F1 by test set."""
    rows = []
    for name, report in evaluation.items():
        low, high = report["interval"]
        title = TITLES.get(name, name)
        rows.append(
            (title, f"{report['count']:,}", f"{report['macro_f1']:.3f}", f"{low:.3f} to {high:.3f}", f"{report['refused']:.2%}")
        )
    return table(("test set", "texts", "macro-F1", "95 % interval", "abstained"), "lrrlr", rows)


def class_tables(entry: dict[str, Any]) -> list[str]:
    """A heading and a table for each test set: threshold, number of texts, precision, recall and F1 of each class."""
    parts = []
    for name, report in entry["evaluation"].items():
        rows = [
            (emotion, f"{entry['thresholds'][emotion]:.2f}", f"{report['texts'][emotion]:,}",
             *(f"{report[metric][emotion]:.3f}" for metric in ("precision", "recall", "f1")))
            for emotion in EMOTIONS
        ]  # fmt: skip
        parts += [
            f"### {TITLES.get(name, name)}",
            table(("class", "threshold", "texts", "precision", "recall", "F1"), "lr", rows),
        ]
    return parts


def single_label_table(evaluation: dict[str, Any]) -> str:
    """Metrics of the predicted `emotion`, for test sets with one label a text; empty if there are none."""
    rows = [
        (TITLES.get(name, name), f"{one['accuracy']:.1%}", f"{one['macro_f1']:.3f}", f"{one['weighted_f1']:.3f}")
        for name, report in evaluation.items()
        if (one := report.get("single"))
    ]
    return table(("test set", "accuracy of `emotion`", "macro-F1", "weighted F1"), "lr", rows) if rows else ""


def quantisation(report: dict[str, Any]) -> str:
    """Metrics before and after quantisation in a sentence."""
    return (
        f"Macro-F1 {report['trained']:.4f} as trained and {report['stored']:.4f} as stored; {report['same_answers']:.1%} of "
        "texts get the same classes."
    )
