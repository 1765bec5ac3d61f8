"""Measure the exported file on RAVDESS' actors 21 to 24, whom it never heard, through the library's own code; write its card.

    python -m scripts.speech.evaluate --corpora ravdess.tar emodb.tar
    python -m scripts.speech.evaluate --corpora ravdess.tar --verify       # compares, writes nothing

Recordings go in as files do that people send: decoded, cut into windows, checked, read. EmoDB's and TESS' archives add how much
of
their held-back speakers' speech is refused.
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
from .figures import figures
from .prepare import member_bytes
from .train import HELD_BACK

SHIPPED = "ravdess_actors_21_to_24"


def heard(archive: Path, reader: SpeechClassifier) -> dict[str, Any]:
    """The library's answers to the held-back speakers' clips: probabilities (N, 7), labels (-1 for none), speakers, reasons."""
    manifest = archive.with_name(f"{archive.stem}.manifest.csv")
    if not archive.is_file() or not manifest.is_file():
        raise DatasetError(f"{archive} and {manifest.name} are needed")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if f"{archive.stem}-{row['speaker']}" in HELD_BACK]
    with tarfile.open(archive) as packed:
        results = [reader.predict(member_bytes(packed, row["file"])) for row in rows]
    return {
        "probabilities": np.array([result.probabilities for result in results]),
        "labels": np.array([EMOTIONS.index(row["label7"]) if row["label7"] else -1 for row in rows]),
        "speakers": np.array([row["speaker"] for row in rows]),
        "reasons": [result.reason for result in results],
    }


def measured(archives: list[Path], folder: Path) -> dict[str, Any]:
    """What the manifest says of the shipped file: `figures` of RAVDESS' held-back actors, and `refused` by corpus."""
    reader, refused, told = SpeechClassifier(ModelRegistry(folder)), {}, None
    for archive in archives:
        found = heard(archive, reader)
        count = len(found["labels"])
        refused[archive.stem] = {"count": count, "refused": round(sum(map(bool, found["reasons"])) / count, 4)}
        if archive.stem == "ravdess":
            named = found["labels"] >= 0
            told = figures(found["probabilities"][named], found["labels"][named], found["speakers"][named])
    if told is None:
        raise DatasetError("name ravdess.tar: its actors 21 to 24 are what the file is measured on")
    return {"figures": told, "refused": refused}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--verify", action="store_true", help="compare with the manifest and write nothing")
    options = parser.parse_args(arguments)
    try:
        found = measured(options.corpora, options.models)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    entry = ModelRegistry(options.models).entry("speech").metadata
    row = found["figures"]
    print(f"{SHIPPED}: mean recall {row['recall']:.4f} over {row['count']} clips, calibration error {row['ece']:.4f}")
    for corpus, share in found["refused"].items():
        print(f"refused of {corpus}: {share['refused']:.2%} of {share['count']} clips")
    if options.verify:
        published = entry["evaluation"][SHIPPED]["recall"]
        if abs(published - row["recall"]) > 0.005:
            parser.exit(1, f"the manifest says {published}\n")
        return
    entry = {**entry, "evaluation": {**entry["evaluation"], SHIPPED: row}, "refused": found["refused"]}
    put_entry(options.models, entry, options.models / entry["file"])
    print(f"written: {write_card(options.models)}")


if __name__ == "__main__":
    main()
