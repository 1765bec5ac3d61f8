"""Export the trained text network as one LiteRT file: int8 weights, the seven logits, and its word lists.

    python -m scripts.text.export --data goemotions.csv.gz --run runs/text --version 2.0.0

It chooses thresholds on the dev split. The lists are packed as TensorFlow Lite's metadata packs associated files: a zip archive
appended to the model, which LiteRT ignores.
"""

from __future__ import annotations

import argparse
import io
import json
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

from ..common.litert import to_litert
from ..common.manifest import put_entry
from .batches import predict_logits
from .corpora import Corpus, CorpusError, read_goemotions
from .metrics import best_thresholds, f1_scores, predict, sigmoid
from .network import build
from .prepare import PACKAGE, PACKAGE_VERSION
from .vocabulary import english_words

LICENCE = "weights after all-MiniLM-L6-v2 (Apache-2.0), trained on GoEmotions (CC BY 4.0)"
ORIGIN = (
    f"initialised from sentence-transformers' all-MiniLM-L6-v2, as carried by the Python package {PACKAGE} {PACKAGE_VERSION}; "
    "GoEmotions by D. Demszky et al., ACL 2020"
)


class QuantizedEmbedding(keras.layers.Layer):
    """Embedding with int8 values and one scale a token: (B, T) token ids -> (B, T, W) float32.

    The converter would keep an embedding in float32, or convert all of it to float32 at every start.
    """

    def __init__(self, table: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / 127
        self._values, self._scale = np.rint(table / scale).astype(np.int8), scale.astype(np.float32)

    def call(self, token_ids: Any) -> Any:
        token_ids = tf.cast(token_ids, tf.int32)
        return tf.cast(tf.gather(self._values, token_ids), tf.float32) * tf.gather(self._scale, token_ids)


def float32_network(trained: keras.Model, config: dict[str, Any], table: keras.layers.Layer | None = None) -> keras.Model:
    """Copy the trained network to float32 without dropout; `table` replaces its embedding."""
    tokens, fine = trained.get_layer("pieces_table").input_dim, trained.output["fine"].shape[-1]
    keras.config.set_dtype_policy("float32")
    model = build(config | {"dropout": 0.0}, tokens, fine, table)
    sources = {layer.name: layer for layer in trained.layers}
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(sources[layer.name].get_weights())
    return model


def served_network(trained: keras.Model, config: dict[str, Any], kept: list[int]) -> keras.Model:
    """Make the served network: the seven logits only, the embeddings of the token ids `kept` as int8."""
    model = float32_network(trained, config, QuantizedEmbedding(trained.get_layer("pieces_table").get_weights()[0][kept]))
    return keras.Model(model.input, model.output["seven"])


def kept_ids(tokens: list[str], size: int) -> list[int]:
    """Ids of `size` tokens: the special ones, those that spell any word, and the most frequent ones (the lowest ids)."""
    needed = [number for number, token in enumerate(tokens) if number < len(SPECIAL_TOKENS) or len(token.removeprefix("##")) == 1]
    others = [number for number in range(len(tokens)) if number not in set(needed)]
    return sorted(needed + others[: size - len(needed)])


def pack_lists(model: bytes, tokens: list[str], english: list[str]) -> bytes:
    """Append the word lists to the model; the same input gives the same bytes."""
    packed = io.BytesIO()
    packed.write(model)
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, lines in ((VOCABULARY_LIST, tokens), (ENGLISH_LIST, english)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def export(run: Path, corpora: dict[str, Corpus], models: Path, version: str) -> dict[str, Any]:
    """Add the run's network to `models`, with thresholds chosen on the dev split with the exported file; return its entry.

    Raises ValueError if that version exists with other bytes.
    """
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    tokens = (run / "vocabulary.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    keras.config.set_dtype_policy(config["precision"])  # nested layers are created again and take the global policy
    trained = keras.models.load_model(run / "model.keras", compile=False)
    kept = kept_ids(tokens, config["stored"])
    stored = [tokens[number] for number in kept]
    data = pack_lists(to_litert(served_network(trained, config, kept)), stored, english_words(corpora["train"].texts))
    entry = {
        "name": config["name"],
        "role": "text",
        "version": version,
        "file": f"{config['name']}-{version}.tflite",
        "licence": LICENCE,
        "origin": ORIGIN,
        "input": {"longest": config["longest"], "pieces": len(stored)},
        "output": len(EMOTIONS),
        "parameters": trained.count_params() - (len(tokens) - len(stored)) * config["rank"],
        "thresholds": dict.fromkeys(EMOTIONS, 0.5),
        "card": f"{config['name']}-{version}.md",
        "config": config,
    }
    put_entry(models, entry, data)
    dev = corpora["dev"]
    served = TextClassifier(ModelRegistry(models))
    probabilities = predict(served, dev.texts)[0]
    thresholds = best_thresholds(dev.seven, probabilities)
    exact = sigmoid(predict_logits(float32_network(trained, config), dev.texts, Vocabulary(tokens), config["longest"])["seven"])
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
    parser.add_argument("--limit", type=int, help="texts of each split, for a dry run")
    parser.add_argument("--run", type=Path, default=Path("runs/text"))
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--version", required=True)
    options = parser.parse_args(arguments)
    try:
        entry = export(options.run, read_goemotions(options.data, options.limit), options.models, options.version)
        print(f"{entry['file']}: {entry['bytes']:,} bytes, {entry['quantisation']}")
    except (ModelFileError, CorpusError, OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
