"""Let finished runs answer for the faces they learnt from; a later run learns their mean answers beside the labels.

    python -m scripts.train.soft_labels --runs runs/vgg16-decay runs/vgg16-mixup --to data/soft.npz

A network taught by its own kind is often right more often than its teachers (Furlanello et al., "Born-again neural networks",
2018): wrong labels weigh less, and similar expressions share a face. These teachers saw the labels that they judge;
scripts.train.distill has teachers that did not, for several times the price. Prints how often each teacher, and their mean, is right
on the validation faces, which none of them learnt from.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np

from ..data.dataset import DatasetError, Faces
from .optimisation import training_model
from .targets import training_faces, average_soft_labels, save_soft_labels, accuracy_on, predict_soft_labels


def answer(run: Path, shift: int, to: Path) -> tuple[Faces, dict[str, np.ndarray]]:
    """Write the answers of `run` for the faces it learnt from to `to`; return its validation faces and its answers for these."""
    config = json.loads((run / "config.json").read_text())
    keras.config.set_dtype_policy(config.get("precision") or "float32")
    model, _, _ = training_model(config)
    model.load_weights(run / "last.weights.h5")
    faces, validation = training_faces(config["data"]), Faces.load(config["data"]["faces"]).split("validation")
    save_soft_labels(to, faces, predict_soft_labels(model, faces, shift))
    return validation, predict_soft_labels(model, validation, shift)


def report(name: str, answers: dict[str, np.ndarray], faces: Faces) -> None:
    for truth, given in answers.items():
        print(f"{name}: {truth} {accuracy_on(given, truth, faces):.4f} of validation", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of finished runs")
    parser.add_argument("--shift", type=int, default=0, help="pixels of ten views' shifts; 0: two views, as it is and mirrored")
    parser.add_argument("--to", type=Path, required=True, help="the file of answers; a configuration names it as data.soft")
    options = parser.parse_args(arguments)
    parts = [options.to.with_name(f"{options.to.stem}-{run.name}.npz") for run in options.runs]
    try:
        held_out = []
        for run, part in zip(options.runs, parts, strict=True):
            faces, answers = answer(run, options.shift, part)
            held_out.append(answers)
            report(run.name, answers, faces)
            keras.utils.clear_session()
        np.savez_compressed(options.to, **average_soft_labels([[part] for part in parts]))
        report("their mean", {truth: np.mean([one[truth] for one in held_out], axis=0) for truth in answers}, faces)
    except (DatasetError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
