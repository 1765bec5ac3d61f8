"""Tests of the private interfaces of Keras and LiteRT: they exist in the pinned versions, and their absence is reported."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from emotions.runtime.manifest import BUNDLED
from scripts.common import internals, keras_internals, litert_weights


def test_the_checked_versions_are_the_installed_ones():
    assert {name: version(name).rpartition(".")[0] for name in internals.CHECKED} == internals.CHECKED


def test_the_source_layer_of_a_tensor_is_found():
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(2)
    assert keras_internals.source_layer(dense(inputs)) is dense
    with pytest.raises(internals.InternalsError, match="keras .* has no KerasTensor._keras_history; .* checked with"):
        keras_internals.source_layer(SimpleNamespace())


def test_the_training_step_is_traced_again():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    assert model.train_function is not None
    keras_internals.forget_train_function(model)
    assert model.train_function is None
    with pytest.raises(internals.InternalsError, match="train_function"):
        keras_internals.forget_train_function(SimpleNamespace())


def test_the_operations_of_a_shipped_model_are_listed():
    [backbone] = BUNDLED.glob("vgg16-?.?.?.tflite")
    assert len(litert_weights.convolutions(backbone)) == 13
    with pytest.raises(internals.InternalsError, match="ai-edge-litert"):
        litert_weights.litert_operations(SimpleNamespace())


def test_no_other_module_uses_private_interfaces():
    from pathlib import Path

    scripts = Path(keras_internals.__file__).parents[1]
    private = ("_keras_history", "keras.src", "_get_ops_details", "train_function = None", "_transpose_spatial")
    users = {path.name for path in scripts.rglob("*.py") if any(word in path.read_text(encoding="utf-8") for word in private)}
    assert users == {"keras_internals.py", "litert_weights.py"}
