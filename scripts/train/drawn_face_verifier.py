"""Train the drawn-face verifier on bottleneck features and add it to models/.

    KERAS_BACKEND=tensorflow python -m scripts.train.drawn_face_verifier --styles data/sources/dicebear

It is trained on squares of DiceBear drawings (families of the training split) and of charts, letters and patterns, then once more
with the false positives on other charts (hard-negative mining). It belongs to one version of the backbone: scripts.release.export
removes it when that changes. emotions/face/drawn_detector.py uses it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import keras
import numpy as np

from emotions.errors import ModelFileError
from emotions.face.alignment import align_crop
from emotions.face.classifier import ExpressionClassifier
from emotions.face.drawn_detector import ROLE, sliding_windows, square_to_box
from emotions.runtime.manifest import BUNDLED, ModelRegistry

from ..common.litert import to_litert
from ..common.manifest import drop_entry, put_entry
from ..data.dataset import DatasetError
from ..data.sources import licence_of, source_of
from ..synthetic.catalogue import RECIPES
from ..synthetic.negatives import non_face_image
from ..synthetic.patches import labelled_patches
from ..synthetic.renderer import load_renderer
from .binary_head import logits, train_binary_head

NAME = "drawn-face-check"
THRESHOLDS = {"face": 3.0, "possible": 0.5, "flatness": 0.15}
"""Minimum logits of a face and of a square to refine, and the minimum share of one colour.

The search takes the best of about fifteen squares around a position, so that the first threshold may be high: in
scripts.evaluate.detection 1.5 found 87.2 % of drawings and a face in one of eight photos without any; 3.0 finds 86.0 %, and none.
"""
HARD_LOGIT = 1.0  # squares without a face above it are hard negatives of the second round
SEED = 20261123


def hard_negatives(head: keras.Model, model: ExpressionClassifier, graphics: int) -> np.ndarray:
    """Crops (N, S, S) of false positives on pictures without a face."""
    random, found = np.random.default_rng(SEED + 1), []
    for _ in range(graphics):
        grey = cv2.cvtColor(non_face_image(random), cv2.COLOR_RGB2GRAY)
        crops = np.stack([align_crop(grey, square_to_box(square), None, model.size) for square in sliding_windows(*grey.shape)])
        values = head(model.features(crops), training=False)
        found.append(crops[np.asarray(values)[:, 0] > HARD_LOGIT])
    return np.concatenate(found)


def positive_rates(values: np.ndarray, faces: np.ndarray) -> dict[str, float]:
    """True and false positive rate."""
    positive = values > THRESHOLDS["face"]
    return {"faces": round(float(positive[faces].mean()), 4), "others": round(float(positive[~faces].mean()), 4)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", type=Path, required=True, help="folder of the style definitions (*.json, or src/*.json)")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="table of style, expression, components")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", help="a head of the backbone, if the folder holds several backbones")
    parser.add_argument("--pictures", type=int, default=48, help="drawings of every style and expression")
    parser.add_argument("--graphics", type=int, default=2400, help="pictures without a face")
    options = parser.parse_args(arguments)
    try:
        renderer, model = (
            load_renderer(options.styles, options.recipes),
            ExpressionClassifier(ModelRegistry(options.models), options.head),
        )
        table = labelled_patches(renderer, options.pictures, options.graphics, model.size, SEED)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    features, training = model.features(table.crops), table.splits == "train"
    inputs, faces = features[training], table.faces[training]
    head = train_binary_head(inputs, faces, SEED)
    hard = hard_negatives(head, model, options.graphics // 2)
    inputs, faces = np.concatenate([inputs, model.features(hard)]), np.append(faces, np.zeros(len(hard), bool))
    head = train_binary_head(inputs, faces, SEED)
    print(f"trained on {training.sum()} squares and {len(hard)} hard negatives")
    rates = {}
    for split in ("validation", "test"):
        mask = table.splits == split
        if not table.faces[mask].any():
            continue
        rates[split] = positive_rates(logits(head, features[mask]), table.faces[mask])
        print(split, rates[split])
    put(options.models, model, head, rates)


def put(folder: Path, model: ExpressionClassifier, head: keras.Model, rates: dict[str, dict[str, float]]) -> None:
    """Write the head and its entry, replacing an earlier one."""
    base, registry = model.backbone_entry, ModelRegistry(folder)
    known = [entry.metadata for entry in registry.entries(ROLE) if entry.base == base.name]
    for entry in known:
        drop_entry(folder, ROLE, entry["name"])
        (folder / entry["file"]).unlink(missing_ok=True)
    own = "" if base == registry.entry("expression-base") else f"{base.name}-"
    put_entry(folder, {
        "name": f"{own}{NAME}", "role": ROLE, "version": base.version, "licence": licence_of([asdict(source_of("dicebear"))]),
        "file": f"{base.name}-{NAME}-{base.version}.tflite", "base": base.name, "crop": model.size,
        "input": {"size": head.input_shape[1], "channels": 1}, "output": 1, "parameters": head.count_params(),
        "thresholds": THRESHOLDS, "evaluation": rates,
    }, to_litert(head, "float16"))  # fmt: skip


if __name__ == "__main__":
    main()
