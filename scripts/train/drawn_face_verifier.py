"""Train the head that tells drawn faces from what is none, on the shipped base's features, and put it into models/.

    KERAS_BACKEND=tensorflow python -m scripts.train.drawn_face_verifier --styles data/sources/dicebear

It reads the features of squares of DiceBear drawings (families of the training split), and of charts, letters and patterns;
after a first round it searches other charts and learns what it took for faces there too. It belongs to one version of the base:
scripts.release.export takes it out when that changes. emotions/face/drawn_detector.py says how it is used.
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
from ..synthetic.negatives import graphic
from ..synthetic.patches import windows as labelled
from ..synthetic.renderer import load_artist

NAME = "drawn-face-check"
THRESHOLDS = {"face": 3.0, "possible": 0.5, "flatness": 0.15}
"""Logits from which a square is a face and from which it is looked at more closely, and the least share of one colour.

The search takes the best of some fifteen squares around a place, so that the first may lie high: scripts.evaluate.detection
with 1.5 found 87.2 % of drawings, and a face in one of eight photos without any; with 3.0 it finds 86.0 %, and none.
"""
HIDDEN, DROPOUT, EPOCHS, BATCH = 128, 0.3, 25, 256
HARD = 1.0  # a logit above which a square without a face is learnt in the second round
SEED = 20261123


def train(features: np.ndarray, faces: np.ndarray) -> keras.Model:
    """A head (N, F) -> (N, 1) logits; faces and others weigh the same."""
    keras.utils.set_random_seed(SEED)
    scale = keras.layers.Normalization(mean=features.mean(axis=0), variance=features.var(axis=0) + 1e-4)
    inputs = keras.Input((features.shape[1],), name="features")
    x = keras.layers.Dropout(DROPOUT)(scale(inputs))
    x = keras.layers.Dropout(DROPOUT)(keras.layers.Dense(HIDDEN, activation="relu")(x))
    head = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * -(-len(features) // BATCH))
    head.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    weights = np.where(faces, 0.5 / faces.mean(), 0.5 / (1 - faces.mean()))
    head.fit(features, faces[:, None].astype(np.float32), sample_weight=weights, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return head


def hard_crops(head: keras.Model, model: ExpressionClassifier, graphics: int) -> np.ndarray:
    """Crops (N, S, S) of pictures without a face which the head takes for one."""
    random, found = np.random.default_rng(SEED + 1), []
    for _ in range(graphics):
        grey = cv2.cvtColor(graphic(random), cv2.COLOR_RGB2GRAY)
        crops = np.stack([align_crop(grey, square_to_box(square), None, model.size) for square in sliding_windows(*grey.shape)])
        logits = head(model.features(crops), training=False)
        found.append(crops[np.asarray(logits)[:, 0] > HARD])
    return np.concatenate(found)


def rates(logits: np.ndarray, faces: np.ndarray) -> dict[str, float]:
    """Shares of faces that are seen, and of others that are taken for one."""
    seen = logits > THRESHOLDS["face"]
    return {"faces": round(float(seen[faces].mean()), 4), "others": round(float(seen[~faces].mean()), 4)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", type=Path, required=True, help="folder of the style definitions (*.json, or src/*.json)")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="table of style, expression, components")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", help="a head of the base that is meant, where the folder holds several")
    parser.add_argument("--pictures", type=int, default=48, help="drawings of every style and expression")
    parser.add_argument("--graphics", type=int, default=2400, help="pictures without a face")
    options = parser.parse_args(arguments)
    try:
        artist, model = (
            load_artist(options.styles, options.recipes),
            ExpressionClassifier(ModelRegistry(options.models), options.head),
        )
        table = labelled(artist, options.pictures, options.graphics, model.size, SEED)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    features, learned = model.features(table.crops), table.splits == "train"
    inputs, truth = features[learned], table.faces[learned]
    head = train(inputs, truth)
    hard = hard_crops(head, model, options.graphics // 2)
    head = train(np.concatenate([inputs, model.features(hard)]), np.append(truth, np.zeros(len(hard), bool)))
    print(f"{learned.sum()} squares and {len(hard)} hard ones learnt")
    figures = {}
    for split in ("validation", "test"):
        mask = table.splits == split
        if not table.faces[mask].any():
            continue
        figures[split] = rates(head.predict(features[mask], batch_size=4096, verbose=0)[:, 0], table.faces[mask])
        print(split, figures[split])
    put(options.models, model, head, figures)


def put(folder: Path, model: ExpressionClassifier, head: keras.Model, figures: dict[str, dict[str, float]]) -> None:
    """Write the head and its entry, in the place of an earlier one."""
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
        "thresholds": THRESHOLDS, "evaluation": figures,
    }, to_litert(head, "float16"))  # fmt: skip


if __name__ == "__main__":
    main()
