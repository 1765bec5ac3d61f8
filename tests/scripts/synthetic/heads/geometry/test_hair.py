"""Hair, brows and beards: well-formed, repeatable, following the skin, and hiding nothing that shows an expression."""

import numpy as np
import pytest

from scripts.synthetic.heads.geometry.facial_hair import BEARD_STYLES, BROW_STYLES, beard, brows
from scripts.synthetic.heads.geometry.hair import HAIR_STYLES, hair
from scripts.synthetic.heads.geometry.model import LANDMARKS
from scripts.synthetic.heads.geometry.regions import RIMS, rim_field

from .meshes import BROWS, EYES, LIPS, check_mesh, covered, sample_fits

COLOR = (0.3, 0.2, 0.1)


@pytest.fixture(scope="module")
def fits(mean_head):
    return sample_fits(mean_head)


def posed(fit, **weights):
    """A head with shapes of both sides."""
    sides = {f"{name}_{side}": value for name, value in weights.items() for side in "LR"}
    known = {name: value for name, value in {**weights, **sides}.items() if name in fit.model.shapes}
    assert known
    return fit.neutral + fit.model.expression(known)


@pytest.mark.slow
@pytest.mark.parametrize("style", HAIR_STYLES)
def test_hair_is_well_formed_and_leaves_the_face_free(fits, style):
    for fit in fits:
        parts = hair(fit, style, COLOR, np.random.default_rng(2))
        assert bool(parts) == (style != "bald")
        assert sum(len(part.anchors) for part in parts) < 15_000
        for part in parts:
            assert part.material == "hair"
            check_mesh(part, fit.neutral)
        raised = posed(fit, browInnerUp=0.8, browOuterUp=0.8)
        for head in (fit.neutral, raised):
            for pitch, yaw in ((0, 0), (12, 0), (-12, 0), (0, 15)):
                assert covered(parts, head, [*BROWS, *EYES, *LIPS], pitch, yaw) == [], (pitch, yaw)


def test_hair_is_the_same_for_the_same_seed_only(fits):
    first, second, other = (hair(fits[0], "wavy", COLOR, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert all(
        np.array_equal(a.offsets, b.offsets) and np.array_equal(a.colors, b.colors) for a, b in zip(first, second, strict=True)
    )
    assert any(
        a.offsets.shape != b.offsets.shape or not np.array_equal(a.offsets, b.offsets) for a, b in zip(first, other, strict=True)
    )


@pytest.mark.parametrize("hat", sorted(RIMS))
def test_hair_lies_flat_under_a_hat(fits, hat):
    mean = fits[0].mean
    from scripts.synthetic.heads.geometry.fitting import Fit

    fit = Fit(mean, mean.model.vertices)
    for style in ("afro", "quiff", "curly", "spiky", "long_fringe", "topknot"):
        for part in hair(fit, style, COLOR, np.random.default_rng(1), hat):
            points = part.posed(fit.neutral)
            above = rim_field(points, hat)
            pressed = (above > 0.3) & (above < 1.0) if hat in ("crown", "headband") else above > 0.3
            assert mean.height(points[pressed]).max(initial=0) < 1.0, style


def test_unknown_styles_are_errors(fits):
    random = np.random.default_rng(0)
    with pytest.raises(KeyError):
        hair(fits[0], "perm", COLOR, random)
    with pytest.raises(ValueError, match="unknown style of brows"):
        brows(fits[0], "perm", COLOR, random)
    with pytest.raises(ValueError, match="unknown style of beard"):
        beard(fits[0], "perm", COLOR, random)


@pytest.mark.parametrize("style", BROW_STYLES)
@pytest.mark.parametrize("thickness", [0.5, 1.0, 2.0])
def test_brows_lie_on_the_brows_and_follow_them(fits, style, thickness):
    for fit in fits:
        (part,) = brows(fit, style, COLOR, np.random.default_rng(1), thickness)
        check_mesh(part, fit.neutral)
        points = part.posed(fit.neutral)
        for number in BROWS:
            assert np.linalg.norm(points - fit.neutral[LANDMARKS[number]], axis=1).min() < 0.6, number
        for shape in ("browInnerUp", "browDown", "browOuterUp"):
            moved = part.posed(posed(fit, **{shape: 1.0})) - points
            for number in (18, 20, 21, 22, 23, 25):
                near = np.linalg.norm(points - fit.neutral[LANDMARKS[number]], axis=1) < 0.55
                skin = posed(fit, **{shape: 1.0})[LANDMARKS[number]] - fit.neutral[LANDMARKS[number]]
                assert np.allclose(moved[near].mean(axis=0), skin, atol=0.15), (shape, number)


def test_brows_leave_the_eyes_free_and_stay_over_the_skin_when_they_frown(fits):
    for fit in fits:
        parts = brows(fit, "natural", COLOR, np.random.default_rng(1), 1.5)
        for head in (fit.neutral, posed(fit, browDown=1.0)):
            assert set(covered(parts, head, [*EYES])) <= {37, 38, 43, 44}  # a deep frown may touch the upper lids


def test_thick_brows_are_thicker(fits):
    heights = []
    for thickness in (0.5, 1.0, 2.0):
        points = brows(fits[0], "strip", COLOR, np.random.default_rng(1), thickness)[0].posed(fits[0].neutral)
        middle = points[np.abs(points[:, 0] - fits[0].neutral[LANDMARKS[23], 0]) < 0.3]
        heights.append(np.ptp(middle[:, 1]))
    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize("style", BEARD_STYLES)
def test_beards_are_well_formed_and_leave_the_lips_free(fits, style):
    for fit in fits:
        parts = beard(fit, style, COLOR, np.random.default_rng(2))
        assert bool(parts) == (style != "none")
        for part in parts:
            check_mesh(part, fit.neutral)
        inner = range(60, 68)
        for head in (fit.neutral, posed(fit, jawOpen=0.7), posed(fit, mouthSmile=1.0), posed(fit, mouthFrown=1.0)):
            assert covered(parts, head, [*BROWS, *EYES, *inner]) == []
            assert len(covered(parts, head, range(48, 60))) <= 2  # hairs over the very edge of the lips


def test_a_beard_goes_down_with_the_jaw(fits):
    for fit in fits:
        for part in beard(fit, "full", COLOR, np.random.default_rng(2))[1:]:
            head = posed(fit, jawOpen=1.0)
            points = part.posed(fit.neutral)
            near = np.linalg.norm(points - fit.neutral[LANDMARKS[8]], axis=1) < 1.5
            fall = (part.posed(head) - points)[near, 1].mean()
            assert fall == pytest.approx(head[LANDMARKS[8], 1] - fit.neutral[LANDMARKS[8], 1], abs=0.4) and fall < -1
