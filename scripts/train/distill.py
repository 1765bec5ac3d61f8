"""Distill larger teachers into a student: cross-fitted teachers, their soft labels, then the student.

    python -m scripts.train.distill --config scripts/configs/distill.toml --run runs/distill

An interrupted run skips finished parts when it is started again. A dry run (--limit) has its own folder inside the run's, so that
nothing of it is mistaken for finished.

The run's folder gets a folder for each teacher and fold, the averaged soft labels (soft.npz) and the student (student/, which
`scripts.train.heads --run` and `scripts.release.export --run` take like any other run). Any Keras backend; meant for a GPU.
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
from .targets import accuracy_on, average_soft_labels, fold_of, predict_soft_labels, save_soft_labels, training_faces


def distill(plan: dict[str, Any], configs: Path, run: Path, precision: str | None = None, limit: int | None = None) -> None:
    """Train all teachers and the student of `plan` that `run` does not hold yet.

    Args:
        plan: content of distill.toml.
        configs: folder of the teachers' and the student's configurations.
        run: folder of the results.
        precision: Keras dtype policy.
        limit: number of training faces of a dry run.
    """
    tables = {name: plan[name] for name in ("faces", "drawn") if name in plan}
    label_sets = list(available_label_sets(Faces.load(plan["faces"])))
    changes = {"precision": precision, "init_from": None, "label_sets": label_sets}
    run = run / f"dry-run-{limit}" if limit else run
    parts: list[list[Path]] = []
    for teacher in plan["teachers"]:
        parts.append([])
        for fold in range(plan["folds"]):
            config = tomllib.loads((configs / teacher).read_text(encoding="utf-8")) | changes
            config["data"] = config["data"] | tables | {"held_out_fold": [fold, plan["folds"]]}
            folder = run / f"{Path(teacher).stem}-{fold}"
            parts[-1].append(folder / "soft.npz")
            if not parts[-1][-1].is_file():
                _train_teacher(config, folder, plan["tta_shift"], limit)
    soft = run / "soft.npz"
    if not soft.is_file():
        average: dict[str, Any] = average_soft_labels(parts)
        np.savez_compressed(soft, **average)
    config = tomllib.loads((configs / plan["student"]).read_text(encoding="utf-8")) | changes
    config["data"] = config["data"] | tables | {"soft": str(soft)}
    config["loss"] = config["loss"] | {"soft": plan["soft_weight"]}
    if not (run / "student" / "base.keras").is_file():
        train_base(config, run / "student", limit)


def _train_teacher(config: dict[str, Any], folder: Path, shift: int, limit: int | None) -> None:
    """Train a teacher without its held-out fold, write its soft labels for that fold and print their accuracy."""
    train_base(config, folder, limit)
    model, _, _ = training_model(copy.deepcopy(config))
    model.load_weights(folder / "last.weights.h5")
    fold, folds = config["data"]["held_out_fold"]
    train = training_faces({name: config["data"].get(name) for name in ("faces", "drawn")})
    faces = train.where(fold_of(train, folds) == fold)
    soft = predict_soft_labels(model, faces, shift)
    accuracy = accuracy_on(soft[config["label_sets"][0]], config["label_sets"][0], faces)
    print(f"{folder.name}: {accuracy:.4f} accuracy on {len(faces)} held-out faces", flush=True)
    save_soft_labels(folder / "soft.npz", faces, soft)
    keras.utils.clear_session()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/distill.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/distill"))
    parser.add_argument("--precision", help="Keras dtype policy, such as mixed_bfloat16")
    parser.add_argument("--limit", type=int, help="dry run: train on only so many faces")
    options = parser.parse_args(arguments)
    try:
        plan = tomllib.loads(options.config.read_text(encoding="utf-8"))
        distill(plan, options.config.parent, options.run, options.precision, options.limit)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
