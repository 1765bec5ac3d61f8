"""Shapes that hair, hats and clothes are made of."""

import numpy as np
import pytest

from scripts.synthetic.heads.geometry.shapes3d import (
    Mesh,
    Noise,
    ellipsoids,
    grid_triangles,
    joined,
    mirrored,
    painted,
    resampled,
    sheet,
    smoothstep,
    subdivided,
    tubes,
    varied,
)  # fmt: skip


def volume(mesh: Mesh) -> float:
    corners = mesh.points[mesh.triangles].astype(np.float64)
    return float((corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def test_ellipsoids_have_their_volume_and_face_outwards():
    mesh = ellipsoids(np.array([[5.0, 1, 2]]), np.array([[1.0, 2, 3]]), np.array([0.5, 0.5, 0.5]), 40, 60)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 6, rel=0.01)
    inside = ((mesh.points - [5, 1, 2]) * mesh.normals()).sum(axis=1)
    assert (inside > 0).all()


def test_a_tube_has_its_volume_and_faces_outwards():
    path = np.stack([np.zeros(9), np.linspace(0, 4, 9), np.zeros(9)], -1)[None]
    mesh = tubes(path, np.array([1.0, 0, 0]), 0.5, 0.25, np.array([1.0, 0, 0]), 48)
    assert volume(mesh) == pytest.approx(np.pi * 0.5 * 0.25 * 4, rel=0.01)


def test_a_closed_tube_is_a_torus():
    angle = np.arange(80) * 2 * np.pi / 80
    path = np.stack([3 * np.cos(angle), 0 * angle, 3 * np.sin(angle)], -1)[None]
    mesh = tubes(path, np.array([0, 1.0, 0]), 0.5, 0.5, np.array([1.0, 0, 0]), 40, closed=True)
    assert volume(mesh) == pytest.approx(2 * np.pi**2 * 3 * 0.25, rel=0.01)


def test_tubes_of_several_curves_do_not_touch_each_other():
    paths = np.zeros((3, 4, 3))
    paths[..., 1], paths[..., 0] = np.arange(4), np.arange(3)[:, None] * 10
    mesh = tubes(paths, np.array([1.0, 0, 0]), 0.2, 0.2, np.array([0.1, 0.2, 0.3]))
    owner = np.round(mesh.points[:, 0] / 10)
    assert (owner[mesh.triangles] == owner[mesh.triangles][:, :1]).all() and set(owner) == {0, 1, 2}


def test_a_sheet_faces_the_viewer_to_whom_columns_run_right_and_rows_up():
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    flat = sheet(np.stack([x, y, 0 * x], -1), (1, 0, 0))
    assert np.allclose(flat.normals(), [0, 0, 1])
    assert np.allclose(sheet(np.stack([x, y, 0 * x], -1), (1, 0, 0), flip=True).normals(), [0, 0, -1])
    assert len(grid_triangles(3, 4)) == 12 and len(grid_triangles(3, 4, True)) == 16


def test_a_mirrored_shape_still_faces_outwards():
    ball = ellipsoids(np.array([[5.0, 0, 0]]), np.ones((1, 3)), np.array([0, 0, 0]), 12, 16)
    assert volume(mirrored(ball)) == pytest.approx(volume(ball)) and mirrored(ball).points[:, 0].max() < 0


def test_joined_meshes_keep_their_triangles():
    ball = ellipsoids(np.zeros((1, 3)), np.ones((1, 3)), np.array([0, 0, 0]), 8, 8)
    both = joined([ball, mirrored(ball)])
    assert volume(both) == pytest.approx(2 * volume(ball)) and len(both.points) == 2 * len(ball.points)


def test_subdividing_keeps_the_surface_and_names_parents():
    ball = ellipsoids(np.zeros((1, 3)), np.ones((1, 3)), np.array([0, 0, 0]), 8, 8)
    fine, parents = subdivided(ball)
    assert len(fine.triangles) == 4 * len(ball.triangles) and volume(fine) == pytest.approx(volume(ball), rel=1e-5)
    assert np.allclose(fine.points, ball.points[parents].mean(axis=1))


def test_resampled_curves_pass_evenly_through_their_points():
    corners = np.array([[0, 0, 0], [1, 2, 0], [3, 3, 0], [6, 3, 1]], np.float32)
    curve = resampled(corners, 60)
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    assert np.allclose(curve[[0, -1]], corners[[0, -1]], atol=1e-5) and steps.max() < 1.1 * steps.min()
    for corner in corners:
        assert np.linalg.norm(curve - corner, axis=1).min() < steps.max()


def test_noise_is_smooth_centred_and_repeatable():
    points = np.random.default_rng(0).uniform(-20, 20, (5000, 3)).astype(np.float32)
    noise = Noise(np.random.default_rng(4), 3.0)
    values = noise(points)
    assert abs(values.mean()) < 0.1 and 0.4 < values.std() < 0.9
    assert np.abs(noise(points + 0.01) - values).max() < 0.1
    assert np.array_equal(Noise(np.random.default_rng(4), 3.0)(points), values)


def test_colors_stay_in_range():
    assert np.allclose(varied((0.2, 0.4, 0.6), np.array([-0.5, 0.0, 0.5])), [[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [0.6, 0.7, 0.8]])
    assert (
        varied((0.2, 0.4, 0.6), np.array([-9.0, 9.0])).min() == 0
        and painted(np.zeros((1, 3)), np.zeros((0, 3)), (2, 0, 0)).colors.max() == 1
    )
    assert np.allclose(smoothstep(np.array([-1, 0.5, 2]), 0, 1), [0, 0.5, 1]) and smoothstep(3.0, 2, 1) == 0
