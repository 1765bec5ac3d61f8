"""License, changelog, citation and templates: consistent versions, valid links and paths."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PAPERS = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "models/LICENSE.md", ".github/PULL_REQUEST_TEMPLATE.md"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_code_is_under_the_mit_license():
    assert read("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 Emotion Detector contributors\n")


def test_versions_agree():
    citation = yaml.safe_load(read("CITATION.cff"))
    released = re.findall(r"^### (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", CHANGELOG.partition("## Models")[0], re.MULTILINE)
    assert released[0] == (citation["version"], str(citation["date-released"]))
    assert "version" not in PROJECT or PROJECT["version"].partition(".dev")[0] >= released[0][0]
    assert citation["license"] == "MIT" and citation["cff-version"] == "1.2.0" and citation["authors"] and citation["message"]


def test_changelog_lists_the_bundled_models():
    sections = re.split(r"^### ", CHANGELOG.partition("## Models")[2], flags=re.MULTILINE)[1:]
    for entry in json.loads(read("models/manifest.json"))["models"]:
        name = "vgg16" if entry["role"].startswith("expression") else entry["name"]
        (section,) = [section for section in sections if f"`{name}`" in section.splitlines()[0]]
        assert re.search(rf"^#### {re.escape(entry['version'])} - ", section, re.MULTILINE), f"{name} {entry['version']}"


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_issue_forms_are_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form["blank_issues_enabled"] in (True, False)
        return
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert ids and len(ids) == len(set(ids))
    assert {field["type"] for field in form["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}


@pytest.mark.parametrize("name", PAPERS)
def test_links_are_valid(name):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", read(name)):
        assert ((ROOT / name).parent / target).exists(), f"{name}: {target}"


@pytest.mark.parametrize(
    "name", [*PAPERS, "README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_mentioned_files_exist(name):
    """Paths of the repository in backquotes."""
    if name == "CHANGELOG.md":
        return  # names what was, too
    for path in re.findall(
        r"`((?:emotions|web|scripts|tests|templates|static|docs|models|benchmarks|examples)/[\w./-]*)`", read(name)
    ):
        assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.parametrize(
    "name", [*PAPERS, "README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_mentioned_modules_and_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for module in re.findall(r"-m (scripts[\w.]*)|`(scripts\.[\w.]+)`", read(name)):
        place = ROOT / (module[0] or module[1]).rstrip(".").replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), f"{name}: {module}"
    for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", read(name), re.MULTILINE):
        assert target in targets, f"{name}: make {target}"
