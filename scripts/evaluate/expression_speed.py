"""How long expression models take for a face, on one core, through the library: each beside the shipped one in every round."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from emotions.face.classifier import ExpressionModel
from emotions.runtime.manifest import Artefacts

ROUNDS = 15
FACES = 10
"""Rounds, and faces a model reads in each, one at a time: enough for a steady median, seconds in all."""


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process to one core, models loaded meanwhile to one thread, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compare_speed(models: dict[str, tuple[Path, str]], default: tuple[Path, str]) -> dict[str, dict[str, float]]:
    """{name: (folder, head)} -> {name: {"ms": median a face, "ratio": median over the rounds of its time to the default's}}."""
    with one_core():
        # Interpreters take their number of threads when they are loaded, so all are loaded here.
        loaded = {name: ExpressionModel(Artefacts(folder), head) for name, (folder, head) in models.items()}
        reference = ExpressionModel(Artefacts(default[0]), default[1])
        for model in (reference, *loaded.values()):
            _milliseconds(model)
        rounds = []
        for _ in range(ROUNDS):
            base = _milliseconds(reference)
            rounds.append({name: (took := _milliseconds(model), took / base) for name, model in loaded.items()})
    middle = {name: [median(values) for values in zip(*(row[name] for row in rounds), strict=True)] for name in models}
    return {name: {"ms": round(took, 2), "ratio": round(ratio, 3)} for name, (took, ratio) in middle.items()}


def _milliseconds(model: ExpressionModel) -> float:
    """The least time for a face of noise: what other programs took of the core in the meantime is not the model's."""
    crop = np.random.default_rng(0).integers(0, 256, (1, model.size, model.size), dtype=np.uint8)
    times = []
    for _ in range(FACES):
        begun = time.perf_counter()
        model.probabilities(crop)
        times.append(time.perf_counter() - begun)
    return min(times) * 1e3
