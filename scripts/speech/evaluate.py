"""Evaluate the exported model on RAVDESS' actors 21 to 24, whom it was not trained on, and write its card.

    python -m scripts.speech.evaluate --corpora ravdess.tar emodb.tar
    python -m scripts.speech.evaluate --corpora ravdess.tar --verify       # compares, writes nothing

Recordings are decoded and classified by the library's own code, those of RAVDESS also under the conditions of `conditions`: all
under those of MAIN, every fourth under the others. For EmoDB's and TESS' archives, only the share of the held-out speakers'
speech from which the model abstains is measured.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.speech.classifier import SpeechClassifier

from ..common.manifest import put_entry
from ..data.dataset import DatasetError
from .card import write_card
from .conditions import CONDITIONS, MAIN, wav_bytes
from .metrics import clip_metrics
from .prepare import member_bytes, read_samples
from .train import HELD_OUT_SPEAKERS

TEST_SET = "ravdess_actors_21_to_24"


def predict_held_out(archive: Path, classifier: SpeechClassifier) -> dict[str, Any]:
    """Classify the held-out speakers' clips: probabilities (N, 7), labels (N,) with -1 for none, speakers (N,), reasons."""
    manifest = archive.with_name(f"{archive.stem}.manifest.csv")
    if not archive.is_file() or not manifest.is_file():
        raise DatasetError(f"{archive} and {manifest.name} are needed")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if f"{archive.stem}-{row['speaker']}" in HELD_OUT_SPEAKERS]
    with tarfile.open(archive) as packed:
        results = [classifier.predict(member_bytes(packed, row["file"])) for row in rows]
    return {
        "probabilities": np.array([result.probabilities for result in results]),
        "labels": np.array([EMOTIONS.index(row["label7"]) if row["label7"] else -1 for row in rows]),
        "speakers": np.array([row["speaker"] for row in rows]),
        "reasons": [result.reason for result in results],
    }


CONDITION_STEP = 4
"""One held-out clip in so many is classified under the conditions beside MAIN."""


def step_of(name: str) -> int:
    """One clip in so many is classified under this condition."""
    return 1 if name in MAIN else CONDITION_STEP


def read_labelled(archive: Path) -> tuple[list[np.ndarray], list[str]]:
    """Decode the held-out speakers' labelled clips: samples and labels."""
    with archive.with_name(f"{archive.stem}.manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = [
            row for row in csv.DictReader(stream) if f"{archive.stem}-{row['speaker']}" in HELD_OUT_SPEAKERS and row["label7"]
        ]
    with tarfile.open(archive) as packed:
        return [read_samples(member_bytes(packed, row["file"])) for row in rows], [row["label7"] for row in rows]


def answers_under(name: str, recordings: list[np.ndarray], classifier: SpeechClassifier) -> list[str | None]:
    """Classify all recordings under a condition of MAIN, every fourth (CONDITION_STEP) under another one."""
    random, step = np.random.default_rng(0), step_of(name)
    return [classifier.predict(wav_bytes(CONDITIONS[name](one, random, recordings))).emotion for one in recordings[::step]]


def condition_row(answers: list[str | None], clean: list[str | None], labels: list[str]) -> dict[str, float]:
    """Compare answers with the labels and with those to the same clips as they are, all three in the same order.

    Returns:
        `count` of clips, how many are `right`, have another answer than the clean clip (`changed`), or none (`refused`), and the
        mean `recall` over the classes, in which no answer is a wrong one.
    """
    right = np.array([answer == label for answer, label in zip(answers, labels, strict=True)])
    return {
        "count": len(answers),
        "recall": round(float(np.mean([right[np.array(labels) == one].mean() for one in sorted(set(labels))])), 4),
        "right": int(right.sum()),
        "changed": sum(answer != before for answer, before in zip(answers, clean, strict=True)),
        "refused": answers.count(None),
    }


def measure_conditions(archive: Path, classifier: SpeechClassifier) -> dict[str, dict[str, float]]:
    """Classify held-out clips under each condition: rows by its name, see `condition_row`."""
    recordings, labels = read_labelled(archive)
    answers = {name: answers_under(name, recordings, classifier) for name in CONDITIONS}
    return condition_rows(answers, labels)


def condition_rows(answers: dict[str, list[str | None]], labels: list[str]) -> dict[str, dict[str, float]]:
    """Rows of all conditions from their answers, in the order of CONDITIONS."""
    found = {}
    for name in CONDITIONS:
        step = step_of(name)
        found[name] = condition_row(answers[name], answers["clean"][::step], labels[::step])
        print(f"{name}: {found[name]}", flush=True)
    return found


def measure(archives: list[Path], folder: Path) -> dict[str, Any]:
    """Metrics for the manifest: `metrics` of RAVDESS' held-out actors, and `refused`, the share of abstentions by corpus."""
    classifier, refused, metrics = SpeechClassifier(ModelRegistry(folder)), {}, None
    for archive in archives:
        found = predict_held_out(archive, classifier)
        count = len(found["labels"])
        refused[archive.stem] = {"count": count, "refused": round(sum(map(bool, found["reasons"])) / count, 4)}
        if archive.stem == "ravdess":
            labelled = found["labels"] >= 0
            metrics = clip_metrics(found["probabilities"][labelled], found["labels"][labelled], found["speakers"][labelled])
    if metrics is None:
        raise DatasetError("ravdess.tar is missing from --corpora: the model is evaluated on its actors 21 to 24")
    return {"metrics": metrics, "refused": refused}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--verify", action="store_true", help="compare with the manifest and write nothing")
    options = parser.parse_args(arguments)
    try:
        found = measure(options.corpora, options.models)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    entry = ModelRegistry(options.models).entry("speech").metadata
    row = found["metrics"]
    print(f"{TEST_SET}: mean recall {row['recall']:.4f} over {row['count']} clips, calibration error {row['ece']:.4f}")
    for corpus, share in found["refused"].items():
        print(f"abstained on {corpus}: {share['refused']:.2%} of {share['count']} clips")
    if options.verify:
        published = entry["evaluation"][TEST_SET]["recall"]
        if abs(published - row["recall"]) > 0.005:
            parser.exit(1, f"the manifest says {published}\n")
        return
    ravdess = next(archive for archive in options.corpora if archive.stem == "ravdess")
    conditions = measure_conditions(ravdess, SpeechClassifier(ModelRegistry(options.models)))
    entry = {**entry, "conditions": conditions, "evaluation": {**entry["evaluation"], TEST_SET: row}, "refused": found["refused"]}
    put_entry(options.models, entry, options.models / entry["file"])
    print(f"written: {write_card(options.models)}")


if __name__ == "__main__":
    main()
