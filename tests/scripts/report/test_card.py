"""Card of the shipped models, measured on tiny tables: further data sets, pictures, and texts."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.common.manifest import read_entries, write_entries
from scripts.data.dataset import Faces
from scripts.evaluate import accuracy
from scripts.release import export
from scripts.report.card import initialised_from
from scripts.report.failures import contact_sheet, credits_of, worded
from scripts.report.reliability import calibration_of, reliability_svg

CREDITS = """# Who drew the styles

- **ink** (A; CC0 1.0): Remix of „Ink” by „A”, licensed under „CC0 1.0”
- **oil** (B; CC BY 4.0): „Oil” by „B”, licensed under „CC BY 4.0”
"""
BINS = [
    {"low": 0.4, "high": 0.5, "count": 10, "confidence": 0.45, "accuracy": 0.25},
    {"low": 0.9, "high": 1.0, "count": 30, "confidence": 0.95, "accuracy": 1.0},
]


@pytest.fixture
def measured(prepared, configured, tmp_path):
    """Options of `evaluate` for a copy of the shipped models, and a table of drawn faces."""
    shutil.copytree(BUNDLED, tmp_path / "models")
    faces = Faces.load(prepared)
    groups = np.where(np.arange(len(faces)) % 2, "ink", "oil")
    drawn = replace(faces, sources=np.full(len(faces), "dicebear"), groups=groups)
    drawn = replace(drawn, votes=0 * faces.votes, raters=0 * faces.raters)
    drawn.save(tmp_path / "drawn.npz")
    (tmp_path / "run").mkdir()
    config = tomllib.loads(configured(prepared, 1)) | {"commit": "0123abc"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    options = ["--models", str(tmp_path / "models"), "--faces", str(prepared)]
    return options, ["--run", str(tmp_path / "run")], tmp_path


def card_of(folder: Path) -> str:
    return (folder / "models" / ModelRegistry(folder / "models").entry("expression-base").metadata["card"]).read_text()


def test_the_drawn_face_head_is_measured_by_data_set():
    sources = np.array(["fer2013"] * 4 + ["dicebear"] * 2 + ["my-faces"])
    report = accuracy.drawn_head_metrics(np.array([0.1, 0.2, 0.49, 0.5, 0.5, 0.4, 0.9]), sources)
    assert set(report) == {"fer2013_test", "dicebear_test"}, "of one's own data it is not known"
    assert [(row["count"], row["right"], row["drawn"]) for row in report.values()] == [(4, 3, False), (2, 1, True)]


def test_the_card_reports_the_drawn_face_head(measured, capsys):
    options, run, folder = measured
    accuracy.main([*options, *run, "--extra", str(folder / "drawn.npz")])
    [head] = [entry.metadata for entry in ModelRegistry(folder / "models").entries("drawn-head")]
    card = card_of(folder).partition("## Drawn or photographed")[2].partition("## Test faces by emotion")[0]
    for source, title in (("fer2013", "FER2013 | 14 | photographed"), ("dicebear", "drawings in DiceBear's styles | 14 | drawn")):
        row = head["evaluation"][f"{source}_test"]
        assert row["count"] == 14 and f"| {title} | {row['right'] / 14:.1%} |" in card
    accuracy.main([*options, "--verify", "--extra", str(folder / "drawn.npz")])
    assert "as published" in capsys.readouterr().out


def test_further_tables_are_measured_and_their_failures_shown(measured, capsys):
    options, run, folder = measured
    (folder / "drawn-ATTRIBUTION.md").write_text(CREDITS)
    accuracy.main([*options, *run, "--extra", str(folder / "drawn.npz")])
    registry = ModelRegistry(folder / "models")
    base, head = registry.entry("expression-base").metadata, registry.entry("expression-head", "mixed").metadata
    figures = head["evaluation"]["dicebear_test"]
    assert set(figures["groups"]) == {"ink", "oil"} and figures["count"] == 14
    assert figures["balanced_recall"] == pytest.approx(np.mean(list(figures["groups"].values())), abs=1e-4)
    card = card_of(folder)
    cells = " | ".join(f"{figures['groups'][group]:.1%}" for group in ("ink", "oil"))
    assert f"| mixed | {cells} | {figures['balanced_recall']:.1%} |" in card
    assert "trained at commit 0123abc" in card and "Article 5(1)(f)" in card
    assert base["pictures"] == sorted(f"vgg16-{base['version']}-{kind}" for kind in ("failures.png", "reliability.svg"))
    shown = base["failures"]["drawn"]
    assert all(f"]({name})" in card and (folder / "models" / name).stat().st_size < 150_000 for name in base["pictures"])
    for line in shown["credits"]:
        assert f"- {line}\n" in card
    assert {row["group"] for row in shown["faces"]} == {line.split("**")[1] for line in shown["credits"]}
    assert all(row["true"] != row["answered"] for row in shown["faces"])
    with Image.open(folder / "models" / shown["file"]) as sheet:
        assert sheet.format == "PNG" and sheet.width == 150 * min(4, len(shown["faces"]))
    assert "7 of 7 faces are found" in card and max(map(len, prose(card))) <= 128
    capsys.readouterr()
    accuracy.main([*options, "--verify"])
    assert "as published" in capsys.readouterr().out, "the further table is not asked for"
    accuracy.main([*options, *run])
    assert "dicebear_test" in ModelRegistry(folder / "models").entry("expression-head", "mixed").evaluation
    assert card_of(folder) == card, "earlier measurements of the same files are kept"


def prose(card: str) -> list[str]:
    text = card.partition("## Configuration")[0].splitlines()
    return [line for line in text if not line.startswith(("|", "![", "- **ink", "- **oil"))]


def test_drawings_without_credits_are_not_shown(measured, capsys):
    options, run, folder = measured
    shipped = ModelRegistry(folder / "models").entry("expression-base").metadata
    for name in shipped.pop("pictures", ()):
        (folder / "models" / name).unlink()
    shipped.pop("failures", None)
    others = [entry for entry in read_entries(folder / "models") if entry["role"] != "expression-base"]
    write_entries(folder / "models", [shipped, *others])
    accuracy.main([*options, *run, "--extra", str(folder / "drawn.npz")])
    assert "none of its faces are shown" in capsys.readouterr().out
    assert not list((folder / "models").glob("*failures.png")) and "Drawn test faces" not in card_of(folder)


def test_an_export_removes_the_pictures_of_the_old_version(measured):
    options, run, folder = measured
    accuracy.main([*options, *run])
    pictures = ModelRegistry(folder / "models").entry("expression-base").metadata["pictures"]
    assert pictures and set(pictures) <= export._files(folder / "models"), "an export removes files that no entry names"


@pytest.mark.parametrize("again", [0, 1])
def test_errors_name_tables_that_cannot_be_measured(measured, prepared, again, capsys):
    options, run, folder = measured
    table = Faces.load(prepared)
    empty = table.where(table.splits != "test")
    (table if again else empty).save(folder / "other.npz")
    with pytest.raises(SystemExit) as stop:
        accuracy.main([*options, *run, "--extra", str(folder / "other.npz")])
    message = "several tables hold faces of fer2013" if again else "table 2 has no labelled face in its test split"
    assert stop.value.code == 1 and message in capsys.readouterr().err


def test_the_reliability_plot_is_reproducible():
    head = {"name": "a<b", "temperature": 0.9, "reliability": BINS}
    text = reliability_svg([head, head])
    root = ElementTree.fromstring(text)
    assert text == reliability_svg([head, head]) and len(text) < 40_000 and root.attrib["width"] == "516"
    columns = [box for box in root.iter("{http://www.w3.org/2000/svg}rect") if "opacity" in box.attrib]
    assert [(box.attrib["height"], box.attrib["opacity"]) for box in columns[:2]] == [("50.0", "0.35"), ("200.0", "0.9")]
    assert calibration_of(BINS) == pytest.approx((10 * 0.2 + 30 * 0.05) / 40)


def test_weak_classes_and_confusions_are_worded():
    matrix = np.zeros((7, 7), int)
    matrix[0, :2], matrix[2, 2], matrix[3, [3, 5]] = (1, 3), 5, (9, 1)
    text = worded({"confusion": matrix.tolist()})
    assert text == ("lowest recall: anger 25% of 4, happy 90% of 10; most confused: anger as disgust (75%), "
                    "happy as sad (10%)")  # fmt: skip
    assert worded({"confusion": np.eye(7, dtype=int).tolist()}).endswith("most confused: none")


def test_the_most_confident_error_of_each_kind_is_shown(prepared, tmp_path):
    faces = Faces.load(prepared).where(np.arange(4))
    faces = replace(faces, labels=np.array([3, 3, 3, 0], np.int8), groups=np.array(["ink", "ink", "oil", "ink"]))
    probabilities = np.eye(7)[[5, 5, 5, 0]] * np.array([[0.5], [0.7], [0.6], [0.9]])
    rows, sheet = contact_sheet(faces, probabilities)
    assert [(row["group"], row["true"], row["answered"], row["confidence"]) for row in rows] == [
        ("ink", "happy", "sad", 0.7), ("oil", "happy", "sad", 0.6)
    ]  # fmt: skip
    assert sheet == contact_sheet(faces, probabilities)[1] and EMOTIONS[3] == "happy"
    assert contact_sheet(faces.where([3]), probabilities[[3]]) == ([], b"")
    (tmp_path / "t-ATTRIBUTION.md").write_text(CREDITS)
    assert list(credits_of(tmp_path / "t.npz")) == ["ink", "oil"] and credits_of(tmp_path / "other.npz") == {}


def test_lineage_names_all_predecessors():
    older = {"name": "b", "version": "1", "licence": "MIT"}
    newer = {"name": "a", "version": "2", "licence": "BSD", "begun": older}
    assert initialised_from(newer) == "a 2 (BSD), itself initialised from b 1 (MIT)."
    assert initialised_from(None) == ""
