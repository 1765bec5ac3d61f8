"""Truths of tables with labels, with votes, with some of both; and where the data came from."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from emotions.runtime.manifest import BUNDLED
from scripts.data import labels, prepare, sources
from scripts.data.dataset import DatasetError, Faces
from scripts.release import export
from scripts.train import runs
from scripts.train.heads import search
from scripts.train.heads.training import train_heads
from scripts.train.networks import vgg_backbone
from tests.scripts.conftest import SMALL_VGG


@pytest.fixture
def faces(prepared) -> Faces:
    return Faces.load(prepared)


def without_votes(faces: Faces, mask=slice(None), source: str = "mine") -> Faces:
    votes, raters, names = faces.votes.copy(), faces.raters.copy(), faces.sources.astype("U20")
    votes[mask], raters[mask], names[mask] = 0, 0, source
    return replace(faces, votes=votes, raters=raters, sources=names)


def test_label_sets_are_named_after_their_data_set(faces):
    assert labels.available_label_sets(faces) == ("fer2013", "ferplus") and labels.heads_for(("a", "b")) == ("a", "b", "mixed")
    own = without_votes(faces)
    assert labels.available_label_sets(own) == ("mine",) == labels.heads_for(("mine",))
    assert labels.available_label_sets(Faces.joined([faces, own])) == ("labels", "ferplus")
    partly = without_votes(faces, faces.splits == "validation")
    assert labels.available_label_sets(partly) == ("labels",), "votes that nothing can be chosen by"
    unlabelled = replace(faces, labels=np.full(len(faces), -1, np.int8))
    assert labels.available_label_sets(unlabelled) == ("ferplus",)
    with pytest.raises(DatasetError, match="validation has 0 faces"):
        labels.available_label_sets(faces.where(faces.splits != "validation"))


def test_mixed_targets_use_the_labels_and_votes_that_a_face_has(faces):
    some = faces.where(np.arange(4))
    some = replace(some, labels=np.array([0, 0, -1, -1], np.int8), votes=np.eye(7, dtype=np.float32)[[3, 3, 3, 3]] * 8,
                   raters=np.array([10, 0, 10, 0], np.float32))  # fmt: skip
    some.votes[[1, 3]] = 0
    target = labels.mixed_targets(some, 0.75, 0.0)
    assert target[0, [0, 3]].tolist() == pytest.approx([0.75, 0.2])  # two of ten raters named none of the seven
    assert target[1].tolist() == [1, 0, 0, 0, 0, 0, 0], "the label alone"
    assert target[2, 3] == pytest.approx(0.8) and target[2, 0] == 0, "the votes alone"
    assert not target[3].any() and not labels.hard_targets(some, 0.1)[2:].any()


@pytest.mark.slow
def test_heads_of_a_table_with_some_votes(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "MIXTURES", (0.5,))
    monkeypatch.setattr(search, "DESIGNS", ("linear",))
    keras.utils.set_random_seed(1)
    vgg_backbone(16, filters=SMALL_VGG).save(tmp_path / "base.keras")
    (tmp_path / "head-stale.keras").touch()
    half = without_votes(faces, np.arange(len(faces)) % 2 == 0)
    report = train_heads(tmp_path, half, 0.1, 1)
    assert list(report) == ["labels", "ferplus", "mixed"]
    for row in report.values():
        assert 0 <= row["chosen"]["labels"] <= 1 and 0 <= row["chosen"]["ferplus"] <= 1
    own = train_heads(tmp_path, without_votes(faces), 0.1, 1)
    assert list(own) == ["mine"] and json.loads((tmp_path / "heads.json").read_text()) == own
    assert [path.name for path in tmp_path.glob("head-*.keras")] == ["head-mine.keras"], "heads of other label_sets went"


def test_a_run_without_the_default_head_is_not_exported_to_models(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"name": "vgg16", "size": 48}))
    (tmp_path / "heads.json").write_text(json.dumps({"mine": {"chosen": {}}}))
    before = (BUNDLED / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="ships the head `mixed`.*--models"):
        export.export(tmp_path, "9.9.9", BUNDLED)
    assert (BUNDLED / "manifest.json").read_bytes() == before


def test_licences_follow_from_the_data(faces):
    rows = sources.data_statement(faces, "base")
    assert [(row["source"], row["train"], row["validation"], row["test"]) for row in rows] == [
        ("fer2013", 56, 14, 14), ("ferplus", 56, 14, 14)
    ]  # fmt: skip
    research = "trained on FER2013 (released for research in the Kaggle challenge of 2013) and FER+ (MIT): research use"
    assert sources.licence_of(rows) == research
    [own] = sources.data_statement(without_votes(faces), "base")
    assert sources.licence_of([own]) == "trained on mine (licence not stated)"
    [stated] = sources.data_statement(replace(without_votes(faces), licences=np.full(len(faces), "CC0 1.0")), "base")
    assert sources.licence_of([stated]) == "trained on mine (CC0 1.0)"
    drawn = {**own, "source": "dicebear", "title": "drawings", "licence": "many"}
    config = {"name": "vgg16"}
    parent = {"name": "vgg16", "version": "1.0.0", "licence": research}
    assert "initialised" not in export.licence(config, [*rows, drawn], parent), "it has no other training data"
    expected = f"trained on mine (licence not stated); initialised from vgg16 1.0.0: {research}"
    assert export.licence(config, [own], parent) == expected
    further = {**own, "learnt_by": runs.MIXED_HEAD_ONLY, "title": "faces of others"}
    assert export.licence(config, [*rows, further], None) == research == export.licence(config, [*rows, further], None, "fer2013")
    assert "faces of others" in export.licence(config, [*rows, further], None, "mixed"), "trained on by this head alone"


def test_licences_are_saved_and_old_tables_can_be_loaded(faces, tmp_path):
    stated = replace(faces, licences=np.full(len(faces), "CC BY 4.0"))
    stated.save(tmp_path / "new.npz")
    assert set(Faces.load(tmp_path / "new.npz").licences) == {"CC BY 4.0"}
    fields = [field for field in Faces.__dataclass_fields__ if field != "licences"]
    np.savez(tmp_path / "old.npz", **{field: getattr(faces, field) for field in fields})
    old = Faces.load(tmp_path / "old.npz")
    assert old.licences.tolist() == [""] * len(faces)
    assert set(Faces.joined([stated, old]).licences) == {"CC BY 4.0", ""}


@pytest.mark.parametrize("name", ["mixed", "ferplus", "a b", "../a", ""])
def test_data_set_names_are_validated(name, tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepare.main(["folders", "--faces", str(tmp_path), "--name", name])
    assert "letters, digits, - and _" in capsys.readouterr().err
