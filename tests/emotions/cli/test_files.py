"""Inputs that patterns match, and unused names for outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from emotions.cli import main
from emotions.cli.files import OutputFolder, expand

SAMPLE = Path(__file__).resolve().parents[3] / "static" / "samples" / "obama.jpg"
SUFFIXES = frozenset({".jpg"})


@pytest.mark.parametrize("name", ["what?.jpg", "*.jpg", "a[b.jpg", "[ab].jpg", "**"])
def test_a_broken_link_with_the_name_of_a_pattern_is_a_row(tmp_path, name):
    """It has the error of other broken links; the good files beside it are not affected."""
    for link in (name, "broken.jpg"):
        (tmp_path / link).symlink_to("/nonexistent")
    for good in ("a.jpg", "whatx.jpg"):
        (tmp_path / good).touch()
    found = expand([f"{tmp_path}/*"], SUFFIXES)
    errors = {Path(one.name).name: one.error.code if one.error else None for one in found}
    assert errors == {name: "file_not_found", "broken.jpg": "file_not_found", "a.jpg": None, "whatx.jpg": None}
    assert len(found) == len(errors)


def test_photos_beside_a_broken_link_with_the_name_of_a_pattern(tmp_path, capsys):
    (tmp_path / "what?.jpg").symlink_to("/nonexistent")
    (tmp_path / "a.jpg").symlink_to(SAMPLE)
    assert main(["photo", f"{tmp_path}/*.jpg", "--detector", "none", "--format", "jsonl"]) == 1
    printed = capsys.readouterr()
    rows = {Path(row["file"]).name: row for row in map(json.loads, printed.out.splitlines())}
    assert rows["what?.jpg"]["error"]["code"] == "file_not_found" and "faces" in rows["a.jpg"] and printed.err == ""


@pytest.mark.parametrize("name", ["what?.jpg", "[ab].jpg", "*"])
def test_a_pattern_that_is_the_name_of_a_broken_link_is_a_pattern(tmp_path, name):
    (tmp_path / name).symlink_to("/nonexistent")
    for other in ("a.jpg", "whatx.jpg"):
        (tmp_path / other).touch()
    found = expand([str(tmp_path / name)], SUFFIXES)
    matched = {"what?.jpg": {"whatx.jpg", name}, "[ab].jpg": {"a.jpg"}, "*": {"a.jpg", "whatx.jpg", name}}[name]
    assert {Path(one.name).name for one in found} == matched


def test_a_file_that_matches_a_pattern_is_not_standard_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-").touch()
    (one,) = expand(["*"], SUFFIXES)
    assert (one.name, one.path, one.is_stream) == ("-", Path("-"), False)
    assert expand(["-"], SUFFIXES)[0].is_stream


def test_unused_paths_are_numbered(tmp_path):
    for name in ("a-3.jpg", "b.jpg", "b-2.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "c.jpg").symlink_to("/nonexistent")
    folder = OutputFolder(tmp_path)
    words = (
        [("a", ".jpg")] * 4
        + [("a", ".svg"), ("b", ".jpg"), ("c", ".jpg"), ("a-2", ".jpg"), ("d-2", ".jpg")]
        + [("d", ".jpg")] * 3
    )
    assert [folder.unused_path(*one).name for one in words] == [
        "a.jpg", "a-2.jpg", "a-4.jpg", "a-5.jpg", "a.svg", "b-3.jpg", "c-2.jpg", "a-2-2.jpg", "d-2.jpg",
        "d.jpg", "d-3.jpg", "d-4.jpg",
    ]  # fmt: skip


def test_each_name_is_tried_once(tmp_path, monkeypatch):
    """Many files of one name: the names that are taken, by an earlier run and by this one, are not tried again for each."""
    looked, joined = list[object](), list[object]()

    class Folder(type(tmp_path)):
        def __truediv__(self, name):
            joined.append(name)
            return Path(self).joinpath(name)

    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: looked.append(path) or real(path))
    folder = OutputFolder(Folder(tmp_path))
    for number in range(1, 51):
        (tmp_path / ("a.jpg" if number == 1 else f"a-{number}.jpg")).touch()
    assert [folder.unused_path("a", ".jpg").name for _ in range(50)] == [f"a-{number}.jpg" for number in range(51, 101)]
    assert len(looked) == len(set(looked)) == 100 and len(joined) == len(set(joined)) == 100
