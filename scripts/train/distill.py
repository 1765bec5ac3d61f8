"""Teach a student by the answers of larger teachers: cross-fitted folds, then the student, in one command that can be repeated.

    python -m scripts.train.distill --config scripts/configs/distil.toml --run runs/distil

Stopped and started again, it skips whatever is finished. A rehearsal (--limit) has a folder of its own in the run's, so that
nothing of it is taken for finished.

The folder of the run gets a folder for each teacher and fold, their mean answers (soft.npz) and the student (student/, which
`scripts.train heads --run` and `scripts.release.export --run` take as any other run). Any Keras backend; a GPU is meant.
"""

from __future__ import annotations

import argparse
import copy
import tomllib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..data.dataset import DatasetError, Faces
from ..data.labels import available_label_sets
from .backbones import DesignError
from .base import train_base
from .optimisation import training_model
from .targets import fold_of, training_faces, average_soft_labels, save_soft_labels, accuracy_on, predict_soft_labels


def teach(plan: dict[str, Any], recipes: Path, run: Path, precision: str | None, limit: int | None) -> None:
    """Everything that `plan` (the configuration) asks for and `run` does not have yet. `recipes`: folder of its recipes."""
    tables = {name: plan[name] for name in ("faces", "drawn") if name in plan}
    label_sets = list(available_label_sets(Faces.load(plan["faces"])))
    changes = {"precision": precision, "start": None, "label_sets": label_sets}
    run = run / f"rehearsal-{limit}" if limit else run
    answers = []
    for teacher in plan["teachers"]:
        answers.append([])
        for fold in range(plan["folds"]):
            config = tomllib.loads((recipes / teacher).read_text()) | changes
            config["data"] = config["data"] | tables | {"left_out": [fold, plan["folds"]]}
            folder = run / f"{Path(teacher).stem}-{fold}"
            answers[-1].append(folder / "soft.npz")
            if not answers[-1][-1].is_file():
                _teacher(config, folder, plan["shift"], limit)
    soft = run / "soft.npz"
    if not soft.is_file():
        np.savez_compressed(soft, **average_soft_labels(answers))
    config = tomllib.loads((recipes / plan["student"]).read_text()) | changes
    config["data"] = config["data"] | tables | {"soft": str(soft)}
    config["loss"] = config["loss"] | {"soft": plan["share"]}
    if not (run / "student" / "base.keras").is_file():
        train_base(config, run / "student", limit)


def _teacher(config: dict[str, Any], folder: Path, shift: int, limit: int | None) -> None:
    """Train one teacher without its fold, then let it answer for that fold; print how often it agrees with the labels."""
    train_base(config, folder, limit)
    model, _, _ = training_model(copy.deepcopy(config))
    model.load_weights(folder / "last.weights.h5")
    fold, folds = config["data"]["left_out"]
    train = training_faces({name: config["data"].get(name) for name in ("faces", "drawn")})
    faces = train.where(fold_of(train, folds) == fold)
    answers = predict_soft_labels(model, faces, shift)
    right = accuracy_on(answers[config["label_sets"][0]], config["label_sets"][0], faces)
    print(f"{folder.name}: {right:.4f} of the {len(faces)} faces that it never saw, ten views", flush=True)
    save_soft_labels(folder / "soft.npz", faces, answers)
    keras.utils.clear_session()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/distil.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/distil"))
    parser.add_argument("--precision", help="Keras dtype policy, such as mixed_bfloat16")
    parser.add_argument("--limit", type=int, help="train on only so many faces, to rehearse")
    options = parser.parse_args(arguments)
    try:
        teach(tomllib.loads(options.config.read_text()), options.config.parent, options.run, options.precision, options.limit)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
