"""Train a base of any design on faces, with linear heads on its features. Any Keras backend (KERAS_BACKEND)."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

from ..data.dataset import Faces
from ..data.labels import targets_of
from .augment import Augment
from .backbones import DesignError, build_backbone
from .finetune import warm_start
from .optimisation import blended, compile_model, recompute_bn_stats, training_model
from .runs import resolved
from .targets import training_faces, targets


def sample(faces: Faces, count: int, seed: int) -> Faces:
    """At most `count` faces drawn at random: enough to rehearse a run."""
    chosen = np.random.default_rng(seed).permutation(len(faces))[:count]
    return faces.where(np.sort(chosen))


def with_epochs(stages: list[dict], epochs: str) -> list[dict]:
    """The stages of a configuration with other numbers of epochs, "10+5". Raises DesignError where these are not as many."""
    numbers = epochs.split("+")
    if len(numbers) != len(stages) or not all(number.isdecimal() and int(number) for number in numbers):
        asked = "+".join(str(stage["epochs"]) for stage in stages)
        raise DesignError(f"--epochs {epochs}: whole numbers, one for each of {len(stages)} stages, expected, as in {asked}")
    return [stage | {"epochs": int(number)} for stage, number in zip(stages, numbers, strict=True)]


def finished_epochs(run: Path) -> int:
    """How many epochs the run in this folder has behind it."""
    history = run / "history.csv"
    return max(len(history.read_text().splitlines()) - 1, 0) if history.is_file() else 0


def initialise_from(path: Path, model: keras.Model, base: keras.Model, faces: Faces, taught: dict, batch: int) -> None:
    """Give `base` the weights of a published model or of another run's base, and fit the linear heads to it, so that the first
    steps spoil nothing."""
    try:
        if path.suffix == ".keras":
            base.set_weights(keras.saving.load_model(path, compile=False).get_weights())
        else:
            warm_start(base, path, faces.pixels)
    except ValueError as error:
        raise DesignError(f"{path} is no base to go on from: {error}") from error
    base.trainable = False
    losses = {name: keras.losses.CategoricalCrossentropy(from_logits=True) for name in taught}
    model.compile(keras.optimizers.Adam(1e-2), losses)
    model.fit(faces.pixels[..., None], taught, batch_size=batch, epochs=2, verbose=2)
    base.trainable = True


def train_base(config: dict, run: Path, limit: int | None = None) -> None:
    """Train base and heads together through all stages, with a checkpoint every epoch; write run/base.keras.

    Without stages the base is written as it was built. Raises DesignError for a configuration that no network fits, and for a
    run that was begun otherwise.
    """
    config = resolved(config, run, limit)
    # A run that goes on must not repeat its first epochs' order and augmentation: seen three times, they were learnt by heart.
    seed = config["seed"] + finished_epochs(run)
    keras.utils.set_random_seed(seed)
    if config.get("precision"):
        keras.config.set_dtype_policy(config["precision"])
    if config.get("optimiser", {}).get("init_weight") and Path(config.get("start") or "").suffix != ".keras":
        raise DesignError("init_weight asks for weights to begin from: name another run's base.keras with --start")
    model, base, augment = training_model(config | {"seed": seed}) if config["stages"] else (None, build_backbone(config), None)
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    if model:
        _train(config, run, limit, model, base, augment)
    base.save(run / "base.keras")
    print(f"written: {run / 'base.keras'}")


def _train(config: dict, run: Path, limit: int | None, model: keras.Model, base: keras.Model, augment: Augment) -> None:
    train, validation = training_faces(config["data"]), Faces.load(config["data"]["faces"]).split("validation")
    if limit:
        train, validation = sample(train, limit, config["seed"]), sample(validation, limit, config["seed"])
    batch, average = config["optimiser"]["batch"], config["optimiser"].get("ema")
    if config.get("start") and not (run / "checkpoint").exists():
        some = sample(train, 4096, config["seed"])
        initialise_from(Path(config["start"]), model, base, some, targets(some, config), batch)
    compile_model(model, config, steps=-(-len(train) // batch))
    callbacks = [
        keras.callbacks.BackupAndRestore(run / "checkpoint", delete_checkpoint=False),
        keras.callbacks.CSVLogger(run / "history.csv", append=True),
        keras.callbacks.TerminateOnNaN(),
        *([keras.callbacks.SwapEMAWeights()] if average else []),  # the average is what validation measures
    ]
    held_out = {name: targets_of(name, validation) for name in config["label_sets"]}
    first = 0
    for stage in config["stages"]:
        augment.crop = stage["crop"]
        model.train_function = None  # the traced function of the stage before has its crop built in
        model.fit(
            train.pixels[..., None], targets(train, config),
            batch_size=batch, initial_epoch=first, epochs=first + stage["epochs"], callbacks=callbacks, verbose=2,
            validation_data=(validation.pixels[..., None], held_out), validation_batch_size=128,
        )  # fmt: skip
        first += stage["epochs"]
    if share := config["optimiser"].get("init_weight"):
        before = keras.saving.load_model(config["start"], compile=False).get_weights()
        base.set_weights(blended(before, base.get_weights(), share))
    if average or share:
        recompute_bn_stats(base, augment, train.pixels[..., None], batch, config["seed"])
    model.save_weights(run / "last.weights.h5")
