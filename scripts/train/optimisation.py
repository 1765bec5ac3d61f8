"""Training of a backbone: the model with augmentation and outputs, the optimiser, and averaged weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from emotions.labels import EMOTIONS

from ..data.labels import VOTES
from .augment import Augment
from .backbones import DesignError, build_backbone
from .mixup import MIX_LAMBDA, MixUpCutMix, MixUpCutMixModel

BN_BATCHES = 100
"""Batches over whose mean batch norm's statistics are recomputed."""


def training_model(config: dict[str, Any]) -> tuple[keras.Model, keras.Model, Augment]:
    """Build the model to train: pixels, augmentation (and mixing), backbone, dropout, a linear head for each label set.

    `config["label_sets"]` names the heads (labels.available_label_sets). Raises DesignError if a stage crops faces for a backbone
    that reads one size only.

    Returns:
        The model, its backbone and its augmentation layer.
    """
    options = dict(config["augment"])
    mixing = {name: options.pop(name, 0.0) for name in ("mixup", "cutmix")}
    augment = Augment(**options, seed=config["seed"])
    base = build_backbone(config)
    fixed = base.input_shape[1]
    if fixed and (wrong := {stage["crop"] for stage in config["stages"]} - {fixed}):
        raise DesignError(f"{config['name']} reads {fixed} px only; a stage crops faces to {wrong.pop()}")
    pixels = keras.Input((config["size"], config["size"], 1), dtype="uint8")
    faces, outputs = augment(pixels), {}
    if any(mixing.values()):
        faces, outputs[MIX_LAMBDA] = MixUpCutMix(**mixing, seed=config["seed"])(faces)
    features = keras.layers.Dropout(config["loss"]["dropout"], dtype="float32")(base(faces))
    for name in config["label_sets"]:
        outputs[name] = keras.layers.Dense(len(EMOTIONS), dtype="float32", name=name)(features)
    return (MixUpCutMixModel if any(mixing.values()) else keras.Model)(pixels, outputs), base, augment


def soft_cross_entropy(targets, logits):
    """Cross-entropy -(targets * log_softmax(logits)).sum(-1), (N,), for targets and logits (N, C).

    Targets need not sum to one: a face whose raters chose other emotions weighs less, one without votes nothing. Keras'
    CategoricalCrossentropy calls a TensorFlow kernel whose gradient, softmax - targets, is right for sums of one only.
    """
    targets = keras.ops.cast(targets, logits.dtype)
    return -keras.ops.sum(targets * keras.ops.log_softmax(logits, axis=-1), axis=-1)


def compile_model(model: keras.Model, config: dict[str, Any], steps: int) -> None:
    """Compile with SGD, warm-up and cosine decay over all stages; `steps` is the number of batches per epoch."""
    chosen, epochs = config["optimiser"], sum(stage["epochs"] for stage in config["stages"])
    warmup = round(chosen["warmup_epochs"] * steps)
    falling = max(epochs * steps - warmup, 1)  # a dry run may be shorter than its warm-up
    rate = keras.optimizers.schedules.CosineDecay(
        chosen["peak"] / 10, falling, alpha=0.0, warmup_target=chosen["peak"], warmup_steps=warmup
    )
    average = {"use_ema": True, "ema_momentum": chosen["ema"]} if chosen.get("ema") else {}
    optimiser = keras.optimizers.SGD(
        rate,
        chosen["momentum"],
        nesterov=True,
        weight_decay=chosen["weight_decay"],
        global_clipnorm=chosen["clipnorm"],
        **average,
    )
    optimiser.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    label_sets = config["label_sets"]
    losses = dict.fromkeys(label_sets, soft_cross_entropy)
    weights = {name: config["loss"]["ferplus"] if name == VOTES else 1.0 for name in label_sets}
    model.compile(optimiser, losses, loss_weights=weights, metrics={name: ["categorical_accuracy"] for name in label_sets})


def interpolate_weights(initial: Sequence[np.ndarray], final: Sequence[np.ndarray], init_weight: float) -> list[np.ndarray]:
    """Interpolate between initial and final weights: `init_weight` of the initial ones, the rest of the final ones.

    Where both lie in one basin of the loss, the interpolation is often more accurate than either end (WiSE-FT: Wortsman et al.,
    "Robust fine-tuning of zero-shot models", 2022). Batch norm's statistics do not fit it: see recompute_bn_stats.
    """
    return [init_weight * one + (1 - init_weight) * other for one, other in zip(initial, final, strict=True)]


def recompute_bn_stats(base: keras.Model, augment: keras.layers.Layer, pixels: np.ndarray, batch: int, seed: int) -> None:
    """Recompute batch norm's mean and variance over augmented training faces (N, S, S, 1) uint8; no weight is trained.

    Averaged weights need it: the statistics that training left belong to the last weights, not to their average. Faces are not
    mixed, since faces at inference are not.
    """
    order = np.random.default_rng(seed)
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [norm.momentum for norm in norms]
    for number in range(BN_BATCHES):
        for norm in norms:
            norm.momentum = number / (number + 1)  # a cumulative mean: each batch weighs the same
        base(augment(pixels[np.sort(order.integers(0, len(pixels), batch))], training=True), training=True)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
