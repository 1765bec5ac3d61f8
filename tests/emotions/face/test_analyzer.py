"""Face analysis of whole photos, and annotated images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import emotions
from emotions.errors import ModelFileError
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.annotate import STYLE, annotate, text_colour
from emotions.face.classifier import ExpressionClassifier
from emotions.face.defaults import DEFAULT_HEAD
from emotions.image.loading import encode_jpeg, open_image
from emotions.labels import COLOURS, EMOTIONS, by_emotion
from emotions.runtime.manifest import ModelRegistry
from emotions.video.analyzer import VideoAnalyzer
from tests import clips

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "static" / "samples").glob("*.*g"))


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def test_analyze_photo_takes_a_path_or_bytes(portrait):
    result = emotions.analyze_photo(portrait)
    assert len(result.faces) == 1 and result.faces[0].emotion in EMOTIONS
    assert emotions.analyze_photo(portrait.read_bytes()).faces == result.faces


def test_drawn_faces_have_a_high_drawn_probability():
    drawn = {sample.name: [face.drawn for face in emotions.analyze_photo(sample).faces] for sample in SAMPLES}
    assert [len(drawn[name]) for name in ("collins.jpg", "obama.jpg", "angry.png", "friends.png")] == [1, 1, 1, 4]
    assert all((share > 0.5) == name.endswith(".png") for name, shares in drawn.items() for share in shares), drawn


def test_result_as_json(analyzer, portrait):
    body = json.loads(json.dumps(analyzer.analyze(open_image(portrait), landmarks=True).to_json()))
    (face,) = body["faces"]
    assert (body["width"], body["height"]) == (400, 400)
    assert list(face["probabilities"]) == list(EMOTIONS) and sum(face["probabilities"].values()) == pytest.approx(1, abs=0.001)
    assert face["confidence"] == max(face["probabilities"].values()) == face["probabilities"][face["emotion"]]
    assert len(face["landmarks"]) == 468
    points, box = np.array(face["landmarks"]), face["box"]
    inside = (points > [box["left"] - 30, box["top"] - 30]) & (
        points < [box["left"] + box["width"] + 30, box["top"] + box["height"] + 30]
    )
    assert inside.mean() > 0.95
    assert set(body["timing_ms"]) == {"decode", "detect", "classify"} and all(value > 0 for value in body["timing_ms"].values())


def test_faces_come_largest_first_in_full_size_pixels(analyzer, portrait):
    face = Image.open(portrait).convert("RGB").crop((100, 0, 300, 200))
    scene = Image.new("RGB", (3000, 2000), "white")  # decoded smaller than it is
    scene.paste(face.resize((800, 800)), (100, 200))
    scene.paste(face.resize((1200, 1200)), (1600, 400))
    result = analyzer.analyze(open_image(encode_jpeg(np.asarray(scene), 90)))
    assert (result.width, result.height) == (3000, 2000) and len(result.faces) == 2
    first, second = (face.box for face in result.faces)
    assert first.area > second.area and [face.id for face in result.faces] == [0, 1]
    assert 1600 < first.left < 2800 and 100 < second.left < 900


def test_no_face_gives_an_empty_result(analyzer):
    image = open_image(encode_jpeg(np.full((300, 400, 3), 90, np.uint8)))
    assert analyzer.analyze(image).faces == ()
    (whole,) = analyzer.analyze(image, "none").faces
    assert whole.score is None and whole.box.to_json() == {"left": 0, "top": 0, "width": 400, "height": 300}
    with pytest.raises(ValueError, match="detector must be one of"):
        analyzer.analyze(image, "dlib")


def test_the_default_head_is_the_same_everywhere(portrait):
    name = FaceAnalyzer(head=DEFAULT_HEAD).classifier.description["name"]
    assert name.endswith("/mixed")
    assert ExpressionClassifier(ModelRegistry()).description["name"] == name
    assert FaceAnalyzer().analyze(portrait).model["name"] == emotions.analyze_photo(portrait).model["name"] == name
    assert VideoAnalyzer(clips.clip(clips.still_frames(1))).summary()["model"]["name"] == name


def test_check_head_reports_an_unknown_head_before_the_first_image():
    FaceAnalyzer().check_head()
    with pytest.raises(ModelFileError, match="no expression-head called 'nonsense'"):
        FaceAnalyzer(head="nonsense").check_head()


def test_warm_up_runs_every_model():
    analyzer = FaceAnalyzer()
    assert len(analyzer.warm_up().faces) == 1
    assert all(
        analyzer.registry.model(entry).loaded for entry in (analyzer.classifier.backbone_entry, analyzer.classifier.head_entry)
    )


def test_annotated_image_has_a_box_and_a_label(analyzer, portrait):
    image = open_image(portrait)
    result = analyzer.analyze(image)
    drawn = annotate(image, result)
    assert drawn.shape == image.pixels.shape and drawn.dtype == np.uint8
    (face,) = result.faces
    colour = np.array([int(COLOURS[face.emotion][place : place + 2], 16) for place in (1, 3, 5)])
    middle = round(face.box.top + face.box.height / 2)
    edge = drawn[middle, round(face.box.left) - 3 : round(face.box.left) + 8].astype(int)
    assert np.abs(edge - colour).sum(axis=1).min() < 12, "the left side of the box has the emotion's colour"
    assert np.abs(drawn.astype(int) - image.pixels).sum(axis=2).any()
    inside = np.s_[middle - 20 : middle + 20, round(face.box.left) + 30 : round(face.box.left + face.box.width) - 30]
    assert np.array_equal(drawn[inside], image.pixels[inside]), "the face itself is unchanged"


def test_annotated_image_is_at_most_1600_px(analyzer):
    image = open_image(encode_jpeg(np.zeros((1000, 2000, 3), np.uint8)))
    assert annotate(image, analyzer.analyze(image)).shape == (800, 1600, 3) and STYLE["max_side"] == 1600


def test_label_text_contrasts_with_every_colour():
    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert list(COLOURS) == list(EMOTIONS)
    for colour in COLOURS.values():
        light, dark = sorted((luminance(colour), luminance(text_colour(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


def test_by_emotion_needs_seven_values_and_rounds_them():
    assert by_emotion(np.arange(7) / 3)["happy"] == 1 and list(by_emotion([0] * 7)) == list(EMOTIONS)
    with pytest.raises(ValueError, match="zip"):
        by_emotion([0.5] * 6)
