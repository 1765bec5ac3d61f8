"""The look-alike of FERG-DB: its tree, its motions, and the whole way through the reader and leave-one-character-out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from scripts.data.readers.ferg import CHARACTERS, LOOKALIKE, read_ferg
from scripts.data.sources import data_statement
from scripts.data.splits import leave_one_group_out_folds, nearest
from scripts.synthetic.heads.dataset import ferg_lookalike
from scripts.synthetic.heads.families import TEST_FAMILIES, VALIDATION_FAMILIES

EACH = 2

pytestmark = pytest.mark.slow  # 84 pictures are rendered


@pytest.fixture(scope="module")
def tree(head_renderer, tmp_path_factory) -> Path:
    return ferg_lookalike.write_tree(head_renderer, tmp_path_factory.mktemp("lookalike"), EACH)


def test_the_tree_has_the_form_of_ferg(tree):
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.png"))
    assert len(files) == 6 * 7 * EACH and "mery/mery_joy/mery_joy_1.png" in files
    assert open_image(tree / files[0]).pixels.shape == (256, 256, 3)
    text = (tree / LOOKALIKE).read_text(encoding="utf-8")
    assert "not FERG-DB" in text and "CC BY 4.0" in text and "2020 USC Institute for Creative Technologies" in text


def test_the_reader_finds_the_faces_and_holds_each_character_out(tree):
    faces, counts = read_ferg(tree.parent, test="mery")
    assert counts["pictures"] == len(faces) == 6 * 7 * EACH and counts["characters"] == 6
    assert counts.get("pictures without a face that is found, taken whole", 0) < 0.15 * len(faces)
    assert Counter(faces.labels.tolist()) == dict.fromkeys(range(len(EMOTIONS)), 6 * EACH)
    assert set(faces.split("test").groups) == {"mery"} and set(faces.split("validation").groups) == {"ray"}
    (row,) = data_statement(faces, "base")
    assert row["source"] == "heads" and not row["research"] and "CC BY 4.0" in row["licence"]
    folds = dict(leave_one_group_out_folds(faces))
    assert list(folds) == sorted(CHARACTERS)
    for name, fold in folds.items():
        assert set(fold.split("test").groups) == {name} and name not in fold.split("train").groups


def test_frames_of_a_motion_are_nearly_identical_and_characters_are_not(tree):
    faces, _ = read_ferg(tree.parent)
    last = np.array([name.endswith(f"_{EACH}.png") for name in faces.names])
    neighbours = nearest(faces.pixels[last], faces.pixels[~last])[1]
    fold = dict(leave_one_group_out_folds(faces))["mery"]
    others = nearest(fold.split("test").pixels, fold.split("train").pixels)[1]
    assert np.median(neighbours) > np.median(others) + 0.03


def test_a_motion_grows_to_its_apex():
    character = ferg_lookalike.character_of("ray")
    frames = list(ferg_lookalike.motion(character, "joy", 0, 12))
    strengths = [expression.strength for expression, _ in frames]
    assert len(frames) == 12 and strengths == sorted(strengths)
    assert strengths[0] == pytest.approx(ferg_lookalike.ONSET) and strengths[-1] == pytest.approx(1)
    assert len({expression.recipe for expression, _ in frames}) == 1 and {e.emotion for e, _ in frames} == {"happy"}
    steps = np.abs(np.diff([(view.yaw, view.pitch) for _, view in frames], axis=0))
    assert steps.max() <= ferg_lookalike.STEP + 1e-9 and steps.max() > 0
    ((apex, other),) = ferg_lookalike.motion(character, "joy", 1, 1)
    assert other != frames[0][1] and apex.strength == pytest.approx(1)


def test_the_characters_are_six_others_of_families_that_are_trained_on():
    characters = [ferg_lookalike.character_of(name) for name in CHARACTERS]
    assert len({character.name for character in characters}) == 6 and all(c.number >= 9000 for c in characters)
    families = {character.family for character in characters}
    assert len(families) == 6 and not families & {*TEST_FAMILIES, *VALIDATION_FAMILIES}


def test_without_a_head_model_it_exits_with_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        ferg_lookalike.main(["--heads", str(tmp_path / "nowhere.npz"), "--out", str(tmp_path)])
    assert stop.value.code == 1 and "nowhere.npz is not there" in capsys.readouterr().err
