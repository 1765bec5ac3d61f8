"""Measure the published text model on the test splits and write manifest and card.

    python -m scripts.text.evaluate --data goemotions.csv.gz --meld meld.csv.gz

With --verify it compares with what is published and writes nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emotions.errors import ModelFileError
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.text.classifier import TextClassifier

from ..common.manifest import put_entry
from .card import write_card
from .corpora import CorpusError, read_goemotions, read_meld
from .measure import figures

TOLERANCE = 0.002
"""Macro-F1 that may differ from the published one: another processor's kernels round otherwise."""


def evaluate(options: argparse.Namespace) -> int:
    registry = ModelRegistry(options.models)
    entry, model = registry.entry("text").metadata, TextClassifier(registry)
    splits = read_goemotions(options.data, options.limit)
    measured = {f"goemotions_{split}": figures(model, splits[split]) for split in ("dev", "test")}
    if options.meld:
        measured["meld_test"] = figures(model, read_meld(options.meld))
    for name, report in measured.items():
        print(
            f"{name}: macro-F1 {report['macro_f1']} {report['interval']} of {report['count']:,} texts, "
            f"{report['refused']:.2%} refused"
        )
    if options.verify:
        published = entry.get("evaluation", {})
        differing = [
            name for name, report in measured.items() if abs(report["macro_f1"] - published[name]["macro_f1"]) > TOLERANCE
        ]
        print(f"differs from what is published: {', '.join(differing)}" if differing else "as published")
        return 1 if differing else 0
    entry = put_entry(
        options.models, {**entry, "evaluation": entry.get("evaluation", {}) | measured}, options.models / entry["file"]
    )
    print(f"written: {write_card(options.models, entry)}")
    return 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="goemotions.csv.gz")
    parser.add_argument("--limit", type=int, help="texts of each split: enough to rehearse")
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--meld", type=Path, help="meld.csv.gz, never trained on")
    parser.add_argument("--verify", action="store_true", help="compare with the published figures, write nothing")
    options = parser.parse_args(arguments)
    try:
        parser.exit(evaluate(options))
    except (ModelFileError, CorpusError, OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
