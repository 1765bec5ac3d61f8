"""Plan of the rendered set: balance, prefixes, splits, strengths."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.synthetic.heads.dataset.plan import CELLS, CROP, VIEW, by_character, plan_row, random_of, split_of
from scripts.synthetic.heads.families import FAMILIES, TEST_FAMILIES, VALIDATION_FAMILIES

SEED = 7


@pytest.fixture(scope="module")
def rows():
    return [plan_row(SEED, number) for number in range(5600)]


def test_rows_depend_on_the_seed_and_their_number_alone(rows):
    assert [plan_row(SEED, number) for number in (5000, 3, 701)] == [rows[5000], rows[3], rows[701]]
    others = [plan_row(SEED + 1, number) for number in range(70)]
    assert sum((row.family, row.emotion) == (other.family, other.emotion) for row, other in zip(rows, others, strict=False)) < 20


@pytest.mark.parametrize("count", [70, 700, 2800, 5600])
def test_a_prefix_is_balanced_over_families_and_emotions(rows, count):
    cells = Counter((row.family, row.emotion) for row in rows[:count])
    assert len(cells) == len(CELLS) == len(FAMILIES) * len(EMOTIONS) and set(cells.values()) == {count // len(CELLS)}


@pytest.mark.parametrize("count", [33, 1234, 3333])
def test_any_other_number_of_rows_is_balanced_within_one(rows, count):
    cells = Counter((row.family, row.emotion) for row in rows[:count])
    numbers = [cells[cell] for cell in CELLS]
    assert max(numbers) - min(numbers) <= 1


def test_a_family_has_ten_characters_that_show_every_emotion(rows):
    groups = by_character(rows[:2800])
    assert Counter(family for family, _ in groups) == dict.fromkeys(FAMILIES, 10)
    for shown in groups.values():
        assert Counter(row.emotion for row in shown) == dict.fromkeys(EMOTIONS, 4)
    assert Counter(family for family, _ in by_character(rows)) == dict.fromkeys(FAMILIES, 20)
    assert {number for _, number in by_character(rows[:700])} == set(range(10))  # a small set has all of the first ten


def test_strengths_are_a_third_full_and_otherwise_even(rows):
    for count in (2800, 5600):
        strengths = np.array([row.strength for row in rows[:count]])
        assert strengths.min() >= 0.1 and strengths.max() <= 1
        assert np.mean(strengths >= 0.85) == pytest.approx(1 / 3, abs=0.01)
        assert np.histogram(strengths, [0.1, 0.35, 0.6, 0.85])[0] / count == pytest.approx(2 / 9, abs=0.015)
    for family, emotion in CELLS:
        values = [row.strength for row in rows[:2800] if (row.family, row.emotion) == (family, emotion)]
        assert 0.25 < np.mean(np.array(values) >= 0.85) < 0.42
    for shown in by_character(rows[:2800]).values():  # each character has weak and strong expressions of every emotion
        for emotion in EMOTIONS:
            values = [row.strength for row in shown if row.emotion == emotion]
            assert max(values) - min(values) > 0.3


def test_a_tenth_is_kept_whole_evenly(rows):
    kept = [row for row in rows if row.kept]
    assert Counter((row.family, row.emotion) for row in kept) == dict.fromkeys(CELLS, 8)
    assert len({(row.family, row.character) for row in kept}) > 180
    assert sum(row.kept for row in rows[:700]) == 70


def test_no_family_is_in_two_splits():
    splits = {family: split_of(family) for family in FAMILIES}
    assert Counter(splits.values()) == {"train": 6, "validation": 2, "test": 2}
    assert {splits[family] for family in TEST_FAMILIES} == {"test"}
    assert {splits[family] for family in VALIDATION_FAMILIES} == {"validation"}


def test_streams_of_random_numbers_are_independent(rows):
    draws = {random_of(seed, row, stream).random() for seed in (1, 2) for row in rows[:5] for stream in (VIEW, CROP)}
    assert len(draws) == 20
    assert random_of(1, rows[0], VIEW).random() == random_of(1, rows[0], VIEW).random()
