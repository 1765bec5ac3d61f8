"""Tests of the loss, the gradient clipping, the batch-norm statistics and the borders of augmented faces."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from scripts.train import optimisation
from scripts.train.augment import Augment
from scripts.train.heads.search import fit
from scripts.train.networks import dense_head

TARGETS = np.array(
    [[1, 0, 0, 0, 0, 0, 0], [0.2, 0.1, 0, 0.3, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0.05, 0.05, 0.1, 0.2, 0.3, 0.2, 0.1]], np.float32
)
"""Sums of 1, .6, 0 (a face without votes) and 1."""
LOGITS = np.random.default_rng(0).normal(size=TARGETS.shape).astype(np.float32)


def gradient(loss, targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Gradient (N, C) of the summed loss by the logits, on the backend at hand."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        variable = tf.Variable(logits)
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(loss(tf.constant(targets), variable))
        return tape.gradient(value, variable).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda z: loss(targets, z).sum())(logits))
    import torch

    tensor = torch.tensor(logits, requires_grad=True)
    loss(torch.tensor(targets), tensor).sum().backward()
    return tensor.grad.numpy()


def expected_gradient(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Derivative of -(t * log_softmax(z)).sum(): sum(t) * softmax(z) - t."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return targets.sum(axis=1, keepdims=True) * exponentials / exponentials.sum(axis=1, keepdims=True) - targets


def test_the_gradient_is_that_of_the_cross_entropy_whatever_targets_sum_to():
    found = gradient(optimisation.soft_cross_entropy, TARGETS, LOGITS)
    assert found == pytest.approx(expected_gradient(TARGETS, LOGITS), abs=1e-6)
    assert not found[2].any()


def test_it_equals_keras_loss_where_targets_sum_to_one():
    value = keras.ops.convert_to_numpy(optimisation.soft_cross_entropy(TARGETS[[0, 3]], LOGITS[[0, 3]]))
    reference = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)(TARGETS[[0, 3]], LOGITS[[0, 3]])
    assert value == pytest.approx(keras.ops.convert_to_numpy(reference), abs=1e-5)


@pytest.mark.parametrize("sets", [("fer2013",), ("fer2013", "ferplus")])
def test_a_backbone_is_trained_with_that_loss_and_one_norm_for_all_gradients(sets):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {name: keras.layers.Dense(7, name=name)(inputs) for name in sets})
    chosen = {"peak": 0.1, "momentum": 0.0, "weight_decay": 0.0, "clipnorm": 0.5, "warmup_epochs": 0}
    config = {"optimiser": chosen, "stages": [{"epochs": 1}], "loss": {"ferplus": 1.0}, "label_sets": sets}
    optimisation.compile_model(model, config, steps=4)
    assert model.optimizer.global_clipnorm == 0.5 and model.optimizer.clipnorm is None
    x = np.ones((8, 4), np.float32)
    before = model.get_weights()
    model.fit(x, dict.fromkeys(sets, np.zeros((8, 7), np.float32)), epochs=1, verbose=0)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_faces_without_votes_teach_a_head_nothing():
    keras.utils.set_random_seed(0)
    head = dense_head("linear", features=5)
    x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    bias = head.layers[-1].get_weights()[1]
    fit(head, x, np.zeros((64, 7), np.float32), epochs=3)
    assert np.allclose(head.layers[-1].get_weights()[1], bias)


def test_batch_norm_statistics_weigh_every_batch_the_same(monkeypatch):
    monkeypatch.setattr(optimisation, "BN_BATCHES", 40)
    inputs = keras.Input((1,), dtype="uint8")
    model = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.9)(keras.layers.Rescaling(1.0)(inputs)))
    values = np.arange(0, 200, dtype=np.uint8)[:, None]
    order, seen = np.random.default_rng(3), []
    for _ in range(40):
        seen.append(values[np.sort(order.integers(0, len(values), 8))].astype(float))
    optimisation.recompute_bn_stats(model, keras.layers.Identity(), values, 8, seed=3)
    *_, mean, variance = (float(weight[0]) for weight in model.layers[-1].get_weights())
    assert mean == pytest.approx(np.mean([batch.mean() for batch in seen]), rel=1e-4)
    assert variance == pytest.approx(np.mean([batch.var() for batch in seen]), rel=1e-4)
    assert model.layers[-1].momentum == 0.9


def test_augmented_faces_have_no_black_border():
    faces = np.full((32, 16, 16, 1), 100, np.uint8)
    augment = Augment(shift=6.0, rotation=40.0, scale=0.4, brightness=0.0, erase=0.0, seed=1)
    shown = keras.ops.convert_to_numpy(augment(faces, training=True))
    assert shown.min() == pytest.approx(100, abs=0.01)
