"""Command lines in reports give the same options again, without paths of a machine."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pytest

from scripts.common.commands import command_line


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    made.add_argument("--table", type=Path, default=Path("data/heads.npz"))
    made.add_argument("--folder", type=Path)
    made.add_argument("--counts", type=int, nargs="+", default=[5, 10])
    made.add_argument("-w", "--weight", type=float, default=0.3)
    made.add_argument("--name", default="mixed")
    made.add_argument("--busy", action="store_true")
    return made


def test_defaults_are_left_out(parser):
    assert command_line("scripts.evaluate.x", parser, parser.parse_args([])) == "python -m scripts.evaluate.x"
    same = ["--table", "data/heads.npz", "--counts", "5", "10", "--weight", "0.30"]
    assert command_line("scripts.evaluate.x", parser, parser.parse_args(same)) == "python -m scripts.evaluate.x"


def test_it_gives_the_same_options_again(parser):
    options = parser.parse_args(
        ["--table", "../tables/my heads.npz", "--counts", "7", "-w", "0.1234567", "--name", "it's", "--folder", "here", "--busy"]
    )
    line = command_line("scripts.evaluate.x", parser, options)
    assert "--weight 0.1234567" in line and "'../tables/my heads.npz'" in line
    assert parser.parse_args(shlex.split(line)[3:]) == options


def test_absolute_paths_are_shown_by_their_name(parser, tmp_path):
    line = command_line("x", parser, parser.parse_args(["--table", str(tmp_path / "a.npz"), "--folder", str(tmp_path / "b")]))
    assert line == "python -m x --table a.npz --folder b"
