"""MixUp and CutMix: pictures and the targets of both heads mixed by the same shares."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from scripts.train.mixup import Mix, MixUpCutMixModel, cutmix_weights, mixed, mixed_targets, mixup_weights


def numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def test_mixup_blends_each_face_with_its_mirror_place():
    faces = np.stack([np.full((4, 4, 1), value, np.float32) for value in (0, 100, 200)])
    out, share = mixed(faces, mixup_weights(np.array([0.75, 0.5, 0.25], np.float32), 4))
    np.testing.assert_allclose(numpy(out)[:, 0, 0, 0], [50, 100, 50])
    np.testing.assert_allclose(numpy(share)[:, 0], [0.75, 0.5, 0.25])


def test_cutmix_takes_a_square_and_its_share_is_its_area():
    share, across, down = np.array([[0.75, 0.75], [0.5, 0.0], [0.5, 0.5]], np.float32)
    weights = numpy(cutmix_weights(share, across, down, 8))
    inner, cut_off = weights[..., 0]
    assert (inner[2:6, 2:6] == 0).all() and inner.sum() == 64 - 16  # a quarter of the face, in its middle
    assert (cut_off[2:6, :2] == 0).all() and cut_off.sum() == 64 - 8  # half of the square lies outside
    _, share = mixed(np.ones((2, 8, 8, 1), np.float32), weights)
    np.testing.assert_allclose(numpy(share)[:, 0], [48 / 64, 56 / 64])


def test_targets_follow_the_share():
    targets = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(numpy(mixed_targets(targets, np.array([[0.75], [1.0]]))), [[0.75, 0.25], [0, 1]])


@pytest.mark.parametrize(
    ("options", "least", "most"), [({"mixup": 0.4}, 0, 0.4), ({"cutmix": 1.0}, 1, 1), ({"mixup": 0.4, "cutmix": 1.0}, 0.3, 0.9)]
)
def test_only_training_mixes(options, least, most):
    faces = np.random.default_rng(0).uniform(0, 255, (64, 12, 12, 1)).astype(np.float32)
    layer = Mix(**options)
    out, share = layer(faces, training=False)
    assert np.array_equal(numpy(out), faces) and (numpy(share) == 1).all()
    out, share = map(numpy, layer(faces, training=True))
    assert share.shape == (64, 1) and 0 <= share.min() < 0.3 and 0.7 < share.max() <= 1 and out.max() <= 255
    copied = np.isclose(out, faces) | np.isclose(out, faces[::-1])  # CutMix copies every pixel, MixUp hardly any
    assert least <= copied.reshape(64, -1).all(axis=1).mean() <= most


def test_both_heads_learn_the_same_mixture():
    pixels = keras.Input((8, 8, 1))
    faces, share = Mix(mixup=0.5, cutmix=1.0)(pixels)
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(faces))
    outputs = {name: keras.layers.Dense(3, name=name)(features) for name in ("fer2013", "ferplus")}
    model = MixUpCutMixModel(pixels, {**outputs, "share": share})
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", {name: crossentropy for name in outputs}, metrics={name: ["categorical_accuracy"] for name in outputs})
    random = np.random.default_rng(0)
    x = random.uniform(0, 255, (9, 8, 8, 1)).astype(np.float32)
    y = {name: np.eye(3, dtype=np.float32)[random.integers(0, 3, 9)] for name in outputs}
    found = model.evaluate(x, y, batch_size=9, verbose=0, return_dict=True)  # also builds the compiled losses
    answers = model(x, training=True)
    expected = sum(float(crossentropy(mixed_targets(y[name], answers["share"]), answers[name])) for name in outputs)
    assert float(model.compute_loss(x, y, answers)) == pytest.approx(expected, rel=1e-5)
    plain = model(x, training=False)
    assert found["loss"] == pytest.approx(sum(float(crossentropy(y[name], plain[name])) for name in outputs), rel=1e-5)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
