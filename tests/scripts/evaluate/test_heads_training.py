"""Heads trained with and without rendered faces: what they learn, which setting is chosen, and the report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import Faces, table
from scripts.evaluate import heads_training
from scripts.evaluate.heads_training import Experiment
from scripts.evaluate.portraits import Portraits
from scripts.report.heads_training import Setting, Trial, TrialReport, choose, difference, report_text
from scripts.synthetic.heads.dataset.reader import load_heads
from scripts.train.features import FeatureSet
from tests.scripts.rendered import PORTRAIT, write_heads

HUMAN = {"fer2013": 0.70, "ferplus": 0.80}
REST = {"drawn": 0.7, "others: macro-F1": 0.4, "others: accuracy": 0.7, "others: happy": 0.9}


@pytest.fixture(scope="module")
def tables(prepared, tmp_path_factory) -> dict[str, Path]:
    """Tables of the four kinds, as the options name them, and a folder of portraits."""
    folder = tmp_path_factory.mktemp("tables")
    shutil.copy(prepared, folder / "faces.npz")
    faces = Faces.load(prepared)
    for name, source in (("drawn", "dicebear"), ("others", "facial_expressions")):
        groups = np.where(faces.splits == "train", "orb", np.where(faces.splits == "test", "disc", "cube"))
        plain = table(faces.pixels[::-1], faces.labels[::-1], faces.splits[::-1], faces.names[::-1], source, groups[::-1])
        plain.save(folder / f"{name}.npz")
    (folder / "london").mkdir()
    for number in (1, 2):
        shutil.copy(PORTRAIT, folder / "london" / f"{number}.jpg")
    (folder / "london" / "labels.csv").write_text("file,label,person\n1.jpg,happy,a\n2.jpg,neutral,b\n")
    (folder / "london" / "info.csv").write_text("face_id,face_gender\na,female\nb,male\n")
    named = {f"--{name}": folder / f"{name}.npz" for name in ("faces", "drawn", "others")}
    return {"--table": write_heads(folder / "heads.npz"), **named, "--london": folder / "london"}


def trial(count: int, weight: float, beside: str = "human", **changes: float) -> Trial:
    """A trial of two seeds whose metrics differ from the usual ones by `changes`, named with `_` for `: `."""
    metrics = HUMAN | REST | {"rendered: full": 0.6, "rendered: half": 0.4, "portraits: happy, male": 0.4}
    for name, change in changes.items():
        metrics[name.replace("_", ": ")] += change
    rows = [metrics, {name: value + 0.001 for name, value in metrics.items()}]
    test = [{name: value for name, value in row.items() if name not in HUMAN} for row in rows]
    return Trial(Setting(beside, "linear", count, weight), count // 2, rows, test)


def test_rendered_faces_may_cost_little_accuracy_on_human_faces():
    base, good = trial(0, 0), trial(5000, 0.3, rendered_full=0.1)
    greedy = trial(5000, 1, rendered_full=0.3, ferplus=-0.004)
    assert choose([base, good, greedy]) == [(base, good)], "the best loses too much on the votes"
    greedy = trial(5000, 1, rendered_full=0.3, ferplus=-0.002)
    assert choose([base, good, greedy]) == [(base, greedy)]
    worse = trial(5000, 1, rendered_full=0.1, drawn=-0.2)
    assert choose([base, worse]) == [(base, base)], "other metrics count too"
    portraits = trial(5000, 1, **{"portraits_happy, male": 0.5}, drawn=-0.01)
    assert choose([base, portraits]) == [(base, base)], "portraits are measured alone"


def test_each_kind_of_table_has_its_own_choice():
    trials = [trial(0, 0), trial(5000, 1, rendered_full=0.1), trial(0, 0, "all"), trial(5000, 1, "all", rendered_full=-0.1)]
    assert choose(trials) == [(trials[0], trials[1]), (trials[2], trials[2])]


def test_report_names_what_changed_and_what_did_not():
    trials = [trial(0, 0), trial(5000, 1, rendered_full=0.1, others_happy=-0.05)]
    text = report_text(TrialReport("command", "vgg16 9.9", "20,000 rows, seed 1", 0.85, trials))
    assert "| human | linear | 2,500 of 5,000 rows | 1 | **chosen** | 70.0 ± 0.1 |" in text.replace("70.1 ±", "70.0 ±"), (
        "it rounds 70.05"
    )
    assert "The set of rendered heads: 20,000 rows, seed 1." in text and "are learned, 50% of them." in text
    assert "*human*, chosen: linear, 2,500 of 5,000 rows at weight 1." in text
    assert "- *human*, higher: rendered: full +10.0." in text
    assert "- *human*, lower: facial_expressions: happy -5.0." in text
    assert "no clear change: FER2013 labels; FER+ majority;" in text
    unchanged = report_text(TrialReport("command", "vgg16 9.9", "20,000 rows, seed 1", 0.85, [trials[0]]))
    assert "nothing, the heads without rendered faces were chosen" in unchanged


def test_difference_has_the_standard_error_of_the_seeds():
    change, error = difference([{"drawn": 0.5}, {"drawn": 0.7}], [{"drawn": 0.8}, {"drawn": 0.8}], "drawn")
    assert change == pytest.approx(0.2) and error == pytest.approx(0.1)


def experiment(paths: dict[str, Path], width: int = 8) -> Experiment:
    """All tables with one feature a class."""

    def features(faces: Faces) -> FeatureSet:
        plain = np.eye(width, dtype=np.float32)[faces.labels]
        return FeatureSet(plain, plain, faces)

    faces, drawn, others = (Faces.load(paths[name]) for name in ("--faces", "--drawn", "--others"))
    heads = load_heads(paths["--table"])
    portraits = Portraits(
        np.zeros((2, 48, 48), np.uint8), np.array([True, False]), np.array([3, 4]), np.array(["female", "male"])
    )
    return Experiment(
        features(faces), features(drawn), features(others), features(heads.faces), heads, (portraits, np.eye(width)[[3, 4]])
    )


def test_heads_learn_labelled_rows_of_training_families_alone(tables):
    made = experiment(tables)
    rows = made.rows(len(made.heads))
    assert set(made.heads.families[rows]) == {"wax", "wood"} and (made.heads.faces.labels[rows] >= 0).all()
    assert made.rows(10).sum() == made.heads.labelled[:10].sum() and not made.rows(0).any()
    parts = list(made.parts(Setting("all", "linear", len(made.heads), 0.3), 0.85))
    sizes = [len(features) for features, _, _ in parts]
    train = [int((made.human.faces.splits == "train").sum())] * 3
    assert sizes == [2 * count for count in (*train, int(rows.sum()))]
    _, targets, weights = parts[-1]
    totals = [weights[targets.argmax(axis=1) == number].sum() for number in range(len(EMOTIONS))]
    np.testing.assert_allclose(totals, totals[0], rtol=1e-4, err_msg="classes weigh the same")
    assert weights.mean() == pytest.approx(0.3, rel=1e-4)
    assert len(list(made.parts(Setting("human", "linear", 0, 0.0), 0.85))) == 1


def test_metrics_of_a_head_that_takes_sad_for_happy(tables):
    made, sad = experiment(tables), EMOTIONS.index("sad")

    def classify(features: np.ndarray) -> np.ndarray:
        predicted = features.argmax(axis=1)
        return np.where(predicted == sad, EMOTIONS.index("happy"), predicted)

    metrics = made.metrics(classify, "validation")
    for name in ("fer2013", "ferplus", "drawn", "others: accuracy", "rendered: full"):
        assert metrics[name] == pytest.approx(6 / 7), name
    assert metrics["others: sad"] == metrics["rendered: sad, half"] == 0 and metrics["others: fear"] == 1
    assert metrics["portraits: happy, female"] == 1 and metrics["portraits: neutral, male"] == 0, "a face not found is wrong"
    assert not {"fer2013", "ferplus"} & set(made.metrics(classify, "test"))
    fewer = replace(made, heads=made.heads, portraits=None)
    assert "portraits: happy, female" not in fewer.metrics(classify, "test")


def options(tables: dict[str, Path], out: Path) -> list[str]:
    named = [word for option, path in tables.items() for word in (option, str(path))]
    return [*named, "--counts", "168", "--weights", "1", "--designs", "linear", "--seeds", "1", "--out", str(out)]


@pytest.mark.slow
def test_the_command_writes_the_report(tables, tmp_path, capsys):
    heads_training.main([*options(tables, tmp_path / "report.md"), "--beside", "human"])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.strip() in capsys.readouterr().out
    assert "| served mixed |" in text and "| human | linear | 132 of 168 rows | 1 |" in text
    command = text.splitlines()[2]
    assert "--london london" in command and "--weights 1.0" in command and "--beside human" in command and "/" not in command
    assert "The set of rendered heads: 336 rows, seed 1." in text and "smiles, women" in text and "neutral, men" in text


@pytest.mark.slow
def test_the_command_takes_the_backbone_of_a_run(tables, configured_small, tmp_path):
    from scripts.train import base

    (tmp_path / "tiny.toml").write_text(configured_small(tables["--faces"], 1))
    run = tmp_path / "run"
    base.main(["--config", str(tmp_path / "tiny.toml"), "--run", str(run)])
    heads_training.main([*options(tables, tmp_path / "report.md"), "--beside", "all", "--run", str(run)])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "frozen features of run" in text and "served" not in text.partition("## Validation")[2]
    assert sorted(path.name for path in run.glob("features*")) == [
        "features-drawn.npz", "features-heads.npz", "features-others.npz", "features.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"--table": "none.npz"}, 1, "is not there"),
        ({"--london": "."}, 1, "London set"),
        ({"--run": "nowhere"}, 1, "base.keras is not there"),
        ({"--counts": "0"}, 2, "at least 1"),
    ],
)
def test_errors_of_the_command(tables, tmp_path, capsys, changes, code, words):
    arguments = options(tables, tmp_path / "report.md")
    for option, value in changes.items():
        value = value if value.isdigit() else str(tmp_path / value)
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value]
    with pytest.raises(SystemExit) as stop:
        heads_training.main(arguments)
    assert stop.value.code == code and words in capsys.readouterr().err


def test_a_table_without_a_split_is_named(tables, tmp_path, capsys):
    faces = Faces.load(tables["--drawn"])
    faces.where(faces.splits != "test").save(tmp_path / "drawn.npz")
    with pytest.raises(SystemExit) as stop:
        heads_training.main(options(tables | {"--drawn": tmp_path / "drawn.npz"}, tmp_path / "report.md"))
    assert stop.value.code == 1 and "no labelled faces in its split test" in capsys.readouterr().err
