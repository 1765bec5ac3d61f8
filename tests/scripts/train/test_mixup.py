"""MixUp and CutMix: pictures and the targets of both heads mixed by the same lambda."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from scripts.train.mixup import MIX_LAMBDA, MixUpCutMix, MixUpCutMixModel, cutmix_weights, mixed, mixed_targets, mixup_weights


def numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def test_mixup_mixes_each_face_with_the_mirrored_index():
    faces = np.stack([np.full((4, 4, 1), value, np.float32) for value in (0, 100, 200)])
    out, mix_lambda = mixed(faces, mixup_weights(np.array([0.75, 0.5, 0.25], np.float32), 4))
    np.testing.assert_allclose(numpy(out)[:, 0, 0, 0], [50, 100, 50])
    np.testing.assert_allclose(numpy(mix_lambda)[:, 0], [0.75, 0.5, 0.25])


def test_cutmix_lambda_is_one_minus_the_area_of_the_square():
    mix_lambda, across, down = np.array([[0.75, 0.75], [0.5, 0.0], [0.5, 0.5]], np.float32)
    weights = numpy(cutmix_weights(mix_lambda, across, down, 8))
    inner, cut_off = weights[..., 0]
    assert (inner[2:6, 2:6] == 0).all() and inner.sum() == 64 - 16  # a quarter of the face, in its middle
    assert (cut_off[2:6, :2] == 0).all() and cut_off.sum() == 64 - 8  # half of the square lies outside
    _, mix_lambda = mixed(np.ones((2, 8, 8, 1), np.float32), weights)
    np.testing.assert_allclose(numpy(mix_lambda)[:, 0], [48 / 64, 56 / 64])


def test_targets_are_mixed_by_lambda():
    targets = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(numpy(mixed_targets(targets, np.array([[0.75], [1.0]]))), [[0.75, 0.25], [0, 1]])


@pytest.mark.parametrize(
    ("options", "low", "high"), [({"mixup": 0.4}, 0, 0.4), ({"cutmix": 1.0}, 1, 1), ({"mixup": 0.4, "cutmix": 1.0}, 0.3, 0.9)]
)
def test_only_training_mixes(options, low, high):
    faces = np.random.default_rng(0).uniform(0, 255, (64, 12, 12, 1)).astype(np.float32)
    layer = MixUpCutMix(**options)
    out, mix_lambda = layer(faces, training=False)
    assert np.array_equal(numpy(out), faces) and (numpy(mix_lambda) == 1).all()
    out, mix_lambda = map(numpy, layer(faces, training=True))
    assert mix_lambda.shape == (64, 1) and 0 <= mix_lambda.min() < 0.3 and 0.7 < mix_lambda.max() <= 1 and out.max() <= 255
    copied = np.isclose(out, faces) | np.isclose(out, faces[::-1])  # CutMix copies every pixel, MixUp hardly any
    assert low <= copied.reshape(64, -1).all(axis=1).mean() <= high


def test_the_targets_of_both_heads_are_mixed():
    pixels = keras.Input((8, 8, 1))
    faces, mix_lambda = MixUpCutMix(mixup=0.5, cutmix=1.0)(pixels)
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(faces))
    outputs = {name: keras.layers.Dense(3, name=name)(features) for name in ("fer2013", "ferplus")}
    model = MixUpCutMixModel(pixels, {**outputs, MIX_LAMBDA: mix_lambda})
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", {name: crossentropy for name in outputs}, metrics={name: ["categorical_accuracy"] for name in outputs})
    random = np.random.default_rng(0)
    x = random.uniform(0, 255, (9, 8, 8, 1)).astype(np.float32)
    y = {name: np.eye(3, dtype=np.float32)[random.integers(0, 3, 9)] for name in outputs}
    found = model.evaluate(x, y, batch_size=9, verbose=0, return_dict=True)  # also builds the compiled losses
    outputs_of_batch = model(x, training=True)
    expected = sum(
        float(crossentropy(mixed_targets(y[name], outputs_of_batch[MIX_LAMBDA]), outputs_of_batch[name])) for name in outputs
    )
    assert float(model.compute_loss(x, y, outputs_of_batch)) == pytest.approx(expected, rel=1e-5)
    plain = model(x, training=False)
    assert found["loss"] == pytest.approx(sum(float(crossentropy(y[name], plain[name])) for name in outputs), rel=1e-5)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
