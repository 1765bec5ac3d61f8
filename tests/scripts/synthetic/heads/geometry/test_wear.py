"""Glasses, ear rings, creatures' ears and horns, hats, headscarves and clothes."""

import numpy as np
import pytest

from scripts.synthetic.heads.geometry.clothes import CLOTHES_STYLES, clothes
from scripts.synthetic.heads.geometry.hats import HAT_STYLES, hat, rim_of
from scripts.synthetic.heads.geometry.model import LANDMARKS
from scripts.synthetic.heads.geometry.regions import RIMS
from scripts.synthetic.heads.geometry.wear import CREATURE_STYLES, EAR_STYLES, GLASSES_STYLES, creature, earrings, glasses

from .meshes import BROWS, EYES, LIPS, check_mesh, covered, sample_fits

COLOR = (0.2, 0.4, 0.6)


@pytest.fixture(scope="module")
def fits(mean_head):
    return sample_fits(mean_head)


def excited(fit):
    """A head with a strong expression."""
    weights = {"jawOpen": 0.8, "browInnerUp_L": 1, "browInnerUp_R": 1, "browOuterUp_L": 1, "browOuterUp_R": 1, "eyeWide_L": 1}
    return fit.neutral + fit.model.expression(weights)


@pytest.mark.parametrize("style", HAT_STYLES)
def test_hats_are_well_formed_rigid_and_leave_the_face_free(fits, style):
    assert rim_of(style) in (*RIMS, "none")
    for fit in fits:
        parts = hat(fit, style, COLOR, np.random.default_rng(3))
        assert bool(parts) == (style != "none")
        for part in parts:
            check_mesh(part, fit.neutral)
            if style != "headscarf":
                assert np.abs(part.posed(excited(fit)) - part.posed(fit.neutral)).max() < 1e-4
        for head in (fit.neutral, excited(fit)):
            for pitch, yaw in ((0, 0), (8, 0), (-12, 0), (0, 15)):
                assert covered(parts, head, [*BROWS, *EYES, *LIPS], pitch, yaw) == [], (pitch, yaw)


def test_a_headscarf_stays_under_the_chin_of_an_open_mouth(fits):
    for fit in fits:
        parts = hat(fit, "headscarf", COLOR, np.random.default_rng(3))
        for head in (fit.neutral, excited(fit)):
            assert covered(parts, head, [*range(6, 11), *BROWS, *EYES, *LIPS]) == []


def test_a_headscarf_covers_the_ears_of_any_size(fits):
    for fit in fits:
        points = hat(fit, "headscarf", COLOR, np.random.default_rng(3))[0].posed(fit.neutral)
        ears = fit.neutral[: len(fit.mean.ear)][fit.mean.ear]
        for side in (-1, 1):
            ear = ears[ears[:, 0] * side > 0]
            tip = ear[(ear[:, 0] * side).argmax()]
            near = np.hypot(points[:, 1] - tip[1], points[:, 2] - tip[2]) < 1.5
            assert (points[near, 0] * side).max() > tip[0] * side


@pytest.mark.parametrize("style", GLASSES_STYLES)
def test_glasses_are_rigid_frames_before_the_eyes(fits, style):
    for fit in fits:
        parts = glasses(fit, style, COLOR)
        assert bool(parts) == (style != "none")
        for part in parts:
            check_mesh(part, fit.neutral)
            assert np.abs(part.posed(excited(fit)) - part.posed(fit.neutral)).max() < 1e-4
            points = part.posed(fit.neutral)
            eyes = fit.neutral[LANDMARKS[36:48]]
            rims = points[points[:, 2] > eyes[:, 2].min()]
            assert rims[:, 1].min() < eyes[:, 1].min() and rims[:, 1].max() > eyes[:, 1].max()
            assert points[:, 2].min() < fit.neutral[LANDMARKS[0], 2]  # the arms reach the ears
        assert covered(parts, fit.neutral, LIPS) == []
        assert len(covered(parts, fit.neutral, BROWS)) <= 4


@pytest.mark.parametrize("style", EAR_STYLES)
def test_earrings_hang_at_both_ears(fits, style):
    for fit in fits:
        parts = earrings(fit, style, COLOR)
        assert len(parts) == (0 if style == "none" else 2)
        for part, side in zip(parts, (1, -1), strict=False):
            check_mesh(part, fit.neutral)
            assert fit.mean.ear[part.anchors[0]] and (part.posed(fit.neutral)[:, 0] * side > 4).all()


@pytest.mark.parametrize("style", CREATURE_STYLES)
def test_ears_and_horns_leave_the_face_free(fits, style):
    for fit in fits:
        parts = creature(fit, style, COLOR)
        assert bool(parts) == (style != "none")
        for part in parts:
            check_mesh(part, fit.neutral)
        assert covered(parts, fit.neutral, [*BROWS, *EYES, *LIPS]) == []


@pytest.mark.parametrize("style", CLOTHES_STYLES)
def test_clothes_fill_the_picture_below_the_face(fits, style):
    for fit in fits:
        parts = clothes(fit, style, COLOR, np.random.default_rng(3))
        assert bool(parts) == (style != "none")
        for part in parts:
            check_mesh(part, fit.neutral)
            assert np.abs(part.posed(excited(fit)) - part.posed(fit.neutral)).max() < 0.02
            points = part.posed(fit.neutral)
            assert np.abs(points[:, 0]).max() > 13 and points[:, 1].min() < fit.neutral[8889, 1] - 12
        assert covered(parts, fit.neutral, [*BROWS, *EYES, *LIPS, *range(5, 12)]) == []


def test_everything_is_repeatable(fits):
    for make, style in ((hat, "turban"), (hat, "headscarf"), (clothes, "suit"), (clothes, "striped")):
        first, second = (make(fits[0], style, COLOR, np.random.default_rng(5)) for _ in range(2))
        assert all(
            np.array_equal(a.offsets, b.offsets) and np.array_equal(a.anchors, b.anchors)
            for a, b in zip(first, second, strict=True)
        )


def test_unknown_styles_are_errors(fits):
    random = np.random.default_rng(0)
    for make, arguments in ((glasses, ()), (earrings, ()), (creature, ()), (hat, (random,)), (clothes, (random,))):
        with pytest.raises(ValueError, match="unknown style"):
            make(fits[0], "perm", COLOR, *arguments)
