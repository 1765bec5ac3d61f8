"""Annotated images: labels of several faces."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from emotions import Face, ImageResult, annotate
from emotions.face.annotate import MAX_HIDDEN, STYLE, _overlap, _place_labels, _size
from emotions.face.results import Box
from emotions.labels import COLOURS

SIZE = (1200, 800)


def face(number: int, box: Box) -> Face:
    """A face that is surely happy."""
    return Face(number, box, 0.9, (0.0, 0.0, 0.0, 0.97, 0.03, 0.0, 0.0))


def labels(faces: list[Face], size: tuple[int, int] = SIZE):
    return _place_labels(ImageDraw.Draw(Image.new("RGB", size)), faces, 1.0, 3, size)


def test_a_single_face_has_no_number_and_several_have_their_own():
    assert [label.text for label in labels([face(0, Box(500, 300, 200, 240))])] == ["Happy 97%"]
    two = [face(0, Box(100, 300, 200, 240)), face(1, Box(800, 300, 200, 240))]
    assert [label.text for label in labels(two)] == ["1 · Happy 97%", "2 · Happy 97%"]


def test_labels_stand_above_or_below_and_inside_the_image():
    high, low = labels([face(0, Box(100, 2, 200, 240)), face(1, Box(1100, 400, 90, 100))])
    assert high.plate[1] > 242 and low.plate[3] < 400
    assert low.plate[2] <= SIZE[0], "it is moved into the image"


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_a_crowd_hide_neither_each_other_nor_faces(seed):
    rng = np.random.default_rng(seed)
    grid = [(x, y) for x in range(30, 1150, 90) for y in range(60, 700, 110)]
    chosen = rng.choice(len(grid), 30, replace=False)
    faces = [face(number, Box(*grid[place], 48, 60)) for number, place in enumerate(chosen)]
    placed = labels(faces)
    assert len(placed) == 30 and {label.text.split(" ·")[0] for label in placed} == {str(number + 1) for number in range(30)}
    assert sum(_overlap(one.plate, [other.plate]) for one, other in combinations(placed, 2)) == 0
    boxes = [(one.box.left, one.box.top, one.box.left + 48, one.box.top + 60) for one in faces]
    assert max(_overlap(label.plate, boxes) / _size(label.plate) for label in placed) <= MAX_HIDDEN
    assert any("·" in label.text for label in placed), "where there is room the label has the emotion too"


def test_labels_are_drawn_where_they_are_placed():
    faces = (face(0, Box(100, 300, 200, 240)), face(1, Box(800, 300, 200, 240)))
    pixels = annotate(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), ImageResult(*SIZE, faces, "test", {}))
    line = round(STYLE["line"]["share"] * SIZE[0])
    for label in _place_labels(ImageDraw.Draw(Image.new("RGB", SIZE)), faces, 1.0, line, SIZE):
        left, top, right, bottom = (round(value) for value in label.plate)
        middle = pixels[(top + bottom) // 2, left + 4 : right - 4].astype(int)
        yellow = np.array([int(COLOURS["happy"][start : start + 2], 16) for start in (1, 3, 5)])
        assert (np.abs(middle - yellow).max(axis=1) < 8).mean() > 0.3
