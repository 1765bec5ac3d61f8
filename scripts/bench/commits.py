"""Compare the time of a photo's stages between commits, each with its own code and models, in one run.

    python -m scripts.bench.commits 2481789 HEAD    # the code and models of version 1.4.0, and the checked-out commit

A process for each commit analyzes a photo with one face on one core; they take turns. Ratios are to the first commit:
milliseconds depend on the machine and its load. Commits have to offer `emotions.analyze_photo`, or `read_photo` as it was called
before.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..common.markdown import table

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "emotions" / "face" / "warm_up.jpg"
STAGES = ("decode", "detect", "classify")
ROUNDS, PHOTOS = 30, 15
CHILD = """
import json, os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
import emotions
analyze = getattr(emotions, "read_photo", None) or emotions.analyze_photo
photo = open(sys.argv[1], "rb").read()
for line in sys.stdin:
    print(json.dumps([analyze(photo).timing_ms for _ in range(int(line))]), flush=True)
"""
"""Analyzes a photo as often as each line of its input says and prints the times."""


def checkout(commit: str, folder: Path) -> Path:
    """Write library and models of a commit to a folder. Raises ValueError if there is no such commit, OSError without git."""
    command = ["git", "archive", "--format=zip", "--end-of-options", commit, "emotions", "models"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    if done.returncode:
        raise ValueError(done.stderr.decode(errors="replace").strip())
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return folder


def measure(folders: Sequence[Path], rounds: int = ROUNDS, photos: int = PHOTOS) -> np.ndarray:
    """Time the stages of a photo with the code of several folders in turn.

    Args:
        folders: folders with a package `emotions` and its models.
        rounds: rounds, in each of which every folder has its turn.
        photos: analyses of a turn, of which the fastest counts, for each stage by itself.

    Returns:
        Milliseconds (rounds, folders, STAGES).

    Raises:
        ValueError: if the code of a folder cannot analyze a photo with the packages that are installed.
    """
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", CHILD, str(PHOTO)],
                    cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                )
            )
            for folder in folders
        ]  # fmt: skip

        def turn(child: subprocess.Popen[str]) -> list[float]:
            assert child.stdin and child.stdout
            child.stdin.write(f"{photos}\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                raise ValueError(f"the code of {folders[children.index(child)].name} analyzes no photo here")
            times = json.loads(line)
            return [min(one[stage] for one in times) for stage in STAGES]

        for child in children:
            turn(child)  # loads the models
        return np.array([[turn(child) for child in children] for _ in range(rounds)])


def report(commits: Sequence[str], times: np.ndarray) -> str:
    """Markdown table of medians over rounds, and of the medians of the ratios to the first commit in the same round."""
    middle, ratios = np.median(times, axis=0), np.median(times / times[:, :1], axis=0)
    rows = [
        [commit, *(f"{ms:.2f} ms ({ratio:.2f}x)" for ms, ratio in zip(*cells, strict=True))]
        for commit, *cells in zip(commits, middle, ratios, strict=True)
    ]
    return table(("commit", *STAGES), "lr", rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="+", help="commits, the first of which the ratios refer to")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            folders = [checkout(commit, Path(folder, commit.replace("/", "-"))) for commit in options.commits]
            print(report(options.commits, measure(folders, options.rounds)))
        except (ValueError, OSError) as error:
            parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
