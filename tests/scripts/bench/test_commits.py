"""Times of earlier commits are those of their own code and models."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from scripts.bench import commits

ROOT = commits.ROOT


@pytest.fixture(scope="module")
def repository():
    """The checked-out commit has to be in a repository."""
    if not shutil.which("git") or subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("no git repository here")


@pytest.mark.usefixtures("repository")
def test_commits_are_timed_in_turn(capsys):
    commits.main(["HEAD", "HEAD", "--rounds", "2"])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert "classify" in header and len(rows) == 2
    cells = [re.findall(r"([\d.]+) ms \(([\d.]+)x\)", row) for row in rows]
    assert all(len(row) == len(commits.STAGES) and all(float(ms) > 0 for ms, _ in row) for row in cells)
    assert all(ratio == "1.00" for _, ratio in cells[0])


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("commit", ["no-such-commit", "--output=x"])
def test_unknown_commits_are_reported(commit, tmp_path):
    with pytest.raises(ValueError, match="no-such-commit|output=x"):
        commits.checkout(commit, tmp_path)
    assert not list(ROOT.glob("x"))


def test_code_that_analyzes_no_photo_is_reported(tmp_path):
    package = tmp_path / "older" / "emotions"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    with pytest.raises(ValueError, match="older analyzes no photo"):
        commits.measure([tmp_path / "older"], rounds=1)
