"""Views of a face whose predictions are averaged: their pixels, invariances of the mean, and cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotions import analyze_photo, analyze_video
from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.defaults import DEFAULT_VIEWS, REQUEST_VIEWS, VIEWS
from emotions.face.saliency import GRID
from emotions.face.views import SHIFT, crop_views
from emotions.image.loading import open_image
from emotions.runtime.litert import BATCH, softmax
from emotions.video.analyzer import VideoAnalyzer

VIDEO = Path(__file__).resolve().parents[2] / "data" / "av1.webm"


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def classifier(analyzer):
    return analyzer.classifier


@pytest.fixture(scope="module")
def crops(analyzer, portrait) -> np.ndarray:
    """Seven faces (7, S, S): a portrait that is turned and darkened, and noise."""
    pixels = open_image(portrait).pixels
    crop = align_crop(pixels, analyzer.face_detector.detect(pixels)[1][0].box, None, analyzer.classifier.size)
    noise = np.random.default_rng(0).integers(0, 256, (3, *crop.shape), np.uint8)
    return np.stack([crop, np.roll(crop, 5, axis=1), crop // 2, np.rot90(crop), *noise])


def test_default_is_a_choice_of_every_interface():
    assert DEFAULT_VIEWS in REQUEST_VIEWS and set(REQUEST_VIEWS) <= set(VIEWS)


def test_ten_views_are_five_places_and_their_mirror_images(crops):
    size, shift = crops.shape[1], round(crops.shape[1] * SHIFT)
    views = crop_views(crops, 10)
    assert views.shape == (10, *crops.shape) and views.dtype == np.uint8
    np.testing.assert_array_equal(views[0], crops)
    np.testing.assert_array_equal(views[1::2], views[::2, :, :, ::-1])
    up, down, left, right = views[2], views[4], views[6], views[8]
    np.testing.assert_array_equal(up[:, shift:], crops[:, : size - shift])
    np.testing.assert_array_equal(up[:, :shift], np.repeat(crops[:, :1], shift, axis=1))  # the edge is repeated
    np.testing.assert_array_equal(down[:, : size - shift], crops[:, shift:])
    np.testing.assert_array_equal(left[:, :, shift:], crops[:, :, : size - shift])
    np.testing.assert_array_equal(right[:, :, : size - shift], crops[:, :, shift:])
    for fewer in VIEWS:
        np.testing.assert_array_equal(crop_views(crops, fewer), views[:fewer])


@pytest.mark.parametrize("views", VIEWS)
def test_probabilities_are_the_mean_over_views(classifier, crops, views):
    """Probabilities are averaged, not logits, with the temperature applied to each view."""
    logits = [classifier.logits(classifier.features(view)) for view in crop_views(crops, views)]
    expected = np.mean([softmax(rows, classifier.head_entry.temperature) for rows in logits], axis=0)
    found = classifier.probabilities(crops, views)
    assert found.shape == (len(crops), 7) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("views", [2, 10])
def test_mirrored_faces_get_the_same_answer(classifier, crops, views):
    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    np.testing.assert_allclose(classifier.probabilities(mirrored, views), classifier.probabilities(crops, views), atol=1e-5)
    assert np.abs(classifier.probabilities(mirrored, 1) - classifier.probabilities(crops, 1)).max() > 0.01


def test_prediction_is_independent_of_the_rest_of_the_batch(classifier, crops):
    alone = np.concatenate([classifier.probabilities(crops[row : row + 1], 2) for row in range(len(crops))])
    np.testing.assert_allclose(classifier.probabilities(crops, 2), alone, atol=1e-5)


def test_features_of_the_faces_themselves_come_first(classifier, crops):
    features = classifier.view_features(crops, 10)
    assert features.shape == (10, len(crops), classifier.backbone_entry.output)
    np.testing.assert_allclose(features[0], classifier.features(crops), atol=1e-5)
    assert classifier.probabilities(crops[:0], 10).shape == (0, 7)


def test_views_share_the_limit_of_a_batch(classifier, crops, monkeypatch):
    batches = []
    model = type(classifier.registry.model(classifier.backbone_entry))
    real = model.__call__
    monkeypatch.setattr(model, "__call__", lambda self, batch: batches.append(len(batch)) or real(self, batch))
    classifier.view_features(crops, 10)
    assert sum(batches) == 10 * len(crops) and max(batches) <= BATCH


@pytest.mark.parametrize("views", [0, 3, -1, 11, "2", None])
def test_other_numbers_are_rejected(analyzer, crops, portrait, views):
    message = "views must be one of 1, 2, 10, not"
    with pytest.raises(ValueError, match=message):
        analyzer.classifier.probabilities(crops, views)
    with pytest.raises(ValueError, match=message):
        analyzer.analyze(portrait, views=views)
    with pytest.raises(ValueError, match=message):
        VideoAnalyzer(VIDEO, views=views)


def test_photo_and_its_mirror_image_as_one_face(analyzer):
    """Noise, in which no face is detected, so that both are cropped alike."""
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    faces = [analyzer.analyze(image, "none", views=2).faces[0] for image in (pixels, pixels[:, ::-1].copy())]
    np.testing.assert_allclose(faces[0].probabilities, faces[1].probabilities, atol=1e-5)


def test_photo(analyzer, portrait):
    results = {views: analyzer.analyze(portrait, views=views) for views in VIEWS}
    for views, result in results.items():
        (face,) = result.faces
        assert result.views == result.to_json()["views"] == views and sum(face.probabilities) == pytest.approx(1, abs=1e-5)
        assert face.emotion == "happy" and face.box == results[1].faces[0].box
        assert face.drawn == pytest.approx(results[1].faces[0].drawn, abs=1e-5), "the drawn head reads the face alone"
        assert analyze_photo(portrait, views=views).faces == result.faces
    assert len({result.faces[0].probabilities for result in results.values()}) == len(VIEWS)
    assert analyze_photo(portrait).views == DEFAULT_VIEWS


def test_video():
    results = {views: analyze_video(VIDEO, fps=1, views=views) for views in (1, 2)}
    assert [result.summary["views"] for result in results.values()] == [1, 2]
    one, two = (result.frames[0].faces[0] for result in results.values())
    assert one.box == two.box and one.probabilities != two.probabilities
    assert analyze_video(VIDEO, fps=1).summary["views"] == DEFAULT_VIEWS


def test_explanation_is_that_of_the_mean(analyzer, portrait):
    plain, mean = (analyzer.analyze(portrait, explain=True, views=views).faces[0] for views in (1, 2))
    heat, crop = mean.explanation.heat, mean.explanation.crop
    np.testing.assert_array_equal(crop, plain.explanation.crop)
    happy, covered = int(np.argmax(mean.probabilities)), crop.copy()
    side = len(crop) // 2
    covered[:side, :side] = round(float(crop.mean()))
    drop = mean.probabilities[happy] - analyzer.classifier.probabilities(covered[None], 2)[0, happy]
    assert heat[0, 0] == pytest.approx(drop, abs=1e-4)  # only the first patch covers the corner
    assert not np.allclose(heat, plain.explanation.heat, atol=1e-3)


def test_cost_is_that_of_as_many_faces(analyzer, portrait, monkeypatch):
    counts = []
    real = type(analyzer.classifier).features
    monkeypatch.setattr(
        type(analyzer.classifier), "features", lambda model, crops: counts.append(len(crops)) or real(model, crops)
    )
    analyzer.analyze(portrait, views=10)
    analyzer.analyze(portrait, explain=True, views=2)
    assert counts == [10, 2, 2 * GRID**2]
