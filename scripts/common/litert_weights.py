"""Weights of published LiteRT files; needs neither TensorFlow nor Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .internals import missing


def convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel (3, 3, in, out) and bias (out,), float32, of each convolution of a LiteRT file in the order of the network."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the default delegate, which would put all convolutions into one opaque operation.
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}

    def dequantized(index: int) -> np.ndarray:
        values, scales = interpreter.get_tensor(index), details[index]["quantization_parameters"]["scales"]
        return values.astype(np.float32) * scales.reshape(-1, *[1] * (values.ndim - 1)) if len(scales) else values

    inputs = [operation["inputs"] for operation in litert_operations(interpreter) if operation["op_name"] == "CONV_2D"]
    return [(dequantized(kernel).transpose(1, 2, 3, 0), dequantized(bias)) for _, kernel, bias in inputs]


def litert_operations(interpreter: Any) -> list[dict[str, Any]]:
    """Operations of a LiteRT interpreter in the order of the network: `op_name` and `inputs` (tensor indices)."""
    details = getattr(interpreter, "_get_ops_details", None)
    if details is None:
        raise missing("ai-edge-litert", "Interpreter._get_ops_details")
    return details()
