"""Evaluation of turned photos: rotated scenes, matched faces, and the detector without the search."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from scripts.evaluate.detection_scenes import Scene
from scripts.evaluate.orientation import TURNS, alarm_rows, angle_between, clockwise, match_faces, turned_rows, upright_analyzer


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def scene(portrait) -> Scene:
    return Scene("portrait", open_image(portrait).pixels, np.array([[140.0, 41, 210, 136]]))


@pytest.mark.parametrize("turns", TURNS)
def test_boxes_turn_with_the_pixels(turns):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:15, 20:28] = 255
    turned = clockwise(Scene("one", pixels, np.array([[20.0, 5, 28, 15]])), turns)
    left, top, right, bottom = turned.boxes[0].astype(int)
    assert turned.pixels[top:bottom, left:right].min() == 255 and turned.pixels.sum() == pixels.sum()
    assert np.array_equal(clockwise(turned, 4 - turns).pixels, pixels)


def test_angles_are_compared_around_the_circle():
    assert angle_between(-170, 180) == pytest.approx(10) and angle_between(90, 450) == pytest.approx(0)
    assert angle_between(0, 180) == pytest.approx(180)


def test_rows_of_a_photo_and_of_an_empty_one(analyzer, scene):
    rows = turned_rows(analyzer, [scene])
    assert [row[0] for row in rows] == [0, 90, 180, 270]
    assert all(row[1:5] == ("1 of 1", 0, "100.0%", "0 of 1") for row in rows)
    empty = {"photos": [Scene("wall", np.full((200, 300, 3), 90, np.uint8), np.zeros((0, 4)))]}
    assert alarm_rows({"with": analyzer}, empty) == [("with", "0 of 4")]


def test_detector_without_the_search_finds_the_same_upright_face_and_misreads_it_upside_down(analyzer, scene):
    other = upright_analyzer(analyzer)
    assert other.analyze(scene.pixels).faces == analyzer.analyze(scene.pixels).faces
    turned = clockwise(scene, 2)
    (face,) = match_faces(analyzer.analyze(turned.pixels).faces, turned.boxes).values()
    assert angle_between(face.pose.roll, 180) < 10
    without = match_faces(other.analyze(turned.pixels).faces, turned.boxes)
    assert all(face.pose is None or angle_between(face.pose.roll, 180) > 60 for face in without.values())
