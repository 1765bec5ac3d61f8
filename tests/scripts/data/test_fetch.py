"""Downloads with git from a local repository, and messages for data sets that cannot be downloaded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from scripts.data import fetch
from scripts.data.dataset import DatasetError


def git(*arguments) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def published(tmp_path):
    """A bare repository of two commits with the settings of GitHub, and the first commit."""
    work, bare = tmp_path / "work", tmp_path / "published.git"
    git("init", "--quiet", work)
    for content in ("first", "second"):
        (work / "legend.csv").write_text(content)
        git("-C", work, "add", ".")
        git("-C", work, "commit", "--quiet", "-m", content)
    git("clone", "--quiet", "--bare", work, bare)
    for option in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git("-C", bare, "config", option, "true")
    return fetch.Repository(
        "a test", "none", f"file://{bare}", git("-C", work, "rev-parse", "HEAD~1"), "data.prepare ferg --faces {path}"
    )


@pytest.mark.parametrize("digits", [8, 40])
def test_a_repository_is_cloned_once_at_its_commit(published, tmp_path, digits):
    source = replace(published, commit=published.commit[:digits])
    folder = tmp_path / "sources" / "set"
    (tmp_path / "sources" / "set.partial").mkdir(parents=True)  # of a fetch that was cut short
    assert source.fetch(folder) == folder and (folder / "legend.csv").read_text() == "first"
    (folder / "mine.txt").write_text("kept")
    assert source.fetch(folder) == folder and (folder / "mine.txt").is_file()  # already here: nothing is done
    assert not (tmp_path / "sources" / "set.partial").exists()


def test_another_commit_is_rejected(published, tmp_path):
    published.fetch(tmp_path / "set")
    with pytest.raises(DatasetError, match="exists but is not"):
        replace(published, commit="0" * 40).fetch(tmp_path / "set")


def test_an_existing_folder_is_not_overwritten(published, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(DatasetError, match="move it away"):
        published.fetch(tmp_path / "set")


@pytest.mark.parametrize("part", [{"url": "file:///nowhere.git"}, {"commit": "0" * 40}])
def test_a_failed_clone_leaves_no_folder(published, tmp_path, part):
    with pytest.raises(DatasetError, match="git (clone|checkout) failed"):
        replace(published, **part).fetch(tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_no_git(published, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetError, match="git is not installed"):
        published.fetch(tmp_path / "set")


def test_the_command_prints_the_next_step(published, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(fetch.SOURCES, "ferplus", published)
    fetch.main(["ferplus", "--folder", str(tmp_path)])
    assert f"Next: python -m scripts.data.prepare ferg --faces {tmp_path / 'ferplus'}" in capsys.readouterr().out


def test_all_are_listed_with_their_licence(capsys):
    fetch.main([])
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(fetch.SOURCES) and all(source.licence in out for source in fetch.SOURCES.values())


def test_ferg_is_available_on_request(capsys):
    with pytest.raises(SystemExit) as stop:
        fetch.main(["ferg"])
    assert stop.value.code == 1
    assert "form on https://grail.cs.washington.edu" in capsys.readouterr().err


def test_kaggle_without_its_client(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # as if it were not installed
    with pytest.raises(SystemExit) as stop:
        fetch.main(["fer2013", "--folder", str(tmp_path)])
    err = capsys.readouterr().err
    assert stop.value.code == 1 and "pip install kagglehub==" in err and "www.kaggle.com/competitions/challenges-in-rep" in err


def test_kaggle_without_an_account(tmp_path, monkeypatch):
    pytest.importorskip("kagglehub", reason="Kaggle's client is not installed: nothing but fetching needs it")
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    with pytest.raises(DatasetError, match="download from Kaggle failed.*kaggle.json"):
        fetch.SOURCES["fer2013"].fetch(tmp_path / "out")
