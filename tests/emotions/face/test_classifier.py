"""Expression classifier: calibrated probabilities alone, in batches and from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from emotions.face.alignment import align_crop
from emotions.face.classifier import ExpressionClassifier
from emotions.face.detector import FaceDetector
from emotions.image.loading import open_image
from emotions.runtime.litert import softmax
from emotions.runtime.manifest import ModelRegistry


@pytest.fixture(scope="module")
def model() -> ExpressionClassifier:
    return ExpressionClassifier(ModelRegistry())


@pytest.fixture(scope="module")
def crops(model, portrait) -> np.ndarray:
    """Twenty views of one face, (20, S, S): mirrored, darkened, shifted."""
    pixels = open_image(portrait).pixels
    face = FaceDetector(model.registry).detect(pixels)[1][0]
    crop = align_crop(pixels, face.box, None, model.size).astype(int)
    views = [np.roll(np.clip(crop[:, :: (-1) ** number] - 6 * number, 0, 255), number - 10, axis=1) for number in range(20)]
    return np.stack(views).astype(np.uint8)


def test_probabilities_are_calibrated_and_sum_to_one(model, crops):
    probabilities = model.probabilities(crops, views=1)
    assert probabilities.shape == (20, 7) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    expected = softmax(model.logits(model.features(crops)), model.head_entry.temperature)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert len({tuple(row) for row in np.round(probabilities, 6)}) > 10, "different crops give different probabilities"


def test_prediction_is_independent_of_the_rest_of_the_batch(model, crops):
    alone = np.concatenate([model.probabilities(crops[index : index + 1]) for index in range(len(crops))])
    np.testing.assert_allclose(model.probabilities(crops), alone, atol=1e-5)
    crowd = np.concatenate([crops[:1], np.full_like(crops[:5], 255), np.zeros_like(crops[:4])])
    np.testing.assert_allclose(model.probabilities(crowd)[0], alone[0], atol=1e-5)


def test_threads_get_their_own_predictions(model, crops):
    expected = [model.probabilities(crops[: 1 + index % 5]) for index in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            results = pool.map(lambda index: model.probabilities(crops[: 1 + index % 5]), range(20))
            for result, single in zip(results, expected, strict=True):
                np.testing.assert_allclose(result, single, atol=1e-5)


def test_no_crops_give_no_rows(model):
    assert model.probabilities(np.zeros((0, model.size, model.size), np.uint8)).shape == (0, 7)


def test_crops_of_another_size_are_rejected(model):
    with pytest.raises(ValueError, match="crops must be"):
        model.features(np.zeros((1, 32, 32), np.uint8))


def test_all_heads_use_the_same_features(model, crops):
    features = model.features(crops)
    assert features.shape == (20, model.backbone_entry.metadata["output"])
    logits = {}
    for entry in model.registry.entries("expression-head"):
        head = ExpressionClassifier(model.registry, entry.name)
        assert head.description["name"].endswith(entry.name)
        logits[entry.name] = head.logits(features)
    assert {"fer2013", "ferplus", "mixed"} <= set(logits)
    assert not np.allclose(logits["fer2013"], logits["ferplus"], atol=0.05)


def test_softmax_is_stable_and_a_temperature_above_one_flattens():
    sharp, flat = softmax(np.array([[1000.0, 0, 0, 0, 0, 0, 0]])), softmax(np.array([[2.0, 0, 0, 0, 0, 0, 0]]), 2.0)
    assert sharp[0, 0] == 1 and np.isfinite(sharp).all()
    assert flat[0, 0] == pytest.approx(np.e / (np.e + 6))
