"""BlazeFace: letterbox, decoding, non-maximum suppression and tiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from emotions.face.blazeface import (
    PYRAMID_SCALES,
    BlazeFace,
    anchors,
    decode,
    fraction_inside,
    iou,
    letterbox,
    tile_starts,
    weighted_nms,
)
from emotions.runtime.manifest import ModelRegistry


def candidate(left, top, right, bottom, score):
    return np.array([left, top, right, bottom, *range(12), score], np.float32)


def test_anchors_are_cell_centers_row_by_row():
    full_range, back_camera = anchors(((48, 1),)), anchors(((16, 2), (8, 6)))
    assert full_range.shape == (2304, 2) and back_camera.shape == (896, 2)
    np.testing.assert_allclose(full_range[[0, 1, 48]] * 48, [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]], atol=1e-5)
    np.testing.assert_allclose(back_camera[[0, 1, 2]] * 16, [[0.5, 0.5], [0.5, 0.5], [1.5, 0.5]], atol=1e-5)
    np.testing.assert_allclose(back_camera[512] * 8, [0.5, 0.5], atol=1e-5)


def test_decode_adds_the_anchor_and_applies_the_threshold():
    boxes, logits = np.zeros((1, 4, 16), np.float32), np.full((1, 4, 1), -200, np.float32)
    boxes[0, 3] = [1, -2, 8, 6, *[4, 5] * 6]
    logits[0, 3] = 200  # clipped: exp(200) overflows float32
    for outputs in ([boxes, logits], [logits, boxes]):
        (row,) = decode(outputs, ((2, 1),), 16, 0.5)
        np.testing.assert_allclose(row[:4], [12 + 1 - 4, 12 - 2 - 3, 12 + 1 + 4, 12 - 2 + 3])
        np.testing.assert_allclose(row[4:16], [16, 17] * 6)
        assert row[16] == 1


def test_letterbox_keeps_proportions_and_returns_the_inverse_mapping():
    pixels = np.full((100, 200, 3), 255, np.uint8)
    tensor, ((scale, left, top),) = letterbox(pixels, 64)
    assert tensor.shape == (1, 64, 64, 3) and tensor.dtype == np.float32
    assert (scale, left, top) == (0.32, 0, 16)
    assert (tensor[0, 16:48] == 1).all() and (tensor[0, :16] == -1).all() and (tensor[0, 48:] == -1).all()


def test_letterbox_packs_one_pyramid_level_into_each_cell():
    tensor, placements = letterbox(np.full((90, 120, 3), 255, np.uint8), 256, PYRAMID_SCALES)
    for level, (scale, left, top) in enumerate(placements):
        cell = tensor[0, level // 2 * 128 :, level % 2 * 128 :][:128, :128, 0]
        width, height = round(120 * scale), round(90 * scale)
        assert width == round(256 * PYRAMID_SCALES[level]) and (cell == 1).sum() == width * height
        assert (tensor[0, top : top + height, left : left + width] == 1).all()


def test_iou_and_fraction_inside():
    box = np.array([0, 0, 10, 10])
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 0, 0]])
    np.testing.assert_allclose(iou(box, others), [1, 1 / 3, 0, 0])
    np.testing.assert_allclose(fraction_inside(others, box), [1, 0.5, 0, 0])


def test_weighted_nms_averages_by_score_and_keeps_the_best_score():
    rows = np.stack([candidate(0, 0, 10, 10, 0.3), candidate(1, 0, 11, 10, 0.9), candidate(50, 50, 60, 60, 0.5)])
    merged = weighted_nms(rows)
    np.testing.assert_allclose(merged[:, 0], [0.75, 50], rtol=1e-6)
    np.testing.assert_allclose(merged[:, 16], [0.9, 0.5])
    assert np.allclose(weighted_nms(rows, 0.99 * rows[:, -1].max())[0], rows[rows[:, -1].argmax()])  # the others are not certain
    assert weighted_nms(rows[:0]).shape == (0, 17)
    assert len(weighted_nms(candidate(5, 5, 5, 5, 0.5)[None])) == 1  # a box without area must not loop forever


def test_tiles_cover_the_image_and_overlap():
    for length in (1, 768, 769, 1536, 2048, 3001):
        starts = tile_starts(length, 768)
        assert starts[0] == 0 and starts[-1] == max(length - 768, 0)
        assert all(after - before <= 0.8 * 768 for before, after in pairwise(starts))


def test_a_candidate_beside_the_image_needs_no_closer_look():
    registry = ModelRegistry()
    entry = registry.entry("detector", "blazeface-full-range")
    detector = BlazeFace(entry, registry.model(entry))
    beside = candidate(150, 120, 190, 160, 0.5)[np.newaxis]
    assert detector.detect_parts(np.zeros((60, 80, 3), np.uint8), 0.3, beside, 1.0, 4).shape == (0, 17)
