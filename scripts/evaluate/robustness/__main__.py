"""Measure the served head and the package fer on pictures with 15 corruptions in 5 strengths: benchmarks/robustness.md.

    make robustness
    python -m scripts.evaluate.robustness --per-set 4 --out build/robustness.md     # a dry run

The sets are the London photographs, rendered heads of test families and FER2013's test faces; a balanced sample of each is
measured. fer runs in .venv-bench (`make .venv-bench/.installed`), the served model in the environment of this command. With 70
pictures a set it takes about 15 minutes of two cores.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from emotions.face.defaults import DEFAULT_HEAD
from emotions.runtime.manifest import BUNDLED

from ...common.commands import command_line
from ...common.git import commit
from ...data.dataset import DatasetError
from ..served.server import ServedError
from .corruptions import BY_NAME
from .measure import measure
from .pictures import SETS, load_sets
from .report import ALL_SETS, Report, write_report
from .summary import summarize
from .systems import FER_PYTHON, fer_system, served_system

MODULE = "scripts.evaluate.robustness"


def arguments_parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    parser = argparse.ArgumentParser(MODULE, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="sets to measure")
    parser.add_argument("--london", type=Path, default=Path("data/london"), help="folder of the photographs")
    parser.add_argument("--rendered", type=Path, default=Path("data/heads.npz"), help="made by `make heads`")
    parser.add_argument("--fer2013", type=Path, default=Path("data/fer2013.npz"), help="made by scripts.data.prepare")
    parser.add_argument("--corruptions", nargs="+", choices=BY_NAME, default=list(BY_NAME), metavar="NAME",
                        help=f"corruptions to measure: {', '.join(BY_NAME)}")  # fmt: skip
    parser.add_argument("--per-set", type=int, default=70, help="pictures of each set, the same number of each class")
    parser.add_argument("--seed", type=int, default=0, help="of samples, corruptions and bootstrap")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="folder of the manifest")
    parser.add_argument("--head", default=DEFAULT_HEAD, help="head to serve")
    parser.add_argument("--fer-python", type=Path, default=FER_PYTHON, help="interpreter of the environment with fer")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/robustness.md"))
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if options.per_set < 1:
        parser.error("--per-set is at least 1")
    corruptions = [BY_NAME[name] for name in options.corruptions]
    try:
        sets = load_sets({name: getattr(options, name) for name in SETS}, options.sets, options.per_set, options.seed)
        with fer_system(options.fer_python) as fer, served_system(options.models, options.head) as ours:
            answers = measure((ours, fer), sets, corruptions, options.seed)
    except (DatasetError, ServedError) as error:
        parser.exit(1, f"{error}\n")
    summaries = {one.title: summarize(answers, number, options.seed) for number, one in enumerate(sets) if len(sets) > 1}
    report = Report(
        command=command_line(MODULE, parser, options),
        date=f"{datetime.now():%Y-%m-%d}",
        commit=commit(),
        systems=[(system.title, system.version) for system in (ours, fer)],
        sizes={one.title: len(one) for one in sets},
        corruptions=corruptions,
        summaries={**summaries, ALL_SETS: summarize(answers, seed=options.seed)},
    )
    write_report(report, options.out)
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
