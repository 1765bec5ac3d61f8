"""The fifteen corruptions on a photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.image.loading import open_image
from scripts.evaluate.robustness.corruptions import BY_NAME, CORRUPTIONS, FACE_SHARE, STRENGTHS, Corruption

PORTRAIT = Path(__file__).resolve().parents[3] / "data" / "astronaut.jpg"
RANDOM = {"gaussian-noise", "shot-noise", "impulse-noise", "motion-blur", "uneven-light", "color-cast", "occlusion", "rotation",
          "perspective"}  # fmt: skip
every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """(120, 160, 3) uint8 RGB: not square, so that exchanged axes are noticed."""
    return cv2.resize(open_image(PORTRAIT).pixels, (160, 120), interpolation=cv2.INTER_AREA)


def difference(corrupted: np.ndarray, original: np.ndarray) -> float:
    return float(np.abs(corrupted.astype(int) - original).mean())


def test_fifteen_of_different_names():
    assert len(BY_NAME) == len({corruption.title for corruption in CORRUPTIONS}) == len(CORRUPTIONS) == 15


@every_corruption
def test_form_is_kept_and_the_picture_left_as_it_is(corruption: Corruption, photograph: np.ndarray):
    before = photograph.copy()
    for strength in STRENGTHS:
        corrupted = corruption.apply(photograph, strength, seed=1)
        assert corrupted.shape == photograph.shape and corrupted.dtype == np.uint8
        assert (corrupted != photograph).any()
    assert (photograph == before).all()


@every_corruption
def test_the_seed_alone_decides(corruption: Corruption, photograph: np.ndarray):
    first, again, *others = (corruption.apply(photograph, 3, (4, number)) for number in (0, 0, 1, 2, 3, 4, 5, 6))
    assert (first == again).all()
    assert any((first != other).any() for other in others) == (corruption.name in RANDOM)


@every_corruption
def test_stronger_changes_more(corruption: Corruption, photograph: np.ndarray):
    for seed in range(5):
        changes = [difference(corruption.apply(photograph, strength, seed), photograph) for strength in STRENGTHS]
        assert changes[0] < changes[-1]
    steps = np.diff(corruption.amounts)
    assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("name", ["rotation", "perspective"])
def test_the_centre_stays_where_it_is(name: str):
    picture = np.zeros((101, 141, 3), np.uint8)
    cv2.circle(picture, (70, 50), 6, (255, 255, 255), -1)
    for strength in STRENGTHS:
        rows, columns = np.nonzero(BY_NAME[name].apply(picture, strength, seed=strength)[..., 0] > 127)
        assert (rows.mean(), columns.mean()) == pytest.approx((50, 70), abs=0.6)


def test_rotation_turns_by_its_degrees():
    picture = np.zeros((101, 101, 3), np.uint8)
    cv2.circle(picture, (90, 50), 4, (255, 255, 255), -1)
    corruption = BY_NAME["rotation"]
    for strength, degrees in zip(STRENGTHS, corruption.amounts, strict=True):
        rows, columns = np.nonzero(corruption.apply(picture, strength, seed=0)[..., 0] > 127)
        assert abs(np.degrees(np.arctan2(rows.mean() - 50, columns.mean() - 50))) == pytest.approx(degrees, abs=1)


def test_occlusion_covers_its_share_of_the_face(photograph: np.ndarray):
    corruption = BY_NAME["occlusion"]
    height, width = photograph.shape[:2]
    for strength, share in zip(STRENGTHS, corruption.amounts, strict=True):
        for seed in range(10):
            rows, columns = np.nonzero((corruption.apply(photograph, strength, seed) != photograph).any(axis=2))
            area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert area == pytest.approx(share * FACE_SHARE**2 * height * width, rel=0.1)
            assert rows.min() >= height // 4 and rows.max() < height - height // 4
            assert columns.min() >= width // 4 and columns.max() < width - width // 4


def test_noise_has_its_size():
    gray = np.full((200, 200, 3), 128, np.uint8)
    gaussian, shot, impulse = (BY_NAME[f"{name}-noise"].apply(gray, 1, seed=0) for name in ("gaussian", "shot", "impulse"))
    assert gaussian.std() == pytest.approx(255 * 0.08, rel=0.02)
    assert shot.std() == pytest.approx(255 * (128 / 255 / 60) ** 0.5, rel=0.02)
    assert (impulse != gray).mean() == pytest.approx(0.03, rel=0.05)


def test_bad_input_has_an_error(photograph: np.ndarray):
    corruption = BY_NAME["jpeg"]
    for strength in (0, 6):
        with pytest.raises(ValueError, match="strength is 1 to 5"):
            corruption.apply(photograph, strength, seed=0)
    for picture in (photograph[..., 0], photograph / 255):
        with pytest.raises(ValueError, match="uint8, not"):
            corruption.apply(picture, 1, seed=0)
