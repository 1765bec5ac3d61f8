"""Experiments table: rows of runs and exports, and the dates of their parts."""

from __future__ import annotations

import json

from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.common.run_names import RUNS, run_name
from scripts.evaluate import experiments
from scripts.evaluate.design_table import epochs
from scripts.evaluate.experiments import collect, markdown, merge, read_run

CONFIG = {
    "name": "vgg16", "stages": [{"epochs": 2, "crop": 40}, {"epochs": 1, "crop": 48}], "augment": {},
    "optimiser": {"peak": 0.02, "batch": 64, "weight_decay": 5e-4}, "precision": "mixed_bfloat16",
    "init_from": "models/vgg16-1.0.0.tflite",
}  # fmt: skip
HISTORY = """epoch,loss,val_fer2013_categorical_accuracy,val_ferplus_categorical_accuracy
0,2,0.5,0.6
1,1,0.55,0.66
1,1,0.56,0.67
"""


def written(folder, **change):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    (folder / "history.csv").write_text(HISTORY)
    return folder


def test_an_unfinished_run_shows_its_last_epoch(tmp_path):
    row = read_run(written(tmp_path / "going", data={"drawn": "data/drawn.npz"}), "going")
    assert row["training"]["network"] == {"fer2013": 0.56, "ferplus": 0.67} and row["training"]["epochs"] == 2
    page = markdown(merge([], [row], {"date": "2026-01-01", "commit": "abc"}))
    assert "2 epochs at 40 px + 1 epochs at 48 px, peak 0.02, batch 64, weight decay 0.0005, from vgg16-1.0.0" in page
    assert "mixed_bfloat16, drawn faces too; 2 of 3 epochs done |" in page
    assert "| 56.0%* | 67.0%* |" in page and "| 2026-01-01, abc |" in page


def test_dry_runs_and_other_folders_have_no_row(tmp_path):
    assert read_run(written(tmp_path / "small", limit=256), "small") is None
    assert read_run(tmp_path, "none") is None
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text('{"name": "minilm-text", "optimiser": {"epochs": 3}}', encoding="utf-8")
    assert read_run(tmp_path / "text", "text") is None


def test_a_part_keeps_its_date_until_it_changes():
    first = {"variant": "a", "design": "d", "training": {"epochs": 1}, "speed": {"ms": 1.0}}
    one = merge([], [first], {"date": "2026-01-01", "commit": "abc"})
    two = merge(one, [first | {"speed": {"ms": 2.0}}, {"variant": "b", "design": "c"}], {"date": "2026-02-02", "commit": "def"})
    assert [row["variant"] for row in two] == ["b", "a"]
    assert two[1]["training"] == {"epochs": 1, "date": "2026-01-01", "commit": "abc"}
    assert two[1]["speed"] == {"ms": 2.0, "date": "2026-02-02", "commit": "def"}


def test_a_run_that_was_exported_leaves_no_row_of_its_own():
    run = {"variant": "residual", "design": "residual", "training": {"epochs": 1}}
    before = merge([], [run], {"date": "2026-01-01", "commit": "abc"})
    version = {"variant": "residual-1.0.0", "design": "residual", "training": {"epochs": 1}, "exported": {"bytes": 2}}
    after = merge(before, [version], {"date": "2026-02-02", "commit": "def"}, {"residual": "residual-1.0.0"})
    assert [row["variant"] for row in after] == ["residual-1.0.0"]


def test_an_initial_run_is_replaced_by_its_exported_version(tmp_path):
    first, later = written(tmp_path / "first"), written(tmp_path / "later", init_from=f"{tmp_path}/first/base.keras")
    rows = [read_run(first, "first"), read_run(later, "later")]
    assert rows[1]["training"]["start"] == "first" and "from the run first" in rows[1]["training"]["recipe"]
    stamp = {"date": "2026-01-01", "commit": "abc"}
    version = {**rows[0], "variant": "vgg16-1.1.0", "exported": {"bytes": 2}}
    with_it = merge([], [version, rows[1]], stamp, {"first": "vgg16-1.1.0"})
    # Exported over since: the run is still in its folder, the version's files are gone.
    without = merge(with_it, rows, {"date": "2026-02-02", "commit": "def"})
    for found in (with_it, without):
        assert [row["variant"] for row in found] == ["later", "vgg16-1.1.0"] and found[0]["training"]["start"] == "vgg16-1.1.0"
        assert "from vgg16-1.1.0" in found[0]["training"]["recipe"]
    assert without == with_it
    assert epochs("later", {row["variant"]: row for row in without}) is None  # vgg16-1.0.0, the first backbone, has no row
    nothing = merge([], [{**rows[0], "training": rows[0]["training"] | {"start": None}}, rows[1]], stamp)
    assert epochs("later", {row["variant"]: row for row in nothing}) == 4


def test_versions_of_chained_runs_are_resolved(tmp_path):
    first = written(tmp_path / "first")
    then = written(tmp_path / "then", init_from=f"{tmp_path}/first/base.keras")
    last = written(tmp_path / "last", init_from=f"{tmp_path}/then/base.keras")
    runs = [read_run(run, run.name) for run in (first, then, last)]
    names, stamp = {"first": "vgg16-1.1.0", "then": "vgg16-1.2.0"}, {"date": "2026-01-01", "commit": "abc"}
    old = merge([], [{**run, "variant": names[run["variant"]], "exported": {"bytes": 2}} for run in runs[:2]], stamp, names)
    rows = {row["variant"]: row for row in merge(old, runs, stamp)}  # the versions' files are gone, the runs are here
    assert sorted(rows) == ["last", "vgg16-1.1.0", "vgg16-1.2.0"]
    assert rows["last"]["training"]["start"] == "vgg16-1.2.0" and "from vgg16-1.2.0" in rows["last"]["training"]["recipe"]


def test_the_heads_that_were_tried_are_rows_too(tmp_path):
    run = written(tmp_path / "run")
    tried = [
        {"design": design, "share": 1.0, "drawn_weight": 0.3, "fer2013": 0.61, "ferplus": 0.7, "drawn": 0.5}
        for design in ("original", "linear")
    ]
    heads = {name: {"chosen": tried[1], "tried": tried} for name in ("fer2013", "ferplus", "mixed")}
    (run / "heads.json").write_text(json.dumps(heads | {"drawn": {"chosen": {}, "tried": []}}))
    row = read_run(run, "run")
    page = markdown(merge([], [row], {"date": "2026-01-01", "commit": "abc"}))
    assert "| fer2013 | original | 100% | 61.0% | 70.0% | 0.3 | 50.0% |" in page
    assert "| **fer2013** (kept) | linear | 100% | 61.0% | 70.0% | 0.3 | 50.0% |" in page


def test_an_architecture_trained_on_an_own_data_set_has_no_row(tmp_path):
    run = written(tmp_path / "frozen", stages=[])
    (run / "history.csv").unlink()
    (run / "heads.json").write_text(json.dumps({"my-faces": {"chosen": {"my-faces": 0.5}, "tried": []}}))
    assert read_run(run, "frozen") is None


def test_a_run_is_called_by_its_place_among_the_runs(tmp_path):
    assert run_name(RUNS / "distill" / "student") == "distill/student" and run_name(tmp_path / "elsewhere") == "elsewhere"


def test_an_exported_run_becomes_its_version_and_the_next_in_its_folder_another_row(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "compare_speed", lambda places, default: {})
    base = ModelRegistry(BUNDLED).entry("expression-base", "vgg16").metadata
    version = f"vgg16-{base['version']}"
    run = "refined"  # in whatever folder the shipped version was trained
    exported_rows = experiments.read_exported
    monkeypatch.setattr(experiments, "read_exported", lambda folder: [(*row[:2], run) for row in exported_rows(folder)])
    written(tmp_path / run)
    teacher = tmp_path / "distill" / "teacher-0"
    teacher.parent.mkdir()
    written(teacher)
    found, exported = collect(tmp_path, [BUNDLED])
    rows = {row["variant"]: row for row in found}
    assert (
        exported == {run: version}
        and set(rows) == {version, "distill/teacher-0"}
        and {"training", "exported"} <= set(rows[version])
    )
    written(tmp_path / run, init_from=f"models/{version}.tflite")
    found, exported = collect(tmp_path, [BUNDLED])
    rows = {row["variant"]: row for row in found}
    assert not exported and "training" not in rows[version] and "exported" not in rows[run]
