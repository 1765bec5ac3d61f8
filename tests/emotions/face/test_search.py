"""Search for faces: each once, the small ones too, whatever else the image shows, within a bounded number of passes."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.face import blazeface
from emotions.face.detector import LARGE_IMAGE, MAX_CLOSER_LOOKS, TILE_SIZE, FaceDetector
from emotions.image.loading import open_image
from emotions.runtime.manifest import ModelRegistry

SAMPLES = Path(__file__).resolve().parents[3] / "static/samples"
PORTRAITS = ("obama.jpg", "collins.jpg")


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(ModelRegistry())


def group(size: tuple[int, int], height: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy canvas of (width, height) with twelve portraits whose faces are `height` pixels high, and their centers (12, 2)."""
    random = np.random.default_rng(seed)
    canvas = cv2.GaussianBlur(random.integers(60, 190, (size[1], size[0], 3), np.uint8), (0, 0), 5)
    faces = {"obama.jpg": (280.0, 153.0, 175.0), "collins.jpg": (227.0, 121.0, 116.0)}  # center and height of each face
    centers = []
    for index, (column, row) in enumerate(product(range(4), range(3))):
        name = PORTRAITS[index % 2]
        x, y, tall = faces[name]
        scale = height / tall
        small = cv2.resize(open_image(SAMPLES / name).pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cell = np.array(size) / (4, 3)
        left, top = (np.array([column, row]) * cell + random.uniform(0, cell - small.shape[1::-1])).astype(int)
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        centers.append((left + x * scale, top + y * scale))
    return canvas, np.array(centers)


def found_share(face_detector: FaceDetector, pixels: np.ndarray, centers: np.ndarray) -> float:
    """Share of the faces with these centers that were found; every detection must be one of them, and each only once."""
    boxes = [face.box for face in face_detector.detect(pixels)[1]]
    owners = []
    for box in boxes:
        distances = np.abs(centers - (box.left + box.width / 2, box.top + box.height / 2)).max(axis=1)
        assert distances.min() < box.height / 2, f"a false alarm at {box}"
        owners.append(int(distances.argmin()))
    assert len(set(owners)) == len(owners)
    return len(owners) / len(centers)


@pytest.mark.parametrize("size", [(1100, 825), (1280, 960), (1600, 1200), (2048, 1536)])
def test_small_faces_are_found_at_any_size_of_the_image(face_detector, size):
    shares = [found_share(face_detector, *group(size, 44, seed)) for seed in range(2)]
    assert np.mean(shares) >= 0.9


def test_a_large_face_does_not_hide_small_ones(face_detector):
    pixels, centers = group((2048, 1536), 48)
    portrait = cv2.resize(open_image(SAMPLES / "obama.jpg").pixels, None, fx=2.4, fy=2.4, interpolation=cv2.INTER_CUBIC)
    scene = np.hstack([portrait[:1536], pixels[:, : 2048 - portrait.shape[1]]])
    inside = centers[:, 0] < 2048 - portrait.shape[1] - 60
    expected = np.concatenate([[(280 * 2.4, 153 * 2.4)], centers[inside] + (portrait.shape[1], 0)])
    boxes = [face.box for face in face_detector.detect(scene)[1]]
    hits = [
        any(
            abs(box.left + box.width / 2 - x) < box.width / 2 and abs(box.top + box.height / 2 - y) < box.height / 2
            for box in boxes
        )
        for x, y in expected
    ]
    assert hits[0] and np.mean(hits) >= 0.9


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.slow
def test_a_close_up_is_one_face(face_detector, name):
    """Each of these crops, or some of them, gave two nested boxes before."""
    pixels = open_image(SAMPLES / name).pixels
    box = face_detector.detect(pixels)[1][0].box
    middle = np.array([box.left + box.width / 2, box.top + box.height / 2])
    for zoom, right, down in product((0.7, 0.8, 0.9, 1.0, 1.2), (-0.1, 0, 0.1), (-0.1, 0, 0.1)):
        size = np.array([box.width, box.height]) * zoom
        left, top = np.maximum(middle + np.array([right, down]) * size - size / 2, 0).astype(int)
        crop = np.ascontiguousarray(pixels[top : top + int(size[1]), left : left + int(size[0])])
        for width in (120, 360):
            faces = face_detector.detect(cv2.resize(crop, (width, width * 6 // 5)))[1]
            assert len(faces) <= 1, (zoom, right, down, width)


def test_a_face_in_front_of_another_one_is_a_second_face(face_detector):
    large = cv2.resize(open_image(SAMPLES / "obama.jpg").pixels, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(open_image(SAMPLES / "collins.jpg").pixels[30:215, 150:300], (100, 123), interpolation=cv2.INTER_AREA)
    box = face_detector.detect(large)[1][0].box
    left, top = int(box.left + box.width - 60), int(box.top + box.height - 75)
    large[top : top + 123, left : left + 100] = small
    assert len(face_detector.detect(large)[1]) == 2


@pytest.mark.parametrize("pixels", [
    np.random.default_rng(1).integers(0, 256, (1536, 2048, 3), np.uint8),
    np.kron(np.random.default_rng(2).integers(0, 256, (96, 128, 3), np.uint8), np.ones((16, 16, 1), np.uint8)),
    group((2048, 1536), 24)[0],
    np.tile(cv2.resize(open_image(SAMPLES / "obama.jpg").pixels, (64, 80), interpolation=cv2.INTER_AREA), (19, 32, 1)),
], ids=["noise", "blocks", "group", "crowd"])  # fmt: skip
def test_passes_over_an_image_are_bounded(face_detector, monkeypatch, pixels):
    passes, original = [], blazeface.decode
    monkeypatch.setattr(blazeface, "decode", lambda *arguments: passes.append(1) or original(*arguments))
    face_detector.detect(pixels, "auto")
    tiles = len(blazeface.tile_starts(pixels.shape[0], TILE_SIZE)) * len(blazeface.tile_starts(pixels.shape[1], TILE_SIZE))
    assert max(pixels.shape) > LARGE_IMAGE and tiles + 1 <= len(passes) <= tiles + 1 + MAX_CLOSER_LOOKS + 6
