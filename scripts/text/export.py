"""The trained network as one LiteRT file: int8 weights, the seven logits alone, and the word lists it reads with inside.

    python -m scripts.text.export --data goemotions.csv.gz --run runs/text --version 2.0.0

It chooses thresholds on the dev split.
The lists are packed as TensorFlow Lite's metadata packs associated files: a zip archive behind the model, which LiteRT does not
look at and `zipfile` finds.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emotions.errors import ModelFileError
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.text.classifier import ENGLISH_LIST, VOCABULARY_LIST, TextClassifier
from emotions.text.tokenizer import SPECIAL_TOKENS, Vocabulary

from ..common.manifest import put_entry
from .batches import logits
from .corpora import Corpus, CorpusError, read_goemotions
from .measure import answers, best_thresholds, f1_scores, sigmoid
from .network import build
from .prepare import PACKAGE, PACKAGE_VERSION
from .vocabulary import english_words

LICENCE = "weights after all-MiniLM-L6-v2 (Apache-2.0), trained on GoEmotions (CC BY 4.0)"
ORIGIN = (
    f"begun from sentence-transformers' all-MiniLM-L6-v2, as carried by the Python package {PACKAGE} {PACKAGE_VERSION}; "
    "GoEmotions by D. Demszky et al., ACL 2020"
)


class Quantised(keras.layers.Layer):
    """A table of vectors as int8 with a scale for each row: (B, T) rows -> (B, T, W) float32.

    The converter would keep a gathered table in float32 or widen all of it at every start.
    """

    def __init__(self, table: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / 127
        self._values, self._scale = np.rint(table / scale).astype(np.int8), scale.astype(np.float32)

    def call(self, rows: Any) -> Any:
        rows = tf.cast(rows, tf.int32)
        return tf.cast(tf.gather(self._values, rows), tf.float32) * tf.gather(self._scale, rows)


def in_float32(trained: keras.Model, config: dict[str, Any], table: keras.layers.Layer | None = None) -> keras.Model:
    """The trained network in float32 and without dropout; `table` takes the place of its table of pieces."""
    rows, fine = trained.get_layer("pieces_table").input_dim, trained.output["fine"].shape[-1]
    keras.config.set_dtype_policy("float32")
    model = build(config | {"dropout": 0.0}, rows, fine, table)
    sources = {layer.name: layer for layer in trained.layers}
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(sources[layer.name].get_weights())
    return model


def served_network(trained: keras.Model, config: dict[str, Any], kept: list[int]) -> keras.Model:
    """The trained network as it is served: the seven logits alone, the rows `kept` of its table of pieces as int8."""
    model = in_float32(trained, config, Quantised(trained.get_layer("pieces_table").get_weights()[0][kept]))
    return keras.Model(model.input, model.output["seven"])


def rows_kept(pieces: list[str], size: int) -> list[int]:
    """The rows of `size` pieces: the special ones and those that spell any word, then the most used, which come first."""
    needed = [row for row, piece in enumerate(pieces) if row < len(SPECIAL_TOKENS) or len(piece.removeprefix("##")) == 1]
    others = [row for row in range(len(pieces)) if row not in set(needed)]
    return sorted(needed + others[: size - len(needed)])


def to_lite(model: keras.Model) -> bytes:
    """Convert a float32 network; dynamic-range int8 weights, a scale a channel."""
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def pack(model: bytes, vocabulary: list[str], english: list[str]) -> bytes:
    """The model with its word lists behind it; the same input gives the same bytes."""
    whole = io.BytesIO()
    whole.write(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, lines in ((VOCABULARY_LIST, vocabulary), (ENGLISH_LIST, english)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def export(run: Path, corpora: dict[str, Corpus], models: Path, version: str) -> dict[str, Any]:
    """Publish the run's network in `models` with thresholds chosen on the dev split by the served file; gives its entry.

    Raises ValueError where that version is published already with other bytes.
    """
    config = json.loads((run / "config.json").read_text())
    pieces = (run / "vocabulary.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    keras.config.set_dtype_policy(config["precision"])  # layers inside of layers are made anew, and take it
    trained = keras.models.load_model(run / "model.keras", compile=False)
    kept = rows_kept(pieces, config["stored"])
    stored = [pieces[row] for row in kept]
    data = pack(to_lite(served_network(trained, config, kept)), stored, english_words(corpora["train"].texts))
    entry = {
        "name": config["name"],
        "role": "text",
        "version": version,
        "file": f"{config['name']}-{version}.tflite",
        "licence": LICENCE,
        "origin": ORIGIN,
        "input": {"longest": config["longest"], "pieces": len(stored)},
        "output": len(EMOTIONS),
        "parameters": trained.count_params() - (len(pieces) - len(stored)) * config["rank"],
        "thresholds": dict.fromkeys(EMOTIONS, 0.5),
        "card": f"{config['name']}-{version}.md",
        "config": config,
    }
    put_entry(models, entry, data)
    dev = corpora["dev"]
    served = TextClassifier(ModelRegistry(models))
    probabilities = answers(served, dev.texts)[0]
    thresholds = best_thresholds(dev.seven, probabilities)
    exact = sigmoid(logits(in_float32(trained, config), dev.texts, Vocabulary(pieces), config["longest"])["seven"])
    entry["thresholds"] = {name: round(float(value), 2) for name, value in zip(EMOTIONS, thresholds, strict=True)}
    entry["quantisation"] = {
        "split": "dev",
        "trained": round(float(f1_scores(dev.seven, exact >= thresholds).mean()), 4),
        "stored": round(float(f1_scores(dev.seven, probabilities >= thresholds).mean()), 4),
        "same_answers": round(float(((exact >= thresholds) == (probabilities >= thresholds)).all(axis=1).mean()), 4),
    }
    return put_entry(models, entry, data)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="goemotions.csv.gz")
    parser.add_argument("--limit", type=int, help="texts of each split: enough to rehearse")
    parser.add_argument("--run", type=Path, default=Path("runs/text"))
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--version", required=True)
    options = parser.parse_args(arguments)
    try:
        entry = export(options.run, read_goemotions(options.data, options.limit), options.models, options.version)
        print(f"{entry['file']}: {entry['bytes']:,} bytes, {entry['quantisation']}")
        parser.exit(0)
    except (ModelFileError, CorpusError, OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
