"""What is designed on the mean head fits any other."""

import numpy as np
import pytest

from scripts.synthetic.heads.geometry.fitting import CENTER, CROWN, SKIN, shell
from scripts.synthetic.heads.geometry.regions import beard_field, lip_distance, scalp_field
from scripts.synthetic.heads.geometry.shapes3d import Mesh

from .meshes import covered, outward_share, sample_fits


@pytest.fixture(scope="module")
def fits(mean_head):
    return sample_fits(mean_head)


def test_the_deformation_carries_skin_to_skin(fits):
    for fit in fits:
        scalp = fit.mean.points[:, 1] > 7
        carried = fit.warp(fit.mean.points[scalp])
        distances = np.linalg.norm(carried - fit.neutral[:SKIN][scalp], axis=1)
        assert distances.mean() < 0.1 and distances.max() < 0.5


def test_the_mean_head_is_not_deformed(mean_head):
    from scripts.synthetic.heads.geometry.fitting import Fit

    points = np.random.default_rng(0).normal(0, 15, (200, 3))
    assert np.abs(Fit(mean_head, mean_head.model.vertices).warp(points) - points).max() < 1e-3


def test_the_hull_lies_on_the_scalp(mean_head):
    scalp = mean_head.points[scalp_field(mean_head.points) > 0.5]
    assert np.abs(mean_head.height(scalp)).mean() < 0.25
    lifted = mean_head.lifted(scalp, 1.5)
    assert np.allclose(mean_head.height(lifted), 1.5, atol=1e-3)
    assert (np.linalg.norm(lifted - CENTER, axis=1) > np.linalg.norm(scalp - CENTER, axis=1)).all()


def test_rings_around_the_neck_lie_outside_it(mean_head):
    azimuth = np.arange(36) * 2 * np.pi / 36
    ring = mean_head.around_neck(azimuth, -11.0, 0.5, widest=20)
    nearest = np.linalg.norm(ring[:, None] - mean_head.points[None], axis=-1)
    closest = nearest.argmin(axis=1)
    assert nearest.min(axis=1).max() < 2.5
    assert (((ring - mean_head.points[closest]) * mean_head.normals[closest]).sum(axis=1) > 0).all()


def test_no_expression_moves_the_crown(mean_head):
    assert max(float(np.abs(shape[CROWN]).max()) for shape in mean_head.model.shapes.values()) < 1e-4


def test_a_shell_lies_on_the_skin_and_ends_under_it(fits):
    for fit in fits:
        field = scalp_field(fit.mean.points)
        mesh, anchors = shell(fit, field, np.full(SKIN, 0.6, np.float32), (0.3, 0.2, 0.1))
        part = fit.part_here(mesh, "hair", anchors)
        heights = (part.offsets * fit.normals[anchors]).sum(axis=1)
        inside = field[anchors] > 0
        assert np.allclose(heights[inside], 0.6, atol=1e-3) and (heights[~inside] <= 0).all() and (~inside).any()
        assert outward_share(part, fit.neutral) > 0.95


def test_beards_leave_the_lips_free(mean_head):
    from scripts.synthetic.heads.geometry.model import LANDMARKS

    lips = mean_head.points[LANDMARKS[48:60]]
    assert (lip_distance(lips) < 0.1).all()
    for kind in ("full", "goatee", "chin", "chinstrap"):
        assert (beard_field(lips, kind) < 0).all(), kind


def test_the_check_of_what_is_covered_sees_a_plate_before_the_face(fits):
    fit = fits[0]
    plate = Mesh(
        np.array([[-20, -20, 20], [20, -20, 20], [0, 40, 20]], np.float32),
        np.array([[0, 1, 2]], np.int32),
        np.zeros((3, 3), np.float32),
    )
    assert covered([fit.part_here(plate, "plastic")], fit.neutral, range(68)) == list(range(68))
    behind = Mesh(plate.points - np.array([0, 0, 40], np.float32), plate.triangles, plate.colors)
    assert covered([fit.part_here(behind, "plastic")], fit.neutral, range(68)) == []
