"""README's commands that rebuild the models, run in a copy of the tree on tiny data."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.datasets import Faces

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def tree(published, configured, committed, tmp_path_factory) -> Path:
    """The files that git would commit, with the published data under the names that README uses."""
    folder = committed(tmp_path_factory.mktemp("tree"))
    shutil.copy(published[0], folder / "fer2013.zip")
    (folder / "fer2013new.csv.gz").write_bytes(gzip.compress(published[1].read_bytes()))
    (folder / "tiny.toml").write_text(configured("data/fer2013.npz", 1))
    return folder


def make(tree: Path, line: str, *options: str) -> str:
    """A `make` line of README, with this interpreter in the place of the environments that it would install."""
    python = f"TRAIN={sys.executable}", f"TEST={ROOT / '.venv-test' / 'bin' / 'python'}"
    skip = [option for name in (".venv-train", ".venv-test") for option in ("-o", f"{name}/.installed")]
    done = subprocess.run(["make", *line.split()[1:], *options, *python, *skip], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(name: str) -> str:
    return re.search(rf"^make {name}.*$", README, re.MULTILINE)[0]


def test_train_export_and_verify(tree):
    make(tree, command("train"), "CONFIG=tiny.toml")
    make(tree, command("export"))
    entries = json.loads((tree / "models" / "manifest.json").read_text())["models"]
    assert {entry["version"] for entry in entries if entry["role"].startswith("expression")} == {"2.0.0"}
    assert "2.0.0" in (tree / "models" / "vgg16-2.0.0.md").read_text()
    assert "as published" in make(tree, command("verify-model"))


def test_other_data_sets_are_prepared(tree):
    samples = ROOT / "static" / "samples"
    with zipfile.ZipFile(tree / "facial_expressions.zip", "w") as archive:
        archive.write(samples / "collins.jpg", "images/Eileen_Collins_0001.jpg")
        archive.writestr("data/legend.csv", "user.id,image,emotion\n1,Eileen_Collins_0001.jpg,HAPPINESS\n")
    (tree / "my-faces" / "laughing").mkdir(parents=True)
    shutil.copy(samples / "obama.jpg", tree / "my-faces" / "laughing")
    (tree / "labels.toml").write_text('laughing = "happy"\n')
    lines = re.findall(r"^\.venv-test/bin/python (-m scripts\.prepare .*)$", README, re.MULTILINE)
    for line in lines:
        subprocess.run([sys.executable, *line.split()], cwd=tree, check=True)
    prepared = Faces.load(tree / "data" / "facial_expressions.npz"), Faces.load(tree / "data" / "my-faces.npz")
    assert len(lines) == 2 and [table.labels.tolist() for table in prepared] == [[3], [3]]
