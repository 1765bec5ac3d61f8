"""Measure the exported models as they are served, on FER2013's test split, and write the figures into manifest and card.

    python -m scripts.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.evaluate             # measure and write
    python -m scripts.evaluate --verify    # measure again and compare with what is published
    python -m scripts.evaluate --models build/models --run runs/resnet50   # a design exported elsewhere

Of a folder with several designs, the heads of the run's base are measured, or with --verify all.

Needs no TensorFlow: it calls the library. Figures are single view, from the int8 files, with test looked at for this report only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from emotions.artefacts import BUNDLED, ArtefactError, Artefacts
from emotions.expressions import ExpressionModel, softmax

from .card import write_card
from .datasets import DatasetError, Faces
from .manifest import put_entry
from .metrics import accuracy, calibration_error, class_f1, confusion, interval, macro_f1

TOLERANCE = 3
"""Answers that may differ from the published count: another CPU's kernels round otherwise."""


def figures(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Everything that is published about (N, 7) probabilities against (N,) class ids."""
    guess = probabilities.argmax(axis=1)
    matrix = confusion(truth, guess)
    low, high = interval(guess == truth)
    return {
        "count": len(truth),
        "right": int(np.trace(matrix)),
        "accuracy": round(accuracy(matrix), 4),
        "interval": [round(low, 4), round(high, 4)],
        "macro_f1": round(macro_f1(matrix), 4),
        "ece": round(calibration_error(probabilities, truth), 4),
        "f1": [round(float(value), 4) for value in class_f1(matrix)],
        "confusion": matrix.tolist(),
    }


def unseen(faces: Faces) -> np.ndarray:
    """(N,) mask: faces of no earlier split, pixel for pixel; FER2013 holds hundreds of repeats across its splits."""
    earlier = {face.tobytes() for face in faces.pixels[faces.splits != "test"]}
    return np.array([face.tobytes() not in earlier for face in faces.pixels])


def heads_of(artefacts: Artefacts, base: str | None = None) -> list[dict[str, Any]]:
    """Manifest entries of the expression heads, all or those that read one base. Raises ArtefactError for an unknown base."""
    wanted = base and artefacts.entry("expression-base", base)["name"]
    return [entry for entry in artefacts.entries("expression-head") if wanted in (None, entry["base"])]


def evaluate(folder: Path, faces: Faces, base: str | None = None) -> dict[str, dict[str, Any]]:
    """Figures of the expression heads in `folder`, all or those of a base, on the test split: {head: {truth: figures}}."""
    test = faces.split("test")
    truth, clear = test.majority()
    fresh = unseen(faces)[faces.splits == "test"]
    artefacts, report, cache = Artefacts(folder), {}, {}
    for entry in heads_of(artefacts, base):
        model = ExpressionModel(artefacts, entry["name"])
        if entry["base"] not in cache:
            cache[entry["base"]] = model.features(test.pixels)
        probabilities = softmax(model.logits(cache[entry["base"]]), entry["temperature"])
        report[entry["name"]] = {
            "fer2013_test": figures(probabilities, test.labels),
            "fer2013_test_unseen": figures(probabilities[fresh], test.labels[fresh]),
            "ferplus_test": figures(probabilities[clear], truth[clear]),
        }
    return report


def compare(published: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """What differs between published and measured figures, a line each."""
    lines = []
    for head, truths in measured.items():
        for name, now in truths.items():
            then = published.get(head, {}).get(name)
            if then is None or then["count"] != now["count"] or abs(then["right"] - now["right"]) > TOLERANCE:
                was = "nothing" if then is None else f"{then['right']} of {then['count']}"
                lines.append(f"{head} on {name}: published {was}, measured {now['right']} of {now['count']}")
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.prepare")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="the run that was exported, for the card's recipe")
    parser.add_argument("--verify", action="store_true", help="compare with the published figures instead of writing them")
    options = parser.parse_args(arguments)
    try:
        config = None if options.verify else json.loads((options.run / "config.json").read_text())
        base = config and config["name"]
        measured = evaluate(options.models, Faces.load(options.faces), base)
    except (DatasetError, ArtefactError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    for head, truths in measured.items():
        for name, row in truths.items():
            print(f"{head:22} {name:20} accuracy {row['accuracy']:.4f} ({row['right']} of {row['count']}), "
                  f"macro-F1 {row['macro_f1']:.4f}, calibration error {row['ece']:.4f}")  # fmt: skip
    entries = heads_of(Artefacts(options.models), base)
    if options.verify:
        differences = compare({entry["name"]: entry.get("evaluation", {}) for entry in entries}, measured)
        parser.exit(1, "\n".join(differences) + "\n") if differences else print("as published in the manifest and the card")
        return
    for entry in entries:
        put_entry(options.models, {**entry, "evaluation": measured[entry["name"]]}, options.models / entry["file"])
    print(f"written: {write_card(options.models, config)}")


if __name__ == "__main__":
    main()
