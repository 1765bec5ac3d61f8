"""Evaluate the exported model on RAVDESS' actors 21 to 24, whom it was not trained on, and write its card.

    python -m scripts.speech.evaluate --corpora ravdess.tar emodb.tar
    python -m scripts.speech.evaluate --corpora ravdess.tar --verify       # compares, writes nothing

Recordings are decoded and classified by the library's own code. For EmoDB's and TESS' archives, only the share of the held-out
speakers' speech from which the model abstains is measured.
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
from .metrics import clip_metrics
from .prepare import member_bytes
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
    entry = {**entry, "evaluation": {**entry["evaluation"], TEST_SET: row}, "refused": found["refused"]}
    put_entry(options.models, entry, options.models / entry["file"])
    print(f"written: {write_card(options.models)}")


if __name__ == "__main__":
    main()
