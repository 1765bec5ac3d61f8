"""Evaluation of heads on rendered characters: nothing that is measured was learned, and the report has all its parts."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from scripts.evaluate import frozen_features, heads
from scripts.evaluate.portraits import served_crop
from scripts.report import heads_pictures
from scripts.report.heads_results import MISSED, HeadResults, WholePictures, character_recalls, strength_curve
from scripts.synthetic.heads.dataset.reader import RenderedHeads, character_folds, load_heads
from tests.scripts.rendered import FAMILIES, PORTRAIT, write_heads

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")
WIDTH = 512
"""Features: with many, initial weights are small, and a few epochs teach a head one feature a class."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_heads(tmp_path_factory.mktemp("rendered") / "heads.npz")


@pytest.fixture
def table(path) -> RenderedHeads:
    return load_heads(path)


def results_of(table: RenderedHeads, served: np.ndarray, learned: np.ndarray | None = None, whole=None) -> HeadResults:
    learned = served if learned is None else learned
    columns = {"original, families left out": learned, "original, characters left out": learned}
    return HeadResults(
        "command", "vgg16 9.9", table, {"served mixed": served}, columns, whole, "FER2013", 3, 84, "336 rows, seed 1"
    )


def swapped(table: RenderedHeads, mask: np.ndarray) -> np.ndarray:
    """Class ids (N,) with happy and sad exchanged in the masked rows."""
    exchanged = np.select([table.emotions == HAPPY, table.emotions == SAD], [SAD, HAPPY], table.emotions)
    return np.where(mask, exchanged, table.emotions)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["family", "character"])
def test_faces_are_classified_by_heads_that_never_saw_their_family_or_character(table, monkeypatch, kind):
    """In the group left out happy faces look as sad ones do elsewhere: a head that had learned the group would know."""
    monkeypatch.setattr(frozen_features, "EPOCHS", 20)
    mask = table.families == "ink" if kind == "family" else table.faces.groups == "ink-001"
    looks = swapped(table, mask)
    looks[~table.labelled] = SAD  # too weak to be learned
    features = 20 * np.eye(WIDTH, dtype=np.float32)[looks]
    folds = table.families if kind == "family" else character_folds(table, 3, seed=1)
    predicted = heads.leave_out("linear", table, features, [], folds)
    strong = table.labelled
    assert (predicted[mask & strong] == looks[mask & strong]).all() and (
        predicted[~mask & strong] == table.emotions[~mask & strong]
    ).all()


@pytest.mark.slow
def test_photographs_are_learnt_beside_rendered_faces(table, monkeypatch):
    monkeypatch.setattr(frozen_features, "EPOCHS", 20)
    table = table.where(np.isin(table.families, ["ink", "wax"]))
    features = np.zeros((len(table), WIDTH), np.float32)
    features[np.arange(len(table)), table.emotions] = 20
    human = frozen_features.TrainingData(
        np.tile(20 * np.eye(WIDTH, dtype=np.float32)[7], (60, 1)), np.full(60, HAPPY), np.ones(60, np.float32)
    )
    features[0] = human.features[0]  # a look that is among photographs alone
    assert heads.leave_out("linear", table, features, [human], table.families)[0] == HAPPY


def test_recall_is_balanced_over_emotions_and_levels(table):
    served = np.where(table.strengths >= 0.85, table.emotions, HAPPY)
    results = results_of(table, served)
    assert results.family_means(served, "full") == pytest.approx(6.5 / 7), "half of the neutral faces are weak"
    assert results.family_means(served, "half", "test") == pytest.approx((1 + 0.5) / 7)
    assert results.levels(table.emotions == SAD)[0] == "100.0% / 0.0%"
    curve = strength_curve(table, served)
    assert curve[-1] == 1 and curve[4] == pytest.approx(1 / 6) and curve[2] is None
    assert set(character_recalls(results, served)) == set(table.faces.groups)


def test_report_marks_families_and_names_errors(table):
    served = np.where((table.emotions == SAD) & (table.families == "wax"), HAPPY, table.emotions)
    text = heads.report_text(results_of(table, served), "heads")
    assert "| glass (held out) | 84 |" in text and "| ink (validation) | 84 |" in text and "| wax | 84 |" in text
    assert re.search(r"\| sad \| 48 \| 100\.0% \| 75\.0% / 75\.0% ", text)
    assert "| sad | sad-open | 12 |" in text and "| happy (25%) |" in text
    assert "336 pictures of 12 characters in 4 families of style, 14 recipes" in text
    assert "## Whole pictures" not in text, "there were none"
    assert "| **sad** | 0 | 0 | 0 | 6 | 0 | 18 | 0 | 75.0% |" in text


def test_examples_are_right_and_wrong_pictures_of_many_families(table, tmp_path):
    rows = np.flatnonzero((table.emotions == HAPPY) & table.at_level("full"))
    predicted = np.where(table.families[rows] == "ink", SAD, HAPPY)
    predicted[table.families[rows] == "glass"] = MISSED
    every = replace(table, found=np.ones(len(table), bool))
    whole = WholePictures(rows, predicted != MISSED, {"served mixed": predicted})
    chosen = heads_pictures.choose_examples(every, whole, "served mixed", each=4)
    assert sorted(every.families[rows[chosen[HAPPY, True]]]) == ["wax", "wax", "wood", "wood"]
    assert sorted(every.families[rows[chosen[HAPPY, False]]]) == ["glass", "glass", "ink", "ink"]
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    heads_pictures.draw_examples(every, whole, "served mixed", lambda place: noise, tmp_path / "heads.jpg")
    with Image.open(tmp_path / "heads.jpg") as sheet:
        assert sheet.format == "JPEG" and sheet.width > 900
    assert (tmp_path / "heads.jpg").stat().st_size < heads_pictures.MAX_BYTES


def test_whole_pictures_are_classified_as_the_service_does():
    analyzer, pixels = FaceAnalyzer(), open_image(PORTRAIT).pixels
    crop = served_crop(analyzer, pixels)
    expected = analyzer.analyze(pixels).faces[0].probabilities
    np.testing.assert_allclose(analyzer.classifier.probabilities(crop[None])[0], expected, atol=1e-6)
    assert served_crop(analyzer, np.full((64, 64, 3), 90, np.uint8)) is None


@pytest.mark.slow
def test_the_command_measures_and_writes_the_report(path, prepared, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(frozen_features, "EPOCHS", 1)
    monkeypatch.setattr(heads, "DESIGNS", ("linear",))
    shutil.copy(prepared, tmp_path / "faces.npz")
    out = tmp_path / "report" / "heads.md"
    heads.main(["--table", str(path), "--faces", str(tmp_path / "faces.npz"), "--folds", "2", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert text.strip() in capsys.readouterr().out
    for title in ("served mixed", "served fer2013", "linear, families left out", "linear, characters left out"):
        assert title in text
    assert "The set: 336 rows, seed 1.\n" in text and "/" not in text.splitlines()[2], "no path of this machine"
    assert text.splitlines()[2].startswith(
        "`python -m scripts.evaluate.heads --table heads.npz --faces faces.npz --folds 2 --out"
    )
    assert "56 photographs" in text and "2 folds of whole characters" in text
    for family in FAMILIES:
        assert re.search(rf"\| {family} \| 2 \| 50\.0% \| 50\.0% \| 50\.0% ", text), "one portrait and one blank picture"
    assert out.with_suffix(".svg").read_text().lstrip().startswith("<?xml") and out.with_suffix(".jpg").is_file()
    assert {file.name.split("-")[1] for file in (*tmp_path.glob("features-*"), *path.parent.glob("features-*"))} == {
        "faces",
        "heads",
    }


def test_errors_of_the_command(path, prepared, tmp_path, capsys):
    for arguments, words in (
        (["--table", str(tmp_path / "none.npz"), "--faces", str(prepared)], "is not there"),
        (["--table", str(path), "--faces", str(prepared), "--head", "nobody"], "nobody"),
    ):
        with pytest.raises(SystemExit) as stop:
            heads.main(arguments)
        assert stop.value.code == 1 and words in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        heads.main(["--folds", "1"])
    assert stop.value.code == 2
