"""Requirements files: compiled from the extras of pyproject.toml, pinned with hashes, consistent with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FILES = {extra: "requirements.txt" if extra == "server" else f"requirements-{extra}.txt" for extra in EXTRAS if extra != "bucket"}


def entries(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> (version, hashes) of a requirements file."""
    found = {}
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    for block in re.split(r"\n(?=\S)", "\n".join(lines)):
        package, version = re.match(r"([\w.-]+)==([^\s;]+)", block).groups()
        assert package not in found, f"{name} pins {package} twice"
        found[package] = (version, re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
    return found


def wanted(extra: str) -> list[Requirement]:
    """Requirements of an extra, with those of included extras and of the library."""
    collected = [Requirement(line) for line in PROJECT["dependencies"]]
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == PROJECT["name"]:
            collected += [each for name in requirement.extras for each in wanted(name)]
        else:
            collected.append(requirement)
    return collected


def test_extras_and_files_correspond():
    assert {path.name for path in ROOT.glob("requirements*.txt")} == set(FILES.values())


@pytest.mark.parametrize("extra", FILES)
def test_files_pin_their_extra_with_hashes(extra):
    pinned = entries(FILES[extra])
    assert all(hashes for _, hashes in pinned.values())
    for requirement in wanted(extra):
        version, _ = pinned[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, f"{FILES[extra]} has {version} for {requirement}: run make requirements"


@pytest.mark.parametrize("extra", FILES)
def test_versions_agree_with_the_server(extra):
    server, pinned = entries("requirements.txt"), entries(FILES[extra])
    assert {name: pinned[name][0] for name in server.keys() & pinned.keys()} == {
        name: server[name][0] for name in server.keys() & pinned.keys()
    }


@pytest.mark.parametrize("name", FILES.values())
def test_files_contain_no_registry_and_no_path(name):
    assert not re.search(
        r"https?://|file:|--(index|extra-index|find-links)|(?<!\w)/\w", (ROOT / name).read_text(encoding="utf-8")
    )
