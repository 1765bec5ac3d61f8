"""The table of rendered heads as evaluations read it."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import DatasetError
from scripts.synthetic.heads.dataset import card
from scripts.synthetic.heads.dataset.reader import NEUTRAL, bin_numbers, character_folds, describe_set, load_heads, whole_pictures
from scripts.synthetic.heads.dataset.record import read_records
from tests.scripts.rendered import FAMILIES, write_heads


@pytest.fixture
def path(tmp_path):
    return write_heads(tmp_path / "heads.npz")


def test_rows_have_the_values_of_their_records(path):
    heads = load_heads(path)
    assert len(heads) == 4 * 3 * 7 * 4 and set(heads.families) == set(FAMILIES)
    for row in (0, 100, len(heads) - 1):
        family, character, emotion, _ = heads.faces.names[row].split("/")
        assert heads.families[row] == family and heads.faces.groups[row] == character
        assert EMOTIONS[heads.emotions[row]] == emotion and heads.recipes[row].startswith(emotion)
    assert heads.poses.shape == (len(heads), 3) and heads.found.sum() == len(heads) - 4


def test_levels_hold_labelled_faces_of_that_strength_and_all_neutral_ones(path):
    heads = load_heads(path)
    full, half = heads.at_level("full"), heads.at_level("half")
    assert set(heads.strengths[full & (heads.emotions != NEUTRAL)]) == {1.0, 0.9}
    assert set(heads.strengths[half & (heads.emotions != NEUTRAL)]) == {0.5}
    assert (full & half == (heads.emotions == NEUTRAL)).all(), "neutral faces are in both, and no others"
    assert not (heads.faces.labels[~heads.labelled] >= 0).any() and (heads.strengths[~heads.labelled] == 0.1).all()


def test_a_character_is_in_one_fold_and_each_fold_has_every_family(path):
    heads = load_heads(path)
    folds = character_folds(heads, 3, seed=1)
    for character in np.unique(heads.faces.groups):
        assert len(set(folds[heads.faces.groups == character])) == 1
    for fold in range(3):
        assert set(heads.families[folds == fold]) == set(FAMILIES)
    assert set(character_folds(heads, 10, seed=1)) == {0, 1, 2}, "three characters of a family fill three of ten folds"


def test_bins_hold_their_lower_edge_and_the_last_one_its_upper():
    values = np.array([-0.1, 0.0, 0.49, 0.5, 0.99, 1.0, 1.1])
    assert bin_numbers(values, (0, 0.5, 1)).tolist() == [-1, 0, 0, 1, 1, 1, -1]


def test_whole_pictures_are_read_in_the_order_of_their_names(path):
    heads = load_heads(path)
    names = heads.pictures[heads.pictures != ""].tolist()
    first, second = whole_pictures(path, names[:2])
    assert first.shape == second.shape == (256, 256, 3) and first.std() > 20 > second.std()


def test_a_set_is_described_by_rows_seed_and_the_fingerprint_of_its_card(path):
    assert describe_set(path) == "336 rows, seed 1"
    text = card.data_card(read_records(path.with_name("heads-info.csv")), "0123456789abcdef")
    path.with_name("heads-CARD.md").write_text(text, encoding="utf-8")
    assert describe_set(path) == "336 rows, seed 1, fingerprint `0123456789abcdef`"
    path.with_name("heads-CARD.md").write_bytes(b"\xff not a card")
    assert describe_set(path) == "336 rows, seed 1"


def test_files_that_do_not_belong_together_are_named(path):
    info, archive = path.with_name("heads-info.csv"), path.with_name("heads-whole.zip")
    with pytest.raises(DatasetError, match="damaged"):
        list(whole_pictures(path, ["nothing.webp"]))
    with zipfile.ZipFile(archive, "w") as stored:
        stored.writestr("a.webp", b"no picture")
    with pytest.raises(DatasetError, match="damaged"):
        list(whole_pictures(path, ["a.webp"]))
    archive.unlink()
    with pytest.raises(DatasetError, match="is not there"):
        list(whole_pictures(path, ["a.webp"]))
    lines = info.read_text().splitlines(keepends=True)
    info.write_text("".join([lines[0], *reversed(lines[1:])]))
    with pytest.raises(DatasetError, match="does not name the rows"):
        load_heads(path)
    info.write_text("".join(lines).replace(",happy,", ",joyful,"))
    with pytest.raises(DatasetError, match="joyful"):
        load_heads(path)
    info.unlink()
    with pytest.raises(DatasetError, match="is not there"):
        load_heads(path)
