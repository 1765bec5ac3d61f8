"""The head model's reader, on the real model where it is there and on small .obj files."""

import numpy as np
import pytest

from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.geometry.model import (
    LANDMARKS,
    POLYGONS,
    VERTICES,
    load_head_model,
    read_obj,
    triangulate,
    vertex_normals,
)


def test_a_missing_model_is_one_clear_error(tmp_path):
    with pytest.raises(DatasetError, match="make data/ict_facekit.npz"):
        load_head_model(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04cut off"])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="is not the head model"):
        load_head_model(tmp_path / "model.npz")


def test_another_model_is_refused(tmp_path):
    triangle, none = np.array([[0, 1, 2, -1]]), np.zeros((1, 3, 3))
    np.savez(
        tmp_path / "model.npz", vertices=np.eye(3), faces=triangle, uv=np.zeros((3, 2)), uv_faces=triangle, expressions=none,
        expression_names=["jawOpen"], identities=none,
    )  # fmt: skip
    with pytest.raises(DatasetError, match="3 vertices and 1 polygons"):
        load_head_model(tmp_path / "model.npz")


def test_a_folder_without_expressions_is_refused(tmp_path):
    (tmp_path / "generic_neutral_mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no identity or expression"):
        load_head_model(tmp_path)


def test_obj_polygons_keep_their_texture_coordinates(tmp_path):
    lines = [
        "# a quad and a triangle",
        *(f"v {x} {y} 0" for x in (0, 1) for y in (0, 1)),
        "vt 0.5 0.25",
        "vt 1 1 0",
        "usemtl skin",
    ]
    (tmp_path / "mesh.obj").write_text("\n".join([*lines, "f 1/1/1 2/2/1 4/1/1 3/2/1", "f 1 2 3"]), encoding="utf-8")
    vertices, uv, polygons, uv_polygons = read_obj(tmp_path / "mesh.obj")
    assert vertices.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert uv.tolist() == [[0.5, 0.25], [1, 1]]
    assert polygons.tolist() == [[0, 1, 3, 2], [0, 1, 2, -1]]
    assert uv_polygons.tolist() == [[0, 1, 0, 1], [-1, -1, -1, -1]]
    assert triangulate(polygons).tolist() == [[0, 1, 3], [0, 1, 2], [0, 3, 2]]


def test_normals_of_a_sphere_point_outwards():
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.array(
        [[np.cos(a) * np.sin(b), np.cos(b), np.sin(a) * np.sin(b)] for b in np.linspace(0.2, 2.9, 12) for a in angles]
    )
    quads = [
        [row * 24 + column, row * 24 + (column + 1) % 24, (row + 1) * 24 + (column + 1) % 24, (row + 1) * 24 + column]
        for row in range(11) for column in range(24)
    ]  # fmt: skip
    normals = vertex_normals(points.astype(np.float32), triangulate(np.array(quads)))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (np.sum(normals * points, axis=1)[24:-24] > 0.98).all()


def test_parts_use_their_own_vertices(head_model):
    for part, triangles in head_model.triangles.items():
        assert triangles.min() >= 0 and (head_model.uv_triangles[part] >= 0).all(), part
    for part in ("face", "teeth", "gums"):
        start, end = VERTICES[part]
        assert start <= head_model.triangles[part].min() and head_model.triangles[part].max() < end
    assert set(POLYGONS) == set(head_model.triangles)


def test_landmarks_lie_where_their_names_say(head_model):
    points = head_model.vertices[LANDMARKS]
    assert points[17:27, 1].min() > points[36:48, 1].max()  # brows above eyes
    assert points[48:68, 1].max() < points[30, 1] < points[36:48, 1].min()  # mouth below the nose below the eyes
    assert (points[36:42, 0] < 0).all() and (points[42:48, 0] > 0).all()  # the right eye has negative x


def test_shapes_move_what_they_are_named_for(head_model):
    assert head_model.expression({"jawOpen": 1})[LANDMARKS[8]][1] < -2
    smile = head_model.expression({"mouthSmile_L": 1.0})
    assert smile[LANDMARKS[54]][1] > 0.5 > abs(smile[LANDMARKS[48]]).max()
    with pytest.raises(KeyError):
        head_model.expression({"smile": 1})


def test_identities_are_linear(head_model):
    weights = np.random.default_rng(1).normal(0, 1, 10)
    once, twice = head_model.identity(weights) - head_model.vertices, head_model.identity(2 * weights) - head_model.vertices
    assert np.allclose(2 * once, twice, atol=1e-3) and np.abs(once).max() > 0.1
