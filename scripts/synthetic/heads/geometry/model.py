"""The head model: ICT-FaceKit (MIT), a mesh with 100 principal components of identity and 57 expression shapes.

It is read from one .npz file of arrays or from the folder FaceXModel of the repository ICT-VGL/ICT-FaceKit
(https://github.com/ICT-VGL/ICT-FaceKit; `python -m scripts.data.fetch ict_facekit` downloads it). Coordinates are centimetres:
x to the person's left, y up, z to the front.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ....data.dataset import DAMAGE, DatasetError

POLYGONS = {
    "face": (0, 9230), "neck": (9230, 11144), "mouth_socket": (11144, 13226), "eye_sockets": (13226, 14034),
    "gums": (14034, 17006), "teeth": (17006, 21496), "sclera_left": (21496, 22296), "iris_left": (22296, 23094),
    "sclera_right": (23094, 23894), "iris_right": (23894, 24692),
}  # fmt: skip
"""Polygons of the rendered parts (README of ICT-FaceKit). The model has further helpers for Unreal Engine's eye shader."""
VERTICES = {
    "face": (0, 9409), "neck": (9409, 11248), "mouth_socket": (11248, 13294), "eye_sockets": (13294, 14062),
    "gums": (14062, 17039), "teeth": (17039, 21451), "eyeball_left": (21451, 23021), "eyeball_right": (23021, 24591),
    "lashes": (25351, 26719),
}  # fmt: skip
"""Vertices of the parts."""
LANDMARKS = np.array([
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914, 2044,
    1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511,
    3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533,
    6216, 6207, 6470, 5517, 5966,
])  # fmt: skip
"""Vertices (68,) of the Multi-PIE landmarks: jaw 0-16, right brow 17-21, left brow 22-26, nose 27-35, right eye 36-41, left eye
42-47, outer lips 48-59, inner lips 60-67 (README of ICT-FaceKit)."""
VERTEX_COUNT, POLYGON_COUNT = 26719, 26384


@dataclass(frozen=True)
class HeadModel:
    """Arrays of the head model.

    Attributes:
        vertices: (V, 3) float32, the mean head.
        polygons: (P, 4) int32, vertices of quads; the last is -1 for triangles.
        uv: (U, 2) float32, texture coordinates: the face lies in 0..1, the neck and the back of the head in 1..2 of u.
        uv_polygons: (P, 4) int32, their indices for each corner.
        shapes: expression shapes by name, (V, 3) float32 offsets.
        identities: (100, V, 3) float32, offsets for one standard deviation of each principal component.
    """

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    uv_polygons: np.ndarray
    shapes: Mapping[str, np.ndarray]
    identities: np.ndarray

    def identity(self, weights: np.ndarray) -> np.ndarray:
        """Neutral head (V, 3) float32 of the principal components' weights (at most 100,)."""
        weights = np.asarray(weights, np.float32)
        return self.vertices + np.tensordot(weights, self.identities[: len(weights)], 1)

    def expression(self, weights: Mapping[str, float]) -> np.ndarray:
        """Offsets (V, 3) float32 of weighted expression shapes. Raises KeyError for an unknown shape."""
        offsets = np.zeros_like(self.vertices)
        for name, weight in weights.items():
            if weight:
                offsets += np.float32(weight) * self.shapes[name]
        return offsets

    @cached_property
    def triangles(self) -> dict[str, np.ndarray]:
        """Triangles (T, 3) int32 of each part in POLYGONS, as vertices."""
        return {part: triangulate(self.polygons[start:end]) for part, (start, end) in POLYGONS.items()}

    @cached_property
    def uv_triangles(self) -> dict[str, np.ndarray]:
        """The same triangles (T, 3) int32 as texture coordinates."""
        return {part: triangulate(self.uv_polygons[start:end]) for part, (start, end) in POLYGONS.items()}


def triangulate(polygons: np.ndarray) -> np.ndarray:
    """Split quads (P, 4), with -1 in the last place of triangles, into triangles (T, 3)."""
    quads = polygons[polygons[:, 3] >= 0]
    return np.concatenate([polygons[:, :3], quads[:, [0, 2, 3]]])


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Smooth unit normals (V, 3) float32, weighted by area; zero for vertices without a triangle."""
    edges = vertices[triangles]
    normals = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0]).astype(np.float64)
    total = np.empty((len(vertices), 3))
    corners, repeated = triangles.ravel(), np.repeat(normals, 3, axis=0)
    for axis in range(3):
        total[:, axis] = np.bincount(corners, repeated[:, axis], len(vertices))
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def load_head_model(path: Path) -> HeadModel:
    """Read the head model from an .npz file or from a folder FaceXModel. Raises DatasetError if it is missing or damaged."""
    path = Path(path)
    if not path.exists():
        raise DatasetError(
            f"{path} is not there: it is the head model ICT-FaceKit (MIT) as one .npz file, or its folder FaceXModel; "
            "`make data/ict_facekit.npz` downloads it and makes the file"
        )
    try:
        arrays = _read_folder(path) if path.is_dir() else _read_npz(path)
    except DAMAGE as error:
        raise DatasetError(f"{path} is not the head model ICT-FaceKit: {error}") from None
    if len(arrays.vertices) != VERTEX_COUNT or len(arrays.polygons) != POLYGON_COUNT:
        raise DatasetError(f"{path} has {len(arrays.vertices)} vertices and {len(arrays.polygons)} polygons: another head model?")
    return arrays


def _read_npz(path: Path) -> HeadModel:
    with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
        names = [str(name) for name in stored["expression_names"]]
        shapes = dict(zip(names, stored["expressions"].astype(np.float32), strict=True))
        return HeadModel(
            stored["vertices"].astype(np.float32), stored["faces"].astype(np.int32), stored["uv"].astype(np.float32),
            stored["uv_faces"].astype(np.int32), shapes, stored["identities"].astype(np.float32),
        )  # fmt: skip


def _read_folder(folder: Path) -> HeadModel:
    """Read the .obj files: the mean head, identity000 to identity099, and one for each expression shape."""
    vertices, uv, polygons, uv_polygons = read_obj(folder / "generic_neutral_mesh.obj")
    shapes, identities = {}, []
    for file in sorted(folder.glob("*.obj")):
        if file.stem == "generic_neutral_mesh":
            continue
        offsets = read_obj(file)[0] - vertices
        if file.stem.startswith("identity"):
            identities.append(offsets)
        else:
            shapes[file.stem] = offsets
    if not identities or not shapes:
        raise ValueError("no identity or expression beside generic_neutral_mesh.obj")
    return HeadModel(vertices, polygons, uv, uv_polygons, shapes, np.stack(identities))


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read a Wavefront .obj file of triangles and quads.

    Returns:
        Vertices (V, 3) and texture coordinates (U, 2), float32; polygons and their texture coordinates (P, 4), int32, 0-based, -1
        in the last place of triangles.
    """
    vertices, uv, polygons, uv_polygons = [], [], [], []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append([float(value) for value in rest.split()[:3]])
            elif kind == "vt":
                uv.append([float(value) for value in rest.split()[:2]])
            elif kind == "f":
                corners = [corner.split("/") for corner in rest.split()]
                if not 3 <= len(corners) <= 4:
                    raise ValueError(f"{path.name}: a polygon with {len(corners)} corners")
                padding = [-1] * (4 - len(corners))
                polygons.append([int(corner[0]) - 1 for corner in corners] + padding)
                uv_polygons.append([int(corner[1]) - 1 if len(corner) > 1 and corner[1] else -1 for corner in corners] + padding)
    return (
        np.array(vertices, np.float32).reshape(-1, 3), np.array(uv, np.float32).reshape(-1, 2),
        np.array(polygons, np.int32).reshape(-1, 4), np.array(uv_polygons, np.int32).reshape(-1, 4),
    )  # fmt: skip
