"""Train the text network on GoEmotions' training split.

    python -m scripts.text.train --data goemotions.csv.gz --run runs/text    # about an hour on two cores

Macro-F1 on the dev split is printed after each epoch. A run that was interrupted goes on after its last epoch when it is started
again with the same folder.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

import keras
import numpy as np

from emotions.text.tokenizer import Vocabulary

from .augmentation import extended
from .batches import TextBatches, predict_logits
from .corpora import Corpus, CorpusError, read_goemotions
from .metrics import best_thresholds, f1_scores, sigmoid
from .network import build, initialise_from
from .prepare import PRETRAINED, load_pretrained
from .vocabulary import embedding_table, select_vocabulary

CONFIG = Path(__file__).with_name("minilm.toml")


class DevScores(keras.callbacks.Callback):
    """Print macro-F1 on the dev split, at the thresholds that are best for it, and save the model after each epoch."""

    def __init__(self, dev: Corpus, vocabulary: Vocabulary, max_tokens: int, run: Path) -> None:
        super().__init__()
        self._dev, self._vocabulary, self._max_tokens, self._run = dev, vocabulary, max_tokens, run

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.model.save(self._run / "model.keras")
        seven = sigmoid(predict_logits(self.model, self._dev.texts, self._vocabulary, self._max_tokens)["seven"])
        scores = f1_scores(self._dev.seven, seven >= best_thresholds(self._dev.seven, seven))
        print(
            f"epoch {epoch + 1}: loss {(logs or {})['loss']:.4f}, dev macro-F1 {scores.mean():.4f} {scores.round(3)}", flush=True
        )


def compile_model(model: keras.Model, config: dict, steps: int) -> None:
    chosen = config["optimiser"]
    total = max(chosen["schedule"] * steps, 2)
    warmup = max(round(chosen["warmup"] * total), 1)
    rate = keras.optimizers.schedules.CosineDecay(0.0, total - warmup, warmup_target=chosen["peak"], warmup_steps=warmup)
    optimiser = keras.optimizers.AdamW(rate, weight_decay=chosen["weight_decay"], clipnorm=1.0)
    optimiser.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    losses = {name: keras.losses.BinaryCrossentropy(from_logits=True) for name in ("seven", "fine")}
    model.compile(optimiser, losses, loss_weights={"seven": 1.0, "fine": config["loss"]["fine"]})


def train(config: dict, corpora: dict[str, Corpus], weights: dict, pieces: list[str], run: Path) -> None:
    """Train and write into the folder `run`: config.json, vocabulary.txt, and model.keras after every epoch."""
    keras.utils.set_random_seed(config["seed"])
    keras.config.set_dtype_policy(config["precision"])
    training = extended(corpora["train"], config.get("made", 0), np.random.default_rng(config["seed"]))
    dev = corpora["dev"]
    vocabulary, counts = select_vocabulary(pieces, training.texts, config["vocabulary"])
    model = build(config | {"dropout": config["optimiser"]["dropout"]}, len(vocabulary), len(training.names))
    table = embedding_table(vocabulary, pieces, weights["embeddings.word_embeddings.weight"])
    initialise_from(model, config, weights, table, counts)
    targets = {"seven": training.seven, "fine": training.fine}
    batches = TextBatches(training.texts, targets, vocabulary, config, config["loss"]["names"])
    compile_model(model, config, len(batches))
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (run / "vocabulary.txt").write_text("\n".join(vocabulary.tokens) + "\n", encoding="utf-8")
    scores = DevScores(dev, vocabulary, config["longest"], run)
    backup = keras.callbacks.BackupAndRestore(run / "backup")
    model.fit(batches, epochs=config["optimiser"]["epochs"], verbose=0, callbacks=[scores, backup])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED)
    parser.add_argument("--data", type=Path, required=True, help="goemotions.csv.gz")
    parser.add_argument("--limit", type=int, help="texts of each split, for a dry run")
    parser.add_argument("--run", type=Path, default=Path("runs/text"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    options = parser.parse_args(arguments)
    try:
        config = tomllib.loads(options.config.read_text(encoding="utf-8"))
        train(config, read_goemotions(options.data, options.limit), *load_pretrained(options.pretrained), options.run)
        print(f"written: {options.run / 'model.keras'}")
    except (CorpusError, OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
