"""What runs, and the bases that they begin from, are called in cards and in the table of experiments."""

from __future__ import annotations

from pathlib import Path

RUNS = Path(__file__).resolve().parents[2] / "runs"


def variant(run: Path) -> str:
    """What a run is called in the table of experiments: its folder's path in RUNS, elsewhere the folder's name."""
    run = run.resolve()
    return run.relative_to(RUNS).as_posix() if run.is_relative_to(RUNS) else run.name


def parent_name(start: str) -> str:
    """The row of the table of experiments that a run's base or a published one belongs to."""
    path = Path(start)
    return variant(path.parent) if path.suffix == ".keras" else path.stem


def parent_title(start: str) -> str:
    """What the base that a run begins from is called in cards and tables: a published one by its file, a run's by its run."""
    return ("the run " if Path(start).suffix == ".keras" else "") + parent_name(start)
