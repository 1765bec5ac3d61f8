"""Write the mean predictions of finished runs as soft labels for self-distillation.

    python -m scripts.train.soft_labels --runs runs/vgg16-decay runs/vgg16-mixup --out data/soft.npz

A network trained on the predictions of its own kind is often more accurate than its teachers (Furlanello et al., "Born-again
neural networks", 2018): wrong labels weigh less, and similar expressions share a face. These teachers were trained on the faces
that they predict. Prints the validation accuracy of each teacher and of their mean.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..data.dataset import DatasetError, Faces
from ..data.splits import without_copies
from .optimisation import training_model
from .targets import accuracy_on, average_soft_labels, predict_soft_labels, save_soft_labels, training_faces


def predict_run(run: Path, shift: int, out: Path) -> tuple[Faces, dict[str, np.ndarray]]:
    """Write the soft labels of `run` for its training faces to `out`; return its validation faces and the soft labels of
    these.
    """
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    keras.config.set_dtype_policy(config.get("precision") or "float32")
    model, _, _ = training_model(config)
    model.load_weights(run / "last.weights.h5")
    faces, validation = training_faces(config["data"]), without_copies(Faces.load(config["data"]["faces"])).split("validation")
    save_soft_labels(out, faces, predict_soft_labels(model, faces, shift))
    return validation, predict_soft_labels(model, validation, shift)


def report(name: str, soft: dict[str, np.ndarray], faces: Faces) -> None:
    """Print the accuracy on each label set."""
    for label_set, probabilities in soft.items():
        print(f"{name}: {label_set} {accuracy_on(probabilities, label_set, faces):.4f} validation accuracy", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of finished runs")
    parser.add_argument("--shift", type=int, default=0, help="pixels of ten views' shifts; 0: two views, original and mirrored")
    parser.add_argument("--out", type=Path, required=True, help="file of soft labels; a configuration names it as data.soft")
    options = parser.parse_args(arguments)
    try:
        # Part files are numbered: two runs in different folders may have one folder name.
        with tempfile.TemporaryDirectory() as scratch:
            parts = [Path(scratch) / f"{number}.npz" for number in range(len(options.runs))]
            validation = []
            for run, part in zip(options.runs, parts, strict=True):
                faces, soft = predict_run(run, options.shift, part)
                validation.append(soft)
                report(str(run), soft, faces)
                keras.utils.clear_session()
            options.out.parent.mkdir(parents=True, exist_ok=True)
            average: dict[str, Any] = average_soft_labels(parts)
            np.savez_compressed(options.out, **average)
        report("mean", {name: np.mean([one[name] for one in validation], axis=0) for name in soft}, faces)
    except (DatasetError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
