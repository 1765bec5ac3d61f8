"""One LiteRT interpreter a model, loaded on first use and guarded by a lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


def available_cpus() -> int:
    """Processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LiteRTModel:
    """A `.tflite` model with one input that any thread may call.

    LiteRT interpreters are not thread-safe: two threads in one gave silently wrong answers, hence the lock. `invoke`
    releases the GIL, so other models and the web server go on meanwhile. `read` gives the file's bytes and is called
    once, on first use.
    """

    def __init__(self, read: Callable[[], bytes], threads: int = 1) -> None:
        self._read = read
        self._threads = threads
        self._lock = threading.Lock()
        self._interpreter: Any = None

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run `batch` (N, ...) float32 through the model; gives its outputs, (N, ...) float32 each, in the file's order."""
        with self._lock:
            interpreter = self._ready(batch.shape)
            interpreter.set_tensor(self._input["index"], np.ascontiguousarray(batch, np.float32))
            interpreter.invoke()
            return [interpreter.get_tensor(output["index"]) for output in self._outputs]

    @property
    def loaded(self) -> bool:
        return self._interpreter is not None

    def _ready(self, shape: tuple[int, ...]) -> Any:
        if self._interpreter is None:
            # Imported here so that `import emotions` costs nothing until a model is asked for.
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=self._read(), num_threads=self._threads)
            interpreter.allocate_tensors()
            self._interpreter = interpreter
            self._describe()
        if tuple(self._input["shape"]) != shape:
            # Resizing one interpreter takes 0.1 ms; keeping one a batch size takes 38 MB each.
            self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
            self._interpreter.allocate_tensors()
            self._describe()
        return self._interpreter

    def _describe(self) -> None:
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()


BATCH = 8
"""Faces a pass through the network: a crowd must not take more memory than eight faces do."""


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(N, 7) logits -> (N, 7) float32 probabilities, after division by `temperature` (Guo et al., "On Calibration", 2017)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: np.ndarray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities
