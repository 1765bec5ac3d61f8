"""The text network: a post-norm Transformer encoder as BERT's (Devlin et al., 2019), for any Keras backend.

It is initialised from layers of all-MiniLM-L6-v2. Its token embedding is factorised into `rank` numbers a token and a projection:
at 384 numbers a token the table alone would be half of the file.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from emotions.labels import EMOTIONS

EPSILON = 1e-12
"""Epsilon of every layer normalisation, as in BERT."""


@keras.saving.register_keras_serializable("text")
class Positions(layers.Layer):
    """Learned position embedding, added to the input: (B, T, W) -> (B, T, W), T at most `longest`."""

    def __init__(self, longest: int, **options: Any) -> None:
        super().__init__(**options)
        self.longest = longest

    def build(self, shape: tuple) -> None:
        self.table = self.add_weight((self.longest, shape[-1]), "random_normal", name="table")

    def call(self, vectors: Any) -> Any:
        return vectors + ops.cast(self.table[: ops.shape(vectors)[1]], vectors.dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"longest": self.longest}


@keras.saving.register_keras_serializable("text")
class Attention(layers.Layer):
    """Multi-head self-attention (Vaswani et al., 2017): vectors (B, T, W) and padding mask (B, T) -> (B, T, W)."""

    def __init__(self, heads: int, dropout: float, **options: Any) -> None:
        super().__init__(**options)
        self.heads, self.rate = heads, dropout

    def build(self, vectors_shape: tuple, present_shape: tuple) -> None:
        self.width = vectors_shape[-1]
        self.query, self.key, self.value, self.output_dense = (
            layers.Dense(self.width, name=name) for name in ("query", "key", "value", "output")
        )
        for dense in (self.query, self.key, self.value, self.output_dense):
            dense.build(vectors_shape)
        self.dropout = layers.Dropout(self.rate)

    def call(self, vectors: Any, present: Any, training: bool = False) -> Any:
        length, size = ops.shape(vectors)[1], self.width // self.heads

        def by_head(values: Any) -> Any:
            return ops.transpose(ops.reshape(values, (-1, length, self.heads, size)), (0, 2, 1, 3))  # (B, H, T, size)

        query, key, value = (by_head(dense(vectors)) for dense in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * size**-0.5  # (B, H, T, T)
        weights = ops.softmax(scores + ops.expand_dims(ops.expand_dims(present - 1.0, 1), 1) * 1e4)
        mixed = ops.transpose(ops.matmul(self.dropout(weights, training=training), value), (0, 2, 1, 3))
        return self.output_dense(ops.reshape(mixed, (-1, length, self.width)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"heads": self.heads, "dropout": self.rate}


def block(vectors: Any, present: Any, config: dict[str, Any], name: str) -> Any:
    """Encoder block: attention and a two-layer perceptron, each with a residual connection and layer normalisation."""
    drop = config["dropout"]
    mixed = Attention(config["heads"], drop, name=f"{name}_attention")(vectors, present)
    mixed = layers.Dropout(drop)(mixed)
    vectors = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_attention_norm")(vectors + mixed)
    # GELU in its tanh form, because LiteRT has no erf operator.
    inner = ops.gelu(layers.Dense(config["inner"], name=f"{name}_inner")(vectors), approximate=True)
    inner = layers.Dropout(drop)(layers.Dense(config["width"], name=f"{name}_outer")(inner))
    return layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(vectors + inner)


def build(config: dict[str, Any], tokens: int, fine: int, table: layers.Layer | None = None) -> keras.Model:
    """Build the network: token ids (B, T), 0 for padding -> `seven` (B, 7) and `fine` (B, fine) logits.

    The heads read the vector of the first token beside the mean of all tokens.

    Args:
        config: Sizes of the network, see minilm.toml.
        tokens: Size of the vocabulary.
        fine: Number of fine labels.
        table: Layer from token ids to vectors of `rank` numbers; a trainable embedding by default.
    """
    ids = keras.Input((None,), dtype="float32", name="pieces")
    present = ops.cast(ids > 0.5, "float32")
    vectors = (table or layers.Embedding(tokens, config["rank"], name="pieces_table"))(ops.cast(ids, "int32"))
    vectors = layers.Dense(config["width"], use_bias=False, name="widen")(vectors)
    vectors = Positions(config["longest"], name="positions")(vectors)
    vectors = layers.Dropout(config["dropout"])(layers.LayerNormalization(epsilon=EPSILON, name="norm")(vectors))
    for number, _ in enumerate(config["layers"]):
        vectors = block(vectors, present, config, f"block{number}")
    mask = ops.expand_dims(present, -1)
    mean = ops.sum(vectors * mask, axis=1) / ops.sum(mask, axis=1)
    features = layers.Dropout(config["dropout"])(ops.concatenate([vectors[:, 0], mean], axis=-1))
    outputs = {
        "seven": layers.Dense(len(EMOTIONS), dtype="float32", name="seven")(features),
        "fine": layers.Dense(fine, dtype="float32", name="fine")(features),
    }
    return keras.Model(ids, outputs)


def initialise_from(
    model: keras.Model, config: dict[str, Any], weights: dict[str, np.ndarray], table: np.ndarray, counts: np.ndarray
) -> None:
    """Initialise the network with the chosen layers of a BERT-like model.

    The embedding table is factorised by a singular value decomposition weighted by the tokens' frequencies, so that frequent
    tokens lose least.

    Args:
        model: Network of `build`.
        config: Its configuration; `layers` are copied.
        weights: Weights by their names in BERT's checkpoints.
        table: (tokens, W) embeddings of the vocabulary's tokens.
        counts: (tokens,) frequencies in the training texts.
    """
    weight = np.sqrt(counts + 1.0)[:, None]
    _, _, directions = np.linalg.svd(table * weight, full_matrices=False)
    directions = directions[: config["rank"]]
    model.get_layer("pieces_table").set_weights([table @ directions.T])
    model.get_layer("widen").set_weights([directions])
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    model.get_layer("positions").set_weights([weights["embeddings.position_embeddings.weight"][: config["longest"]] + kind])
    model.get_layer("norm").set_weights(_norm(weights, "embeddings.LayerNorm"))
    for number, layer in enumerate(config["layers"]):
        stem, name = f"encoder.layer.{layer}", f"block{number}"
        parts = [_dense(weights, f"{stem}.attention.{part}") for part in ("self.query", "self.key", "self.value", "output.dense")]
        model.get_layer(f"{name}_attention").set_weights([array for part in parts for array in part])
        model.get_layer(f"{name}_attention_norm").set_weights(_norm(weights, f"{stem}.attention.output.LayerNorm"))
        model.get_layer(f"{name}_inner").set_weights(_dense(weights, f"{stem}.intermediate.dense"))
        model.get_layer(f"{name}_outer").set_weights(_dense(weights, f"{stem}.output.dense"))
        model.get_layer(f"{name}_norm").set_weights(_norm(weights, f"{stem}.output.LayerNorm"))


def _dense(weights: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [weights[f"{name}.weight"].T, weights[f"{name}.bias"]]


def _norm(weights: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [weights[f"{name}.weight"], weights[f"{name}.bias"]]
