"""Faces as serving aligns them: for data sets whose files are cropped otherwise, such as FER2013.

A face that arrives in a photograph is rotated, scaled and centered by its landmarks before it is classified. Heads, temperature
and thresholds are chosen on faces that went through the same alignment; networks learn faces with and without it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from emotions.face.alignment import alignment_matrix, warp_crop
from emotions.face.landmarks import FaceMesh, Region
from emotions.face.results import Box
from emotions.runtime.manifest import ModelRegistry

from .dataset import Faces
from .sources import source_of

MIN_SCALE, MAX_SCALE, MAX_ROTATION, MAX_SHIFT = 0.55, 1.7, 40.0, 0.35
"""Limits of a plausible alignment: side of the crop relative to the face's, degrees, shift of the centre relative to the side.
Served FER2013 validation faces have 0.56 to 1.58 and -39 to 26 degrees."""


def is_plausible(matrix: np.ndarray, size: int) -> bool:
    """True if a (2, 3) matrix from crop to face coordinates, both `size` wide, can be that of a face."""
    if not np.isfinite(matrix).all():
        return False
    scale, rotation = np.sqrt(abs(np.linalg.det(matrix[:, :2]))), np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    shift = np.abs(matrix @ [size / 2, size / 2, 1] - size / 2).max() / size
    return bool(MIN_SCALE <= scale <= MAX_SCALE and abs(rotation) <= MAX_ROTATION and shift <= MAX_SHIFT)


def face_landmarks(pixels: np.ndarray) -> np.ndarray:
    """Face Mesh landmarks (N, 468, 2) float32 in pixels of faces (N, S, S) uint8, NaN where it sees no face. About 10 ms a face.

    Face Mesh reads the whole face; serving finds the face with BlazeFace first, and its crops differ by 1.7 px at the corners in
    the median.
    """
    registry = ModelRegistry()
    entry = registry.entry("landmarks", "face-mesh")
    mesh, region = FaceMesh(entry, registry.model(entry)), Region.of_box(_whole(pixels), np.full((6, 2), np.nan, np.float32))
    found = np.full((len(pixels), 468, 2), np.nan, np.float32)
    for row, face in enumerate(pixels):
        landmarks = mesh.predict_refined(np.repeat(face[..., None], 3, axis=2), region)
        if landmarks.score >= entry.thresholds["score"]:
            found[row] = landmarks.points[:, :2]
    return found


def alignments(pixels: np.ndarray) -> np.ndarray:
    """Alignment matrices (N, 2, 3) float32 of faces (N, S, S) uint8; NaN where Face Mesh sees no face or an implausible one."""
    size = pixels.shape[1]
    found = np.full((len(pixels), 2, 3), np.nan, np.float32)
    for row, points in enumerate(face_landmarks(pixels)):
        if np.isfinite(points).all():
            matrix = alignment_matrix((size, size), _whole(pixels), points, size)
            if is_plausible(matrix, size):
                found[row] = matrix
    return found


def _whole(pixels: np.ndarray) -> Box:
    """The box of a whole face of (N, S, S)."""
    return Box(0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[1]))


def cached_alignments(pixels: np.ndarray, path: Path) -> np.ndarray:
    """`alignments` of the faces, read from the file `path` if they were computed before; faces that it lacks are added to it."""
    keys = np.array([hashlib.sha256(face.tobytes()).hexdigest()[:24] for face in pixels])
    known: dict[str, np.ndarray] = {}
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["matrices"], strict=True))
    new = {key: row for row, key in enumerate(keys.tolist()) if key not in known}
    if new:
        known |= dict(zip(new, alignments(pixels[list(new.values())]), strict=True))
        partial = path.with_name(f".{path.name}")
        with open(partial, "wb") as stream:
            np.savez(stream, keys=np.array(list(known)), matrices=np.array(list(known.values()), np.float32))
        os.replace(partial, path)
    return np.array([known[key] for key in keys.tolist()], np.float32).reshape(-1, 2, 3)


def needs_alignment(faces: Faces) -> bool:
    """True if faces of the table are not cropped as serving crops them."""
    return any(source_of(name).unaligned for name in np.unique(faces.sources).tolist())


def aligned_faces(faces: Faces, table: Path) -> Faces:
    """The faces as serving would crop them, those without a plausible alignment as they are.

    The matrices are kept beside the file of the table, in `alignments-<table>.npz`.
    """
    matrices = cached_alignments(faces.pixels, table.with_name(f"alignments-{table.stem}.npz"))
    size, pixels = faces.pixels.shape[1], faces.pixels.copy()
    for row in np.flatnonzero(np.isfinite(matrices).all(axis=(1, 2))):
        pixels[row] = warp_crop(faces.pixels[row], matrices[row].astype(np.float64), size)
    return replace(faces, pixels=pixels)
