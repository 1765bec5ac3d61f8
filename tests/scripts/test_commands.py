"""The documented commands that rebuild the models, run in a copy of the tree on tiny data."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotions.runtime.manifest import ModelRegistry
from scripts.data.dataset import Faces

ROOT = Path(__file__).resolve().parents[2]
DOCS = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("training.md", "accuracy.md"))
OWN = {"Wut": "anger", "Ekel": "disgust", "Angst": "fear", "Freude": "happy", "neutral": "neutral", "Trauer": "sad",
       "Staunen": "surprise"}  # fmt: skip


@pytest.fixture(scope="module")
def tree(published, configured, committed, tmp_path_factory) -> Path:
    """The files that git would commit, with the published data under the names that docs/training.md uses."""
    folder = committed(tmp_path_factory.mktemp("tree"))
    shutil.copy(published[0], folder / "fer2013.zip")
    (folder / "fer2013new.csv.gz").write_bytes(gzip.compress(published[1].read_bytes()))
    (folder / "tiny.toml").write_text(configured("data/fer2013.npz", 1))
    return folder


def make(tree: Path, line: str, *options: str) -> str:
    """A documented `make` line, with this interpreter in the place of the environments that it would install."""
    python = f"TRAIN={sys.executable}", f"TEST={sys.executable}"
    skip = [option for name in (".venv-train", ".venv-test") for option in ("-o", f"{name}/.installed")]
    done = subprocess.run(["make", *line.split()[1:], *options, *python, *skip], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(name: str) -> str:
    return re.search(rf"^make {name}.*$", DOCS, re.MULTILINE)[0]


@pytest.mark.slow
def test_train_export_and_verify(tree):
    make(tree, command("train"), "CONFIG=tiny.toml")
    make(tree, command("export"))
    entries = json.loads((tree / "models" / "manifest.json").read_text())["models"]
    assert {entry["version"] for entry in entries if entry["role"].startswith("expression")} == {"3.0.0"}
    assert "3.0.0" in (tree / "models" / "vgg16-3.0.0.md").read_text()
    assert "as published" in make(tree, command("verify-model"))


def test_other_data_sets_are_prepared(tree):
    with zipfile.ZipFile(tree / "facial_expressions.zip", "w") as archive:
        archive.write(ROOT / "static" / "samples" / "collins.jpg", "images/Eileen_Collins_0001.jpg")
        archive.writestr("data/legend.csv", "user.id,image,emotion\n1,Eileen_Collins_0001.jpg,HAPPINESS\n")
    prepared = run_line(tree, prepare_lines("facial_expressions")[0])
    assert "written: data/facial_expressions.npz" in prepared
    assert Faces.load(tree / "data" / "facial_expressions.npz").labels.tolist() == [3]


@pytest.mark.slow
def test_own_images_are_trained_carded_and_served(tree, configured_small):
    own_images(tree / "my-faces")
    (tree / "labels.toml").write_text("\n".join(f'{name} = "{emotion}"' for name, emotion in OWN.items()))
    [line] = prepare_lines("folders")
    run_line(tree, line)
    table = Faces.load(tree / "data" / "my-faces.npz")
    assert set(table.sources) == {"my-faces"} and set(table.licences) == {"CC BY 4.0"} and not table.raters.any()
    (tree / "own.toml").write_text(configured_small("elsewhere.npz", 1))
    lines = [line for line in DOCS.splitlines() if line.startswith("make ") and "my-faces" in line]
    train, export, thresholds, serve = lines
    assert "written: runs/my-faces/base.keras" in make(tree, train, "CONFIG=own.toml")
    make(tree, export.partition(" EXTRA=")[0])
    make(tree, thresholds)
    card = (tree / "build" / "models" / "vgg16-1.0.0.md").read_text()
    counts = " | ".join(str(len(table.split(split))) for split in ("train", "validation", "test"))
    assert f"| my-faces | CC BY 4.0 | {counts} | base and heads |" in card
    assert "FER" not in card.partition("## Configuration")[0]
    [head] = [entry.metadata for entry in ModelRegistry(tree / "build" / "models").entries("expression-head")]
    assert head["name"] == head["truth"] == "my-faces" and head["licence"] == "trained on my-faces (CC BY 4.0)"
    assert head["evaluation"]["my-faces_test"]["count"] == head["doubts"]["my-faces_test"]["count"] == len(table.split("test"))
    assert "as published" in make(tree, "make verify-model TABLE=data/my-faces.npz MODELS=build/models")
    code = """if True:
        import json
        from web import create_app
        client = create_app().test_client()
        photo = open("static/samples/obama.jpg", "rb").read()
        answer = client.post("/api/v1/image", data=photo, content_type="image/jpeg").json
        pages = [client.get(path).status_code for path in ("/", "/about", "/api/v1/models")]
        print(json.dumps([answer["model"], len(answer["faces"]), sum(answer["faces"][0]["probabilities"].values()), pages]))
    """
    settings = dict(word.split("=") for word in serve.split()[2:])
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    model, faces, total, pages = json.loads(done.stdout.splitlines()[-1])
    assert model == {"name": "vgg16/my-faces", "version": "1.0.0"} and faces == 1 and total == pytest.approx(1, abs=1e-3)
    assert pages == [200, 200, 200]


def own_images(folder: Path) -> None:
    """Eight noisy copies of one portrait for each class, in folders with names of another language."""
    portrait = Image.open(ROOT / "tests" / "data" / "astronaut.jpg").convert("RGB").resize((256, 256))
    random = np.random.default_rng(0)
    for name in OWN:
        (folder / name).mkdir(parents=True)
        for number in range(8):
            noisy = np.asarray(portrait) + random.normal(0, 6, (256, 256, 3))
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")


def prepare_lines(kind: str) -> list[str]:
    return re.findall(rf"^\.venv-test/bin/python (-m scripts\.data\.prepare {kind} .*)$", DOCS, re.MULTILINE)


def run_line(tree: Path, line: str) -> str:
    return subprocess.run([sys.executable, *shlex.split(line)], cwd=tree, check=True, capture_output=True, text=True).stdout
