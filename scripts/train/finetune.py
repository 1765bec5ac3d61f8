"""Begin training from a published model: its int8 LiteRT file becomes a trainable base again.

The file holds each batch norm folded into its convolution. The same function is built with batch norms that a training
batch hardly moves: their mean and deviation are those of the convolution's output over `faces`.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

TINY = 1e-12
"""Least sum of squares of a filter: one that is all zero stays so instead of becoming no number."""
PROBE = 1024
"""Faces over which mean and deviation are taken; each also weighs all places of its map."""


def convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(kernel (3, 3, in, out), bias (out,)) float32 of each convolution of a LiteRT file, in the order of the network."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the default delegate, which would put all convolutions into one opaque operation.
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}

    def exact(index: int) -> np.ndarray:
        values, scales = interpreter.get_tensor(index), details[index]["quantization_parameters"]["scales"]
        return values.astype(np.float32) * scales.reshape(-1, *[1] * (values.ndim - 1)) if len(scales) else values

    operations = [operation for operation in interpreter._get_ops_details() if operation["op_name"] == "CONV_2D"]
    return [(exact(kernel).transpose(1, 2, 3, 0), exact(bias)) for _, kernel, bias in (op["inputs"] for op in operations)]


def warm_start(base: keras.Model, path: Path, faces: np.ndarray) -> None:
    """Give `base` (networks.vgg_backbone) the weights of the LiteRT file at `path`. `faces`: (N, S, S) uint8.

    Raises ValueError when the file's convolutions are not those of `base`.
    """
    names = [layer.name for layer in base.layers if isinstance(layer, layers.Conv2D)]
    stored = convolutions(path)
    expected, found = [tuple(base.get_layer(name).kernel.shape) for name in names], [kernel.shape for kernel, _ in stored]
    if expected != found:
        raise ValueError(f"{path} holds convolutions {found}, this network {expected}")
    norms = [base.get_layer(name.replace("conv", "norm")) for name in names]
    for name, norm, (kernel, bias) in zip(names, norms, stored, strict=True):
        # Batch norm takes the scale out again, so it is free; of He initialisation's size, learning rates mean what they mean.
        scale = np.sqrt(2 / np.maximum(np.square(kernel).sum(axis=(0, 1, 2)), TINY))
        base.get_layer(name).set_weights([kernel * scale])
        deviation = np.ones_like(bias)
        norm.set_weights([deviation / scale * np.sqrt(1 + norm.epsilon), bias, np.zeros_like(bias), deviation])
    outputs = keras.Model(base.inputs, [base.get_layer(name).output for name in names])
    chosen = np.random.default_rng(0).permutation(len(faces))[:PROBE]
    sums, places = [0.0] * len(names), [0] * len(names)
    for start in range(0, len(chosen), 64):
        maps = outputs.predict_on_batch(faces[chosen[start : start + 64], ..., None])
        new = [np.stack([np.sum(m, (0, 1, 2), np.float64), np.sum(np.square(m, dtype=np.float64), (0, 1, 2))]) for m in maps]
        places = [places + m[..., 0].size for places, m in zip(places, maps, strict=True)]
        sums = [total + part for total, part in zip(sums, new, strict=True)]
    for norm, total, count in zip(norms, sums, places, strict=True):
        mean, square = total / count
        variance = square - np.square(mean)
        gamma, beta, _, _ = (np.asarray(value, np.float64) for value in norm.get_weights())
        gain = gamma / np.sqrt(1 + norm.epsilon)
        norm.set_weights([gain * np.sqrt(variance + norm.epsilon), beta + gain * mean, mean, variance])
