"""Accuracy and groups of people through the API, with the shipped models on tiny data."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotions import EMOTIONS, FaceAnalyzer, ModelRegistry
from emotions.face.defaults import DEFAULT_VIEWS
from emotions.runtime.manifest import BUNDLED
from scripts.common.manifest import read_entries, write_entries
from scripts.data.dataset import DatasetError, Faces
from scripts.evaluate.served import __main__ as served
from scripts.evaluate.served.accuracy import picture_sets
from scripts.evaluate.served.groups import age_band, measure_groups, read_photographs
from scripts.evaluate.served.server import png, serve

SAMPLES = Path(__file__).resolve().parents[4] / "static" / "samples"
HAPPY, NEUTRAL = EMOTIONS.index("happy"), EMOTIONS.index("neutral")
INFO = "face_id,face_age,face_gender,face_eth\n001,24,female,white\n002,NA,male,west_asian\n003,35,male,white\n"


@pytest.fixture(scope="module")
def london(tmp_path_factory) -> Path:
    """Photographs in the form of the London set: smiles of a woman and a man, and a blank picture of a third person."""
    folder = tmp_path_factory.mktemp("london")
    shutil.copy(SAMPLES / "collins.jpg", folder / "001_happy.jpg")
    shutil.copy(SAMPLES / "obama.jpg", folder / "002_happy.jpg")
    (folder / "003_happy.png").write_bytes(png(np.full((64, 64, 3), 128, np.uint8)))
    (folder / "labels.csv").write_text(
        "file,label,person\n001_happy.jpg,happy,001\n002_happy.jpg,happy,002\n002_happy.jpg,neutral,002\n003_happy.png,happy,003\n"
    )
    (folder / "info.csv").write_text(INFO)
    return folder


@pytest.fixture(scope="module")
def measured(london):
    with serve(BUNDLED) as client:
        return measure_groups(client, read_photographs(london))


def test_shares_of_groups_count_missed_faces_as_wrong(measured):
    rows = {(row["by"], row["group"]): row for row in measured["rows"]}
    assert list(rows) == [
        ("everybody", "all"), ("sex", "women"), ("sex", "men"), ("age", "up to 24"), ("age", "35 and older"),
        ("age", "not stated"), ("ethnic group", "white"), ("ethnic group", "West Asian"),
    ]  # fmt: skip
    men = rows["sex", "men"]
    assert men["people"] == 2 and (men["labels"]["happy"]["right"], men["labels"]["happy"]["count"]) == (1, 2)
    assert men["labels"]["neutral"]["right"] == 0, "a smile is not called neutral"
    assert (men["found"]["right"], men["found"]["count"]) == (2, 3) and men["found"]["share"] == 0.6667
    assert rows["sex", "women"]["labels"]["happy"]["share"] == 1 and "neutral" not in rows["sex", "women"]["labels"]
    assert measured["people"] == rows["everybody", "all"]["people"] == 3


def test_women_and_men_are_compared_over_people(measured):
    assert list(measured["differences"]) == ["happy"], "no woman has a neutral photograph"
    row = measured["differences"]["happy"]
    # Two of the three assignments of one right, one wrong and one right person to one woman differ by a half.
    assert row["difference"] == 0.5 and row["p"] == 1
    women, men = measured["calibration"]
    assert (women["group"], women["count"], women["accuracy"]) == ("women", 1, 1) and men["count"] == 2
    assert sum(one["count"] for one in men["reliability"]) == 2 and women["ece"] == pytest.approx(1 - women["confidence"])


def test_age_bands():
    assert [age_band(text) for text in ("18", "24", "25", "54", "NA", "")] == [
        "up to 24", "up to 24", "25 to 34", "35 and older", "not stated", "not stated"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("info.csv", "face_id,face_age\n001,24\n", "face_gender"),
        ("labels.csv", "file,label,person\n001_happy.jpg,joyful,001\n", "joyful"),
        ("labels.csv", "file,label,person\n009_happy.jpg,happy,001\n", "009_happy.jpg is missing"),
        ("labels.csv", "file,label,person\n", "names no photograph"),
    ],
)
def test_errors_name_what_a_folder_lacks(london, tmp_path, name, text, message):
    shutil.copytree(london, tmp_path / "london")
    (tmp_path / "london" / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_photographs(tmp_path / "london")


def test_crops_are_not_posted(prepared):
    faces = Faces.load(prepared)
    names = [name for name, *_ in picture_sets(faces)]
    assert names == ["fer2013_test", "ferplus_test"]
    assert list(picture_sets(replace(faces, sources=np.full(len(faces), "dicebear")))) == []


@pytest.fixture(scope="module")
def command(prepared, configured, london, tmp_path_factory):
    """Options for a copy of the shipped models without earlier figures of this kind, and its folder."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(BUNDLED, folder / "models")
    kept = [{key: row[key] for key in row if key not in ("through_api", "portraits")} for row in read_entries(folder / "models")]
    heads = [row["name"] for row in kept if row["role"] == "expression-head"]
    write_entries(folder / "models", [row for row in kept if row["role"] != "expression-head" or row["name"] in heads[-1:]])
    (folder / "run").mkdir()
    (folder / "run" / "config.json").write_text(json.dumps(tomllib.loads(configured(prepared, 1)) | {"commit": "0123abc"}))
    options = ["--models", str(folder / "models"), "--faces", str(prepared), "--run", str(folder / "run")]
    return [*options, "--london", str(london)], folder / "models", heads[-1]


@pytest.mark.slow
def test_the_command_writes_what_it_verifies(command, prepared, capsys):
    options, models, name = command
    with pytest.raises(SystemExit) as stop:
        served.main([*options, "--verify"])
    assert stop.value.code == 1 and "through the API: published nothing" in capsys.readouterr().err
    before = (models / "evaluation.json").read_bytes()
    served.main([*options[:-1], "nowhere", "--limit", "3"])
    out = capsys.readouterr().out
    assert " of 3)" in out and "groups of people were left out" in out and "a dry run" in out
    assert (models / "evaluation.json").read_bytes() == before
    served.main(options)
    head = ModelRegistry(models).entry("expression-head", name).metadata
    row = head["through_api"]["fer2013_test"]
    test = Faces.load(prepared).split("test")
    analyzer = FaceAnalyzer(ModelRegistry(models), name)
    right = sum(
        analyzer.analyze(pixels, "none").faces[0].emotion == EMOTIONS[label]
        for pixels, label in zip(test.pixels, test.labels, strict=True)
    )
    assert (row["count"], row["right"], row["detector"], row["views"]) == (len(test), right, "none", DEFAULT_VIEWS)
    found = sum(bool(analyzer.analyze(pixels).faces) for pixels in test.pixels)
    assert row["found"]["faces"]["right"] == found and row["found"]["right"]["right"] <= found
    card = (models / ModelRegistry(models).entry("expression-base").metadata["card"]).read_text()
    assert "| through the API |" in card and "No groups of people were compared" not in card
    assert "100% of the women's smiles and 50% of the men's are called happy" in " ".join(card.split())
    assert "| sex | men | 2 | 50.0% (" in card and "women minus men: +50.0 points, p = 1.000" in " ".join(card.split())
    prose = [line for line in card.partition("## Configuration")[0].splitlines() if not line.startswith(("|", "![", "- **"))]
    assert max(map(len, prose)) <= 128
    capsys.readouterr()
    served.main([*options, "--verify"])
    assert "as published" in capsys.readouterr().out


def test_errors_of_the_command_are_one_line(command, london, tmp_path, capsys):
    options, _, _ = command
    (tmp_path / "labels.csv").write_text("file\n")
    with pytest.raises(SystemExit) as stop:
        served.main([*options, "--london", str(tmp_path)])
    assert stop.value.code == 1 and "has not the form of the London set" in capsys.readouterr().err
