"""Occlusion saliency: on a classifier that depends on one region only, and on the shipped models."""

from __future__ import annotations

import base64
import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotions.face.analyzer import FaceAnalyzer
from emotions.face.saliency import GRID, MAX_EXPLAINED, MIN_DROP, MIN_SIDE, OcclusionMap, occlusion_map
from emotions.image.loading import encode_jpeg, open_image
from emotions.labels import EMOTIONS

SIZE = 48
HAPPY = EMOTIONS.index("happy")


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def photo(portrait):
    return open_image(portrait)


def depends_on(top: int, left: int, side: int = 8):
    """Make a classifier whose `happy` is the fraction of bright pixels in one square, and whose `sad` is the rest."""

    def predict(crops: np.ndarray) -> np.ndarray:
        rows = np.zeros((len(crops), len(EMOTIONS)), np.float32)
        rows[:, HAPPY] = (crops[:, top : top + side, left : left + side] > 200).mean(axis=(1, 2))
        rows[:, EMOTIONS.index("sad")] = 1 - rows[:, HAPPY]
        return rows

    return predict


def bright_square(top: int, left: int) -> np.ndarray:
    crop = np.full((SIZE, SIZE), 60, np.uint8)
    crop[top : top + 8, left : left + 8] = 250
    return crop


@pytest.mark.parametrize(("top", "left", "third"), [(2, 4, "upper"), (20, 30, "middle"), (38, 20, "lower")])
def test_the_region_that_decides_has_the_largest_drop(top, left, third):
    predict, crop = depends_on(top, left), bright_square(top, left)
    found = occlusion_map(predict, crop, predict(crop[None])[0])
    assert found.heat.shape == (SIZE, SIZE) and found.heat.dtype == np.float32
    inside = found.heat[top : top + 8, left : left + 8]
    far = np.ones((SIZE, SIZE), bool)
    far[max(0, top - 24) : top + 32, max(0, left - 24) : left + 32] = False
    assert inside.mean() > 0.5 and (found.heat[far] == 0).all(), "no patch reaches that far"
    y, x = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert top - 4 <= y < top + 12 and left - 4 <= x < left + 12
    assert found.strongest == third and found.is_localized and 0.5 < found.max_drop <= 1


def test_evidence_against_the_prediction_is_negative():
    def against(crops: np.ndarray) -> np.ndarray:
        share = depends_on(20, 20)(crops)[:, HAPPY]
        rows = np.zeros((len(crops), len(EMOTIONS)), np.float32)
        rows[:, HAPPY], rows[:, 0] = 1 - 0.4 * share, 0.4 * share
        return rows

    crop = bright_square(20, 20)
    found = occlusion_map(against, crop, against(crop[None])[0])
    assert found.heat[20:28, 20:28].mean() < -0.2 and found.heat.max() <= 1e-6
    assert not found.is_localized and found.max_drop < MIN_DROP


def test_rendered_map_is_brightest_at_the_largest_drop():
    heat = np.zeros((SIZE, SIZE), np.float32)
    heat[30:40, 10:20] = 0.4
    drawn = OcclusionMap(np.full((SIZE, SIZE), 128, np.uint8), heat).render()
    assert drawn.shape == (MIN_SIDE, MIN_SIDE, 3) and drawn.dtype == np.uint8
    factor = MIN_SIDE // SIZE
    hot, cold = drawn[35 * factor, 15 * factor].astype(int), drawn[5 * factor, 40 * factor].astype(int)
    assert hot.sum() > cold.sum() + 150 and hot[0] > hot[2] and cold[2] > cold[0], "yellow against blue"
    weak = OcclusionMap(np.full((SIZE, SIZE), 128, np.uint8), heat * (0.2 * MIN_DROP / 0.4)).render()
    tinted = np.abs(weak[35 * factor, 15 * factor].astype(int) - cold).sum()
    assert tinted < np.abs(hot - cold).sum() / 2, "a small drop is not rendered as a large one"


def test_a_smile_depends_on_the_mouth(analyzer, photo):
    (face,) = analyzer.analyze(photo, explain=True).faces
    heat = face.explanation.heat
    assert face.emotion == "happy" and heat.shape == (analyzer.classifier.size,) * 2
    size = len(heat)
    mouth = heat[round(0.6 * size) : round(0.9 * size), round(0.25 * size) : round(0.75 * size)]
    assert mouth.mean() > 3 * np.abs(heat[: size // 3]).mean() and face.explanation.strongest == "lower"


def test_the_map_is_of_the_shipped_model(analyzer, photo):
    """Covering the crop and classifying it again gives the drops of the map."""
    (face,) = analyzer.analyze(photo, explain=True).faces
    heat, crop = face.explanation.heat, face.explanation.crop
    np.testing.assert_allclose(analyzer.classifier.probabilities(crop[None])[0], face.probabilities, atol=1e-5)
    places = np.linspace(0, len(crop) - 24, GRID).round().astype(int)
    drops = np.zeros((GRID, GRID))
    for row, top in enumerate(places):
        for column, left in enumerate(places):
            covered = crop.copy()
            covered[top : top + 24, left : left + 24] = round(float(crop.mean()))
            drops[row, column] = face.confidence - analyzer.classifier.probabilities(covered[None])[0, HAPPY]
    assert heat.max() <= drops.max() + 1e-4 and heat[0, 0] == pytest.approx(drops[0, 0], abs=1e-4)
    y, x = np.unravel_index(drops.argmax(), drops.shape)
    assert heat[places[y] : places[y] + 24, places[x] : places[x] + 24].max() == pytest.approx(heat.max())


def test_no_cost_without_explain(analyzer, photo, monkeypatch):
    calls = []
    real = type(analyzer.classifier).features
    monkeypatch.setattr(
        type(analyzer.classifier), "features", lambda model, crops: calls.append(len(crops)) or real(model, crops)
    )
    plain = analyzer.analyze(photo, views=1)
    assert calls == [1] and plain.faces[0].explanation is None and "explain" not in plain.timing_ms
    assert "explanation" not in plain.to_json()["faces"][0]
    explained = analyzer.analyze(photo, explain=True, views=1)
    assert calls == [1, 1, GRID**2] and explained.timing_ms["explain"] > 0
    assert explained.faces == plain.faces


def test_at_most_max_explained_faces_are_explained(analyzer, photo):
    face = Image.fromarray(photo.pixels).crop((90, 0, 290, 200)).resize((150, 150))
    crowd = Image.new("RGB", (960, 400), "grey")
    for number in range(7):
        crowd.paste(face, (20 + number % 4 * 230, 20 + number // 4 * 190))
    result = analyzer.analyze(open_image(encode_jpeg(np.asarray(crowd), 95)), explain=True)
    assert len(result.faces) > MAX_EXPLAINED
    assert [face.explanation is not None for face in result.faces] == [
        index < MAX_EXPLAINED for index in range(len(result.faces))
    ]


def test_json_has_the_rendered_map(analyzer, photo):
    (face,) = json.loads(json.dumps(analyzer.analyze(photo, explain=True).to_json()))["faces"]
    head, _, data = face["explanation"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(data, validate=True))) as image:
        assert image.size == (MIN_SIDE, MIN_SIDE)


def test_without_a_face_there_is_no_map(analyzer):
    empty = open_image(encode_jpeg(np.full((200, 300, 3), 90, np.uint8)))
    assert analyzer.analyze(empty, explain=True).faces == ()
    (whole,) = analyzer.analyze(empty, "none", explain=True).faces
    assert whole.explanation.heat.shape == (analyzer.classifier.size,) * 2
