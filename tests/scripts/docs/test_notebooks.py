"""Notebooks: run by the documented command on small data, messages for missing data, committed form."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions import FaceAnalyzer, ModelRegistry, open_image
from emotions.face.classifier import ExpressionClassifier
from scripts.common import metrics
from scripts.data.dataset import Faces
from scripts.data.readers.fer2013 import IDS, read_fer2013
from scripts.data.readers.ferg import CHARACTERS
from scripts.docs.notebooks import METADATA, NAMES, skip_reason
from scripts.synthetic.generate import split_of
from tests.scripts.speech_clips import tiny_clips
from tests.shared_data import shared

ROOT = Path(__file__).resolve().parents[3]
DOCS = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
STYLES = ("adventurer", "dylan", "notionists")  # one for each split
FACES = 84
COMMENTS = [
    ("anger", "anger", "I hate you, this makes me furious"), ("disgust", "disgust", "That is disgusting, so gross"),
    ("fear", "fear", "I am so scared, this is terrifying"), ("love", "joy", "I love this so much, thank you!"),
    ("neutral", "neutral", "The meeting is on Tuesday."), ("sadness", "sadness", "I am so sad, my dog died"),
    ("surprise", "surprise", "Wow, what a surprise, I did not expect that"),
]  # fmt: skip


def committed_notebooks() -> dict[str, dict]:
    return {name: json.loads((ROOT / "scripts" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")) for name in NAMES}


def write_fer2013(archive: Path, votes: Path, folder: Path) -> None:
    """The published faces as fer2013.csv in a zip, and FER+'s table, with three rows more: an image without a face, which FER+
    gives no name, a test face that is the first training face, labelled happy, and a darker second one for validation."""
    faces, _ = read_fer2013(archive)
    order = np.argsort(faces.names)
    faces, stream = faces.where(order), io.StringIO()
    rows = csv.DictWriter(stream, ("emotion", "pixels", "Usage"))
    rows.writeheader()
    wall = np.random.default_rng(5).integers(0, 9, (48, 48))
    names = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for pixels, label, split in [
        *zip(faces.pixels, faces.labels, faces.splits, strict=True),
        (wall, 0, "train"), (faces.pixels[0], 3, "test"), ((faces.pixels[1] * 0.8).astype(np.uint8), 0, "validation"),
    ]:  # fmt: skip
        values = " ".join(map(str, pixels.ravel()))
        rows.writerow({"emotion": IDS.index(names[label]), "pixels": values, "Usage": USAGES[str(split)]})
    with zipfile.ZipFile(folder / "fer2013.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("fer2013.csv", stream.getvalue())
    columns = votes.read_text(encoding="utf-8").splitlines()[0].split(",")
    more = [{"Usage": "train", "Image name": "", "NF": 10}] + [
        {"Usage": split, "Image name": f"fer{number:07d}.png", "anger": 10}
        for number, split in enumerate(("test", "validation"), FACES)
    ]
    lines = [",".join(str(row.get(column, 0)) for column in columns) for row in more]
    text = "\n".join([*votes.read_text(encoding="utf-8").splitlines(), *lines]) + "\n"
    (folder / "fer2013new.csv.gz").write_bytes(gzip.compress(text.encode()))


def style_definition() -> dict:
    """A definition in DiceBear's form: a round head, two eyes, and a mouth that smiles or frowns."""

    def element(name: str, **attributes: str | dict) -> dict:
        given = {key.replace("_", "-"): value for key, value in attributes.items()}
        return {"name": name, "type": "element", "attributes": given}

    ink, skin = {"type": "color", "name": "ink"}, {"type": "color", "name": "skin"}
    eyes = [element("circle", cx=x, cy="40", r="5", fill=ink) for x in ("36", "64")]
    curves = {"smile": "M30 62 Q50 80 70 62", "frown": "M30 74 Q50 56 70 74"}
    line = {"fill": "none", "stroke": ink, "stroke_width": "4"}
    mouths = {name: {"elements": [element("path", d=d, **line)]} for name, d in curves.items()}
    whole = {"width": 100, "height": 100}
    mouth = {"name": "mouth", "type": "component", "attributes": {"transform": "translate(0 0)"}}
    return {
        "meta": {"license": {"name": "CC0 1.0", "text": "Made for a test, CC0 1.0"}, "creator": {"name": "Nobody"}},
        "canvas": {**whole, "elements": [element("circle", cx="50", cy="50", r="45", fill=skin), *eyes, mouth]},
        "attributes": {"fill": "none"},
        "components": {"mouth": {**whole, "variants": mouths}},
        "colors": {"skin": {"values": ["#ffcc99", "#ddaa77"]}, "ink": {"values": ["#000000"]}},
    }


def write_styles(folder: Path) -> None:
    (folder / "styles").mkdir()
    for name in STYLES:
        (folder / "styles" / f"{name}.json").write_text(json.dumps(style_definition()))
    rows = [f"{name},{shown}" for name in STYLES for shown in ("happy,mouth=smile", "sad,mouth=frown")]
    (folder / "recipes.csv").write_text("\n".join(["style,expression,components", *rows]) + "\n")


def write_ferg(folder: Path) -> None:
    random = np.random.default_rng(3)
    with zipfile.ZipFile(folder / "FERG_DB_256.zip", "w") as packed:
        for name in CHARACTERS:
            for word in ("anger", "joy"):
                image = cv2.imencode(".png", random.integers(0, 256, (64, 64, 3), np.uint8))[1].tobytes()
                packed.writestr(f"FERG_DB_256/{name}/{name}_{word}/{name}_{word}_1.png", image)


def write_facial_expressions(folder: Path) -> None:
    with zipfile.ZipFile(folder / "expressions.zip", "w") as packed:
        packed.write(ROOT / "static" / "samples" / "collins.jpg", "images/Eileen_Collins_0001.jpg")
        packed.writestr("data/legend.csv", "user.id,image,emotion\n1,Eileen_Collins_0001.jpg,HAPPINESS\n")


def as_comments(folder: Path) -> None:
    with gzip.open(folder / "goemotions.csv.gz", "wt", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["split", "text", "labels", "ekman"])
        for split in ("train", "dev", "test"):
            for label, ekman, text in COMMENTS * 3:
                table.writerow([split, text, label, ekman])


@pytest.fixture(scope="module")
def bare(committed, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A fresh clone without data, and the notebooks' run there."""
    folder = committed(tmp_path_factory.mktemp("bare"))
    done = subprocess.run([sys.executable, "-m", "scripts.docs.notebooks"], cwd=folder, capture_output=True, text=True)
    return folder, done


@pytest.fixture(scope="module")
def workspace(bare, published) -> Path:
    """The same clone after the documented command, on tiny data."""
    folder = bare[0]
    write_fer2013(*published, folder)
    write_styles(folder)
    write_ferg(folder)
    write_facial_expressions(folder)
    as_comments(folder)
    tiny_clips().save(folder / "speech.npz")
    line = re.search(r"^make notebooks.*$", DOCS, re.MULTILINE)[0].split()
    data = [
        f"SAMPLE={FACES}", "STYLES=styles", "RECIPES=recipes.csv", "FERG=FERG_DB_256.zip", "EXPRESSIONS=expressions.zip",
        "TEXTS=goemotions.csv.gz", "SPEECH=speech.npz",
    ]  # fmt: skip
    options = [f"TRAIN={sys.executable}", "-o", ".venv-train/.installed"]
    done = subprocess.run([*line, *data, *options], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(\w+): build/notebooks/\1\.ipynb, \d+ s$", done.stdout, re.MULTILINE) == list(NAMES)
    return folder


def results(folder: Path, name: str) -> tuple[str, list[np.ndarray]]:
    """Printed text and figures of an executed copy."""
    book = json.loads((folder / "build" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    assert all(cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code")
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    encoded = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return printed, [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in encoded]


def has_figures(figures: list[np.ndarray], count: int) -> bool:
    """True if there are `count` figures and none is blank."""
    return len(figures) == count and all(figure.std() > 5 for figure in figures)


@pytest.mark.slow
def test_human_faces(workspace):
    printed, figures = results(workspace, "Human_Face_Data_Cleanup")
    assert has_figures(figures, 10)
    assert f"dropped: 1 of {FACES + 3}; kept: {FACES + 2}" in printed
    assert "1 faces repeat another pixel for pixel: 1 of validation and test are in an earlier split too" in printed
    assert "1 pictures are there more than once, 1 of them under different labels" in printed
    assert "held-out faces with a twin in training: 1 exact, 1 more above 0.98" in printed
    assert f"1 labels ({1 / (FACES + 2):.1%}) are contradicted by nine raters in ten" in printed
    assert f"of those {(FACES + 1) / (FACES + 2):.1%} bear it as label" in printed
    faces = Faces.load(workspace / "data" / "notebooks" / "human.npz")  # rejects pickles
    assert len(faces) == FACES and set(faces.raters) == {10.0} and set(faces.groups) == {""}
    assert f"{FACES} faces (train {len(faces.split('train'))}, validation" in printed
    assert len(Faces.load(workspace / "data" / "notebooks" / "expressions.npz")) == 1 and "1 people" in printed


@pytest.mark.slow
def test_drawn_faces(workspace):
    printed, figures = results(workspace, "Animated_Face_Cleanup")
    assert has_figures(figures, 11)
    faces = Faces.load(workspace / "data" / "notebooks" / "drawn.npz")
    assert len(faces) == FACES and np.bincount(faces.labels, minlength=7).tolist() == [0, 0, 0, 42, 0, 42, 0]
    assert all(split_of(group) == split for group, split in zip(faces.groups, faces.splits, strict=True))
    assert "Made for a test" in (workspace / "data" / "notebooks" / "drawn-ATTRIBUTION.md").read_text(encoding="utf-8")
    ferg = Faces.load(workspace / "data" / "notebooks" / "ferg.npz")
    assert set(ferg.split("test").groups) == {"ray"} and len(ferg) == 12 and "12 faces; test is ray, validation aia" in printed


@pytest.mark.slow
def test_characters_are_rendered_for_those_without_ferg(workspace, tmp_path, monkeypatch):
    """With the head model, the notebook shows a look-alike of FERG-DB, alone or beside it, each under its name."""
    heads = shared("heads", "ict_facekit.npz")
    for name, value in {"SAMPLE": str(FACES), "STYLES": "styles", "RECIPES": "recipes.csv", "HEADS": str(heads)}.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "scripts.docs.notebooks", "Animated_Face_Cleanup"]
    subprocess.run(command, cwd=workspace, check=True)
    printed, figures = results(workspace, "Animated_Face_Cleanup")
    if "no look-alike: no OpenGL" in printed:
        pytest.skip("this machine has no EGL to render with")
    assert has_figures(figures, 11) and "no FERG-DB: FERG names no archive" in printed
    assert "look-alike of FERG-DB, rendered here: some faces of each expression" in printed
    lookalike = Faces.load(workspace / "data" / "notebooks" / "ferg-lookalike.npz")
    assert set(lookalike.sources) == {"heads"} and set(lookalike.groups) == set(CHARACTERS) and len(lookalike) == FACES
    medians = dict(re.findall(r"(\w+) (0\.\d{3})", printed.split("each character held out in turn: ")[1].splitlines()[0]))
    assert set(medians) == set(CHARACTERS) and all(0.3 < float(value) < 0.99 for value in medians.values())
    monkeypatch.setenv("FERG", "FERG_DB_256.zip")
    subprocess.run([*command, "--out", str(tmp_path)], cwd=workspace, check=True)
    (tmp_path / "build" / "notebooks").mkdir(parents=True)
    shutil.move(tmp_path / "Animated_Face_Cleanup.ipynb", tmp_path / "build" / "notebooks")
    printed, figures = results(tmp_path, "Animated_Face_Cleanup")
    assert has_figures(figures, 14) and "FERG-DB: some faces of each expression" in printed


@pytest.mark.slow
def test_heads_are_trained_exported_and_evaluated(workspace):
    printed, figures = results(workspace, "Emotion_Detection")
    assert has_figures(figures, 7)
    run, models = workspace / "data" / "notebooks" / "run", workspace / "data" / "notebooks" / "models"
    faces = Faces.load(run / "faces.npz")
    with np.load(run / "features.npz", allow_pickle=False) as stored:
        width = ModelRegistry().entry("expression-base").metadata["output"]
        assert stored["plain"].shape == stored["mirrored"].shape == (FACES, width) and stored["plain"].std() > 0
    assert all((run / f"head-{name}.keras").is_file() for name in ("fer2013", "ferplus", "mixed"))
    registry, test = ModelRegistry(models), faces.split("test")
    registry.verify()
    served = ExpressionClassifier(registry, "mixed")
    logits = served.logits(served.features(test.pixels))
    matrix = metrics.confusion(test.labels, logits.argmax(axis=1))
    assert f"head mixed, {len(test)} test faces: accuracy {metrics.accuracy(matrix):.2%}" in printed
    assert f"macro-F1 {metrics.macro_f1(matrix):.3f}" in printed
    assert re.search(r"after the last epoch: train loss [\d.]+, train accuracy [\d.]+, validation loss", printed)
    assert re.search(r"human called drawn: [\d.]+%, drawn called human: [\d.]+%", printed)
    shipped = ModelRegistry(ROOT / "models").entry("expression-base").metadata
    assert f"base from models/{shipped['file']}" in printed
    assert (workspace / "models" / "manifest.json").read_bytes() == (ROOT / "models" / "manifest.json").read_bytes()


@pytest.mark.slow
def test_photo_result_is_that_of_the_library(workspace):
    printed, figures = results(workspace, "Emotion_Prediction")
    assert has_figures(figures, 8)
    result = FaceAnalyzer(head="mixed").analyze(open_image(ROOT / "static" / "samples" / "collins.jpg"))
    assert f"face 0: {result.faces[0].emotion} {result.faces[0].confidence:.1%}" in printed


@pytest.mark.slow
def test_texts_are_evaluated_and_explained(workspace):
    printed, figures = results(workspace, "Text_Emotion")
    assert has_figures(figures, 2) and "test: 21 texts" in printed and "python -m scripts.text.prepare" in printed
    assert float(re.search(r"test: macro-F1 (0\.\d+|1\.0+)", printed)[1]) > 0.9
    assert "'Ich freue mich so sehr darauf!': other_language" in printed and "love +" in printed


@pytest.mark.slow
def test_speech(workspace):
    printed, figures = results(workspace, "Speech_Emotion")
    assert has_figures(figures, 3)
    assert re.search(r"ravdess, 84 clips: mean recall [\d.]+%, guessing gives 14.3%", printed)
    assert "steady_noise: not_speech" in printed and "1058 features per window" in printed


@pytest.mark.slow
def test_message_for_missing_data_names_its_source(bare):
    folder, done = bare
    assert done.returncode == 1
    messages = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert messages["Human_Face_Data_Cleanup"].startswith(
        "fer2013.zip does not exist. `python -m scripts.data.fetch fer2013` gets"
    )
    assert messages["Animated_Face_Cleanup"].startswith(
        "data/sources/dicebear does not exist. `python -m scripts.data.fetch dicebear`"
    )
    assert messages["Emotion_Detection"].startswith("data/notebooks/human.npz does not exist. Run the notebook Human_Face")
    assert (
        re.fullmatch(r"build/notebooks/Emotion_Prediction\.ipynb, \d+ s", messages["Emotion_Prediction"]) and len(messages) == 6
    )
    assert messages["Text_Emotion"] == "skipped, data/goemotions.csv.gz does not exist (for another path set TEXTS=...)"
    assert messages["Speech_Emotion"] == "skipped, data/speech.npz does not exist (for another path set SPEECH=...)"


def error_lines(path: Path) -> list[str]:
    """Lines of the error in an executed copy."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (error,) = [output for cell in cells for output in cell.get("outputs", ()) if output["output_type"] == "error"]
    return error["traceback"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"PHOTO": "nowhere.jpg"}, "nowhere.jpg does not exist. It must be a picture file. For another path set "),
        ({"PHOTO": "README.md"}, None),  # the library's message
        ({"PHOTO": "wall.png"}, "No face was found in wall.png."),
    ],
)
def test_expected_errors_have_no_traceback(setting, message, bare, tmp_path, monkeypatch):
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    cv2.imwrite(str(bare[0] / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    command = [sys.executable, "-m", "scripts.docs.notebooks", "Emotion_Prediction", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=bare[0], capture_output=True, text=True)
    (line,) = error_lines(tmp_path / "Emotion_Prediction.ipynb")
    assert done.returncode == 1 and line.startswith("Stopped: ") and "\n" not in line and len(line) < 200
    assert done.stdout == f"Emotion_Prediction: {line.removeprefix('Stopped: ')}\n"
    assert message is None or message in line


# Committed notebooks


def test_committed_notebooks_have_no_results_and_no_absolute_paths():
    for name, book in committed_notebooks().items():
        assert book["metadata"] == METADATA and (book["nbformat"], book["nbformat_minor"]) == (4, 5)
        ids = [cell["id"] for cell in book["cells"]]
        assert len(set(ids)) == len(ids) and all(not cell["metadata"] for cell in book["cells"])
        for cell in book["cells"]:
            assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)
        text = (ROOT / "scripts" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|work|tmp|Users|root|mnt)/", text) and len(text) < 100_000


def test_no_notebook_uses_pickle():
    for book in committed_notebooks().values():
        code = "\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
        assert not re.search(r"import (c?pickle|joblib|dill|shelve)|\bpickle\.|joblib\.|torch\.load|allow_pickle=True", code)
        compile(code, "notebook", "exec")


def test_text_and_speech_notebooks_are_skipped_without_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [name for name in NAMES if skip_reason(name)] == ["Text_Emotion", "Speech_Emotion"]
    assert "data/speech.npz does not exist" in skip_reason("Speech_Emotion")
    (tmp_path / "comments.csv.gz").touch()
    monkeypatch.setenv("TEXTS", "comments.csv.gz")
    assert [name for name in NAMES if skip_reason(name)] == ["Speech_Emotion"]


@pytest.mark.slow
def test_clear_restores_the_committed_notebooks(workspace):
    for name in NAMES:
        shutil.copy(workspace / "build" / "notebooks" / f"{name}.ipynb", workspace / "scripts" / "notebooks")
    subprocess.run([sys.executable, "-m", "scripts.docs.notebooks", "--clear"], cwd=workspace, check=True)
    for name in NAMES:
        cleared, committed = (folder / "scripts" / "notebooks" / f"{name}.ipynb" for folder in (workspace, ROOT))
        assert cleared.read_bytes() == committed.read_bytes()
