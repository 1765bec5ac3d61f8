"""Tests of faces that are aligned as serving does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from emotions.face.alignment import alignment_matrix, warp_crop
from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from emotions.runtime.manifest import BUNDLED
from scripts.data import alignment
from scripts.data.dataset import table


def test_implausible_alignments_are_left_out():
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert alignment.is_plausible(identity, 48)
    assert not alignment.is_plausible(identity * 3, 48) and not alignment.is_plausible(identity * np.nan, 48)
    assert not alignment.is_plausible(np.array([[0, -1.0, 48], [1.0, 0, 0]]), 48)


def test_a_face_cropped_otherwise_is_framed_as_served(tmp_path):
    analyzer, size = FaceAnalyzer(), 96
    pixels = cv2.cvtColor(open_image(BUNDLED.parent / "static" / "samples" / "obama.jpg").pixels, cv2.COLOR_RGB2GRAY)
    face = analyzer.face_detector.detect(np.repeat(pixels[..., None], 3, axis=2))[1][0]
    landmarks = analyzer.face_detector.landmarks(np.repeat(pixels[..., None], 3, axis=2), face)
    matrix = alignment_matrix(pixels.shape, face.box, landmarks, size)
    turned = np.vstack([cv2.getRotationMatrix2D((size / 2, size / 2), 12, 1.2), [0, 0, 1]])
    served, loose = warp_crop(pixels, matrix, size), warp_crop(pixels, matrix @ turned, size)
    noise = np.random.default_rng(0).integers(0, 256, (size, size)).astype(np.uint8)
    faces = table([loose, noise], [0, 1], ["train", "validation"], ["face", "noise"], "fer2013")
    assert alignment.needs_alignment(faces) and not alignment.needs_alignment(replace(faces, sources=np.full(2, "dicebear")))
    aligned = alignment.aligned_faces(faces, tmp_path / "faces.npz").pixels
    known = alignment.cached_alignments(faces.pixels, tmp_path / "alignments-faces.npz")
    assert np.isnan(known[1]).all() and np.array_equal(aligned[1], noise)
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]).T
    moved = [np.abs((one @ corners)[:2] - corners[:2]).max() for one in (turned, turned @ np.vstack([known[0], [0, 0, 1]]))]
    assert moved[1] < moved[0] / 3, "the crop of the crop shows what serving shows"
    inner = slice(size // 4, -size // 4)
    error = [np.abs(one[inner, inner].astype(int) - served[inner, inner]).mean() for one in (loose, aligned[0])]
    assert error[1] < error[0] / 2


def test_matrices_are_kept_and_new_faces_added(tmp_path):
    path = tmp_path / "alignments.npz"
    pixels = np.random.default_rng(1).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    marked = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    alignment.cached_alignments(pixels[:2], path)
    with np.load(path) as stored:
        keys = stored["keys"]
    np.savez(path, keys=keys, matrices=marked)
    found = alignment.cached_alignments(pixels[[1, 2, 0]], path)
    assert np.array_equal(found[[2, 0]], marked) and np.isnan(found[1]).all()
    with np.load(path) as stored:
        assert len(stored["keys"]) == 3
