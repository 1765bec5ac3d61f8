"""Reliability flags: measurements of the crop, and which reason is reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.face.alignment import align_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.face.annotate import annotate
from emotions.face.pose import Pose
from emotions.face.reliability import LIMITED_REASONS, UNSURE_REASONS, CropQuality, measure_quality, sharpness, unsure_reason
from emotions.face.results import Box
from emotions.image.loading import encode_jpeg, open_image
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.synthetic.coverings import COVERED, paint

LIMITS = {"turned": 40.0, "small": 16.0, "blurred": 0.15, "low_confidence": 0.4}
GOOD = CropQuality(Pose(10, 0, 0), 100, 0.4)
WORST = CropQuality(Pose(-50, 0, 0), 10, 0.1)


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def pixels(portrait) -> np.ndarray:
    return open_image(portrait).pixels


def quality(analyzer: FaceAnalyzer, image: np.ndarray) -> CropQuality:
    """Measure the largest face as `analyze` does."""
    face = analyzer.face_detector.detect(image)[1][0]
    landmarks = analyzer.face_detector.landmarks(image, face)
    crop = align_crop(image, face.box, landmarks, analyzer.classifier.size)
    return measure_quality(image.shape, face.box, landmarks, crop)


@pytest.mark.parametrize(
    ("face", "confidence", "reason"),
    [
        (GOOD, 0.4, None),
        (GOOD, 0.39, "low_confidence"),
        (CropQuality(GOOD.pose, 16, 0.15), 0.9, None),
        (CropQuality(GOOD.pose, 15.9, 0.4), 0.9, "small"),
        (CropQuality(GOOD.pose, 90, 0.14), 0.9, "blurred"),
        (CropQuality(Pose(40, 40, 180), 90, 0.4), 0.9, None),
        (CropQuality(Pose(0, 40.1, 0), 90, 0.4), 0.9, "turned"),
        (CropQuality(Pose(0, -40.1, -180), 90, 0.4), 0.9, "turned"),
        (CropQuality(Pose(-41, 0, 0), 90, 0.4), 0.9, "turned"),
        (CropQuality(None, 90, 0.4), 0.9, None),
        (WORST, 0.1, "turned"),
    ],
)
def test_each_threshold(face, confidence, reason):
    assert unsure_reason(face, confidence, LIMITS) == reason


def test_first_reason_is_reported_and_one_without_threshold_never_applies():
    reasons = [
        unsure_reason(WORST, 0.1, {name: LIMITS[name] for name in UNSURE_REASONS[start:] if name in LIMITS}, start <= 3)
        for start in range(len(UNSURE_REASONS) + 1)
    ]
    assert reasons == [*UNSURE_REASONS, None]


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_side_is_in_pixels_of_the_image(analyzer, pixels, scale):
    scaled = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    assert quality(analyzer, scaled).side == pytest.approx(scale * quality(analyzer, pixels).side, rel=0.05)


def test_side_without_landmarks_and_of_the_whole_image():
    crop = np.zeros((48, 48), np.uint8)
    assert measure_quality((300, 400, 3), Box(10, 20, 80, 80), None, crop).side == pytest.approx(80 / 0.888)
    whole = measure_quality((300, 400, 3), Box(0, 0, 400, 300), None, crop)
    assert whole.side == pytest.approx(400) and whole.pose is None


def test_sharpness_is_independent_of_scale_and_contrast(analyzer, pixels):
    sharp = quality(analyzer, pixels).sharpness
    blurred = [quality(analyzer, cv2.GaussianBlur(pixels, (0, 0), blur)).sharpness for blur in (1, 2, 4)]
    assert sharp > blurred[0] > blurred[1] > blurred[2] and blurred[2] < sharp / 3
    large = cv2.resize(pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)  # soft between pixels, as sharp in the crop
    assert quality(analyzer, large).sharpness == pytest.approx(sharp, rel=0.1)
    dull = (pixels * 0.4 + 70).astype(np.uint8)
    assert quality(analyzer, dull).sharpness == pytest.approx(sharp, rel=0.1)
    assert sharpness(np.full((48, 48), 90, np.uint8)) == 0


@pytest.mark.parametrize(("name", "least"), [("mask", 0.7), ("scarf", 0.7), ("object", 0.3)])
def test_covered_faces_are_unsure(analyzer, pixels, name, least):
    """Of twelve coverings of a kind a share of at least `least` is detected, and the plain portrait is not called covered."""
    image = pixels.mean(axis=2).astype(np.uint8)
    (face,) = analyzer.analyze(pixels, landmarks=True).faces
    assert face.unsure is None
    found = []
    for seed in range(12):
        painted, hidden = paint(image, np.array(face.landmarks), name, np.random.default_rng(seed))
        if hidden >= COVERED:
            found += [one.unsure for one in analyzer.analyze(np.repeat(painted[..., None], 3, axis=2)).faces[:1]]
    assert len(found) >= 5 and found.count("covered") >= least * len(found), found


@pytest.fixture
def limited(tmp_path):
    """Return a function that makes an analyzer whose heads have the given thresholds."""

    def make(thresholds: dict[str, float] | None) -> FaceAnalyzer:
        folder = tmp_path / f"models{len(list(tmp_path.iterdir()))}"
        shutil.copytree(BUNDLED, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for entry in manifest["models"]:
            if entry["role"] == "expression-head":
                entry["thresholds"] = thresholds
                if thresholds is None:
                    del entry["thresholds"]
        (folder / "manifest.json").unlink()
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return FaceAnalyzer(ModelRegistry(folder))

    return make


def test_thresholds_come_from_the_manifest(limited, pixels):
    image = open_image(encode_jpeg(pixels, 95))
    reasons = {}
    for name, limit in {"turned": -1, "small": 1e4, "blurred": 9, "low_confidence": 1.01}.items():
        (face,) = limited({name: limit}).analyze(image).faces
        reasons[name] = face.unsure
        assert face.to_json()["unsure"] == name and face.emotion == "happy", "the prediction is still reported"
    assert list(reasons.values()) == list(LIMITED_REASONS)
    assert limited({}).analyze(image).faces[0].unsure is None
    assert limited(None).analyze(image).faces[0].unsure is None, "an older manifest without thresholds"


def test_shipped_thresholds_flag_bad_images_and_not_a_good_one(analyzer, pixels):
    for entry in analyzer.registry.entries("expression-head"):
        assert set(entry.thresholds) <= set(LIMITED_REASONS)
    served = FaceAnalyzer(analyzer.registry, "mixed")
    thresholds = served.classifier.head_entry.thresholds
    assert served.analyze(open_image(encode_jpeg(pixels, 95))).faces[0].unsure is None
    if "blurred" in thresholds:
        (blurred,) = served.analyze(open_image(encode_jpeg(cv2.GaussianBlur(pixels, (0, 0), 4), 95))).faces
        assert blurred.unsure == "blurred"
    if "small" in thresholds:
        scale = 0.0102 * thresholds["small"]  # the crop of the face has about 95 pixels a side; without margins it is not found
        tiny = cv2.resize(pixels[:200, 80:280], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tiny = cv2.copyMakeBorder(tiny, 8, 8, 8, 8, cv2.BORDER_REPLICATE)
        (small,) = served.analyze(open_image(encode_jpeg(tiny, 95))).faces
        assert small.unsure == "small"


def test_annotated_image_has_a_question_mark(limited, pixels):
    image = open_image(encode_jpeg(pixels, 95))
    sure, unsure = (annotate(image, limited(limits).analyze(image)) for limits in ({}, {"turned": -1}))
    changed = np.argwhere(np.abs(sure.astype(int) - unsure).sum(axis=2) > 30)
    assert len(changed), "the label differs"
    box = limited({}).analyze(image).faces[0].box
    assert changed[:, 0].max() < box.top, "only the label differs, which is above the box"
