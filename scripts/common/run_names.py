"""Names of runs and of the backbones they are initialised from, as cards and the table of experiments write them."""

from __future__ import annotations

from pathlib import Path

RUNS = Path(__file__).resolve().parents[2] / "runs"


def run_name(run: Path) -> str:
    """Name of a run: the path of its folder relative to RUNS, or the folder's name outside of RUNS."""
    run = run.resolve()
    return run.relative_to(RUNS).as_posix() if run.is_relative_to(RUNS) else run.name


def parent_name(backbone: str) -> str:
    """Name of the run or published version that a backbone file belongs to."""
    path = Path(backbone)
    return run_name(path.parent) if path.suffix == ".keras" else path.stem


def parent_title(backbone: str) -> str:
    """Name of the initial backbone in cards and tables: "the run NAME", or the name of a published file."""
    return ("the run " if Path(backbone).suffix == ".keras" else "") + parent_name(backbone)
