"""Evaluate the published text model on the dev and test splits; write manifest and card.

    python -m scripts.text.evaluate --data goemotions.csv.gz --meld meld.csv.gz

With --verify it compares with the published metrics and writes nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from emotions.errors import ModelFileError
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.text.classifier import TextClassifier

from ..common.manifest import put_entry
from .card import write_card
from .checklist import pass_rates, read_cases, run
from .corpora import CorpusError, read_goemotions, read_meld
from .metrics import corpus_metrics

TOLERANCE = 0.002
"""Accepted difference of macro-F1: kernels of other processors round differently."""


def measure(models: Path, goemotions: Path, meld: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    """Metrics of the text model in `models` by test set: GoEmotions' dev and test splits, and MELD's test split."""
    classifier, splits = TextClassifier(ModelRegistry(models)), read_goemotions(goemotions, limit)
    measured = {f"goemotions_{split}": corpus_metrics(classifier, splits[split]) for split in ("dev", "test")}
    if meld:
        measured["meld_test"] = corpus_metrics(classifier, read_meld(meld))
    return measured


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="goemotions.csv.gz")
    parser.add_argument("--limit", type=int, help="texts of each split, for a dry run")
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--meld", type=Path, help="meld.csv.gz, never trained on")
    parser.add_argument("--verify", action="store_true", help="compare with the published metrics, write nothing")
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.models, options.data, options.meld, options.limit)
        entry = ModelRegistry(options.models).entry("text").metadata
        published = entry.get("evaluation", {})
        for name, report in measured.items():
            print(
                f"{name}: macro-F1 {report['macro_f1']} {report['interval']} of {report['count']:,} texts, "
                f"{report['refused']:.2%} abstained"
            )
        if options.verify:
            differences = {name: report["macro_f1"] - published[name]["macro_f1"] for name, report in measured.items()}
            changed = [name for name, difference in differences.items() if abs(difference) > TOLERANCE]
            if changed:
                parser.exit(1, f"macro-F1 differs from the published value: {', '.join(changed)}\n")
            print("macro-F1 is as published")
            return
        behavior = pass_rates(run(TextClassifier(ModelRegistry(options.models)), read_cases()))
        for name, (passed, count) in behavior.items():
            print(f"checklist, {name}: {passed} of {count}")
        entry = {**entry, "evaluation": published | measured, "behavior": behavior}
        entry = put_entry(options.models, entry, options.models / entry["file"])
        print(f"written: {write_card(options.models, entry)}")
    except (ModelFileError, CorpusError, OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
