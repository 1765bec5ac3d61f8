"""`pip install .`: the wheel holds models and command and works without the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import emotions
from emotions import ModelRegistry

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Wheel built from a copy of its sources, since building writes into the source tree."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("emotions", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--wheel-dir",
        out,
        source,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.iterdir()
    return path


def test_wheel_holds_library_and_models(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = [archive.read(name).decode() for name in names if name.endswith("entry_points.txt")]
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "emotions").rglob("*.py")}
    models = {f"emotions/models/{entry.file}" for entry in ModelRegistry().entries()}
    assert code | models | {"emotions/models/manifest.json", "emotions/models/NOTICE.md", "emotions/face/warm_up.jpg"} <= names
    assert "emotions = emotions.cli:main" in entry_points and "emotions/py.typed" in names
    assert {name.rpartition("/licenses/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "models/LICENSE.md"}
    assert not [name for name in names if not name.startswith(("emotions/", "emotion_detector-"))]
    assert wheel.stat().st_size < 32 * 2**20


def test_version_and_licence_agree(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert f"\nVersion: {emotions.__version__}\n" in metadata and "\nLicense-Expression: MIT\n" in metadata
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {emotions.__version__}\n" in citation and "\nlicense: MIT\n" in citation
    assert "Copyright (c) 2026 Emotion Detector contributors" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_analyzes_a_photo_without_the_repository(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shutil.copy(ROOT / "static" / "samples" / "obama.jpg", tmp_path)
    start = "import sys, emotions.cli; print(emotions.__file__, file=sys.stderr); sys.exit(emotions.cli.main())"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-P", "-c", start, "photo", "obama.jpg"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert str(tmp_path) in done.stderr
    assert json.loads(done.stdout)["faces"][0]["emotion"] == "happy"


def test_dependencies_admit_the_versions_of_the_server():
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    for line in PROJECT["project"]["dependencies"]:
        wanted = Requirement(line)
        version = pinned[canonicalize_name(wanted.name)]
        (least,) = [part.version for part in wanted.specifier if part.operator == ">="]
        assert version in wanted.specifier and version.startswith(least), f"{line} while the server runs {version}"
