"""Train a backbone of any architecture on faces, with linear heads on its features. Any Keras backend (KERAS_BACKEND).

    python -m scripts.data.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.train.base --config scripts/configs/vgg16.toml --run runs/vgg16
    python -m scripts.train.heads --run runs/vgg16

An interrupted run resumes from its last finished epoch, whatever --init-from says; it refuses to resume with another initial
backbone, other data or another limit. The label sets are those of the table: labels, and raters' votes if it has any. --faces
replaces the table that the configuration names. The run's folder holds the resolved configuration (config.json), one line per
epoch (history.csv), the backbone (base.keras) and the heads (head-<name>.keras). Architectures are in scripts/train/backbones.py,
with a configuration each in scripts/configs/; one without stages (a frozen backbone) trains heads alone.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import keras

from ..common.keras_internals import forget_train_function
from ..data.dataset import DatasetError, Faces, sample
from ..data.labels import targets_of
from ..data.splits import without_copies
from .augment import Augment
from .backbones import DesignError, build_backbone, design_of
from .finetune import HEAD_FACES, initialise_from, vgg_filters
from .optimisation import compile_model, interpolate_weights, recompute_bn_stats, training_model
from .runs import resolve_config
from .targets import targets, training_faces


def with_epochs(stages: list[dict[str, Any]], epochs: str) -> list[dict[str, Any]]:
    """The stages of a configuration with other numbers of epochs, such as "10+5". Raises DesignError if the counts differ."""
    numbers = epochs.split("+")
    if len(numbers) != len(stages) or not all(number.isdecimal() and int(number) for number in numbers):
        example = "+".join(str(stage["epochs"]) for stage in stages)
        raise DesignError(f"--epochs {epochs}: whole numbers, one for each of {len(stages)} stages, expected, as in {example}")
    return [stage | {"epochs": int(number)} for stage, number in zip(stages, numbers, strict=True)]


def finished_epochs(run: Path) -> int:
    """Number of epochs that the run in this folder has finished."""
    history = run / "history.csv"
    return max(len(history.read_text(encoding="utf-8").splitlines()) - 1, 0) if history.is_file() else 0


def train_base(config: dict[str, Any], run: Path, limit: int | None = None) -> None:
    """Train backbone and heads together through all stages, with a checkpoint every epoch; write run/base.keras.

    Without stages the backbone is written as it was built.

    Args:
        config: content of a configuration file; `init_from` names a backbone to initialise from.
        run: folder of the run.
        limit: number of faces a split of a dry run.

    Raises:
        DesignError: for a configuration that no network fits, and for a run that was started with other settings.
    """
    config = resolve_config(config, run, limit)
    # Offset the seed by finished epochs: a resumed run would otherwise replay the same shuffling and augmentation and overfit.
    seed = config["seed"] + finished_epochs(run)
    keras.utils.set_random_seed(seed)
    if config.get("precision"):
        keras.config.set_dtype_policy(config["precision"])
    if config.get("optimiser", {}).get("init_weight") and Path(config.get("init_from") or "").suffix != ".keras":
        raise DesignError("init_weight needs initial weights: name another run's base.keras with --init-from")
    model, base, augment = training_model(config | {"seed": seed}) if config["stages"] else (None, build_backbone(config), None)
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    if model and augment:
        _train(config, run, limit, model, base, augment)
    base.save(run / "base.keras")
    print(f"written: {run / 'base.keras'}")


def _train(config: dict[str, Any], run: Path, limit: int | None, model: keras.Model, base: keras.Model, augment: Augment) -> None:
    train, validation = training_faces(config["data"]), without_copies(Faces.load(config["data"]["faces"])).split("validation")
    if limit:
        train, validation = sample(train, limit, config["seed"]), sample(validation, limit, config["seed"])
    batch, average = config["optimiser"]["batch"], config["optimiser"].get("ema")
    if config.get("init_from") and not (run / "checkpoint").exists():
        some = sample(train, HEAD_FACES, config["seed"])
        initialise_from(Path(config["init_from"]), model, base, some, targets(some, config), batch)
    compile_model(model, config, steps=-(-len(train) // batch))
    callbacks = [
        keras.callbacks.BackupAndRestore(run / "checkpoint", delete_checkpoint=False),
        keras.callbacks.CSVLogger(run / "history.csv", append=True),
        keras.callbacks.TerminateOnNaN(),
        *([keras.callbacks.SwapEMAWeights()] if average else []),  # validation measures the averaged weights
    ]
    validation_targets = {name: targets_of(name, validation) for name in config["label_sets"]}
    first = 0
    for stage in config["stages"]:
        augment.crop = stage["crop"]
        forget_train_function(model)  # the traced function of the previous stage contains its crop
        model.fit(
            train.pixels[..., None], targets(train, config),
            batch_size=batch, initial_epoch=first, epochs=first + stage["epochs"], callbacks=callbacks, verbose=2,
            validation_data=(validation.pixels[..., None], validation_targets), validation_batch_size=128,
        )  # fmt: skip
        first += stage["epochs"]
    if init_weight := config["optimiser"].get("init_weight"):
        initial = keras.saving.load_model(config["init_from"], compile=False).get_weights()
        base.set_weights(interpolate_weights(initial, base.get_weights(), init_weight))
    if average or init_weight:
        recompute_bn_stats(base, augment, train.pixels[..., None], batch, config["seed"])
    model.save_weights(run / "last.weights.h5")


def configured(options: argparse.Namespace) -> dict[str, Any]:
    """The configuration file with the changes of the command line; a published backbone determines the number of filters."""
    config = tomllib.loads(options.config.read_text(encoding="utf-8"))
    if options.init_from and options.init_from.suffix != ".keras" and design_of(config) not in ("vgg16", "vgg19"):
        raise DesignError(f"only a VGG can be initialised from a published backbone; {design_of(config)} is none")
    if options.init_from and options.init_from.suffix != ".keras" and "filters" not in config.get("network", {}):
        config["network"] = config.get("network", {}) | {"filters": vgg_filters(options.init_from)}
    if options.epochs:
        config["stages"] = with_epochs(config["stages"], options.epochs)
    config["data"] |= {name: str(path) for name in ("faces", "drawn") if (path := getattr(options, name))}
    return config | {"precision": options.precision, "init_from": str(options.init_from) if options.init_from else None}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/vgg16.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="folder of checkpoints and results")
    parser.add_argument("--faces", type=Path, help="table of scripts.data.prepare instead of the configuration's")
    parser.add_argument(
        "--init-from", type=Path, help="initial backbone: of a run (base.keras) or published (models/vgg16-*.tflite)"
    )
    parser.add_argument("--epochs", help="other epochs than the configuration's stages have, such as 10+5")
    parser.add_argument("--precision", help="Keras dtype policy, such as mixed_bfloat16 (twice as fast with torch on new CPUs)")
    parser.add_argument("--drawn", type=Path, help="table of drawn faces (scripts.synthetic.generate) to train on as well")
    parser.add_argument("--limit", type=int, help="dry run: use only so many faces a split")
    options = parser.parse_args(arguments)
    try:
        train_base(configured(options), options.run, options.limit)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
