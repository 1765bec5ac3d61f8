"""Run the notebooks of this folder from top to bottom, each into a copy with its results; the notebooks themselves stay empty.

    python -m scripts.docs.notebooks                                     # all, into build/notebooks/
    SAMPLE=500 FACES=fer2013.zip python -m scripts.docs.notebooks Human_Face_Data_Cleanup
    python -m scripts.docs.notebooks --clear                             # empty notebooks that an editor filled

Settings are environment variables, which every notebook names at its top. The copies show faces of data sets that must not be
passed on: keep them to yourself.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path
from typing import overload

from emotions.errors import ImageError, ModelFileError

from ..data.dataset import DatasetError
from ..text.corpora import CorpusError

NAMES = (
    "Human_Face_Data_Cleanup", "Animated_Face_Cleanup", "Emotion_Detection", "Emotion_Prediction", "Text_Emotion",
    "Speech_Emotion",
)  # fmt: skip
"""In this order each finds what the one before it wrote; the last two are about texts and voices and need none of them."""
ASIDE = {"Text_Emotion": ("TEXTS", "data/goemotions.csv.gz"), "Speech_Emotion": ("SPEECH", "data/speech.npz")}
"""Notebooks about other data than faces -> the setting that names these and where they lie: not run unasked without them."""
HERE = Path(__file__).resolve().parents[1] / "notebooks"
SHORT = (ModelFileError, CorpusError, DatasetError, ImageError)
"""Errors whose message says all that a reader needs."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""What a committed notebook says of its kernel: no version, no place."""


def begin() -> None:
    """In a notebook's first cell: quiet TensorFlow, and show the errors of SHORT as one sentence instead of a traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its logs fill pages; errors still show
    logging.getLogger("tensorflow").addFilter(lambda record: record.levelno >= logging.ERROR)
    for kind in SHORT:
        setattr(kind, "_render_traceback_", lambda error: [f"Stopped: {error}"])  # noqa: B010  IPython asks an exception for this


@overload
def setting(name: str, default: str) -> Path: ...


@overload
def setting(name: str, default: None = None) -> Path | None: ...


def setting(name: str, default: str | None = None) -> Path | None:
    """The path that an environment variable names, or `default`; an empty variable counts as none."""
    text = os.environ.get(name) or default
    return Path(text).expanduser() if text else None


def needed(name: str, default: str, how: str) -> Path:
    """As `setting`; DatasetError, which says how to get the data, where nothing is there."""
    path = setting(name, default)
    if not path.exists():
        raise DatasetError(f"{path} is not there. {how} If it lies elsewhere, name it: {name}=...")
    return path


def first_of(*paths: str) -> str:
    """The first of several paths at which something is, or else the first."""
    return next((path for path in paths if Path(path).exists()), paths[0])


def sample_size() -> int | None:
    """The setting SAMPLE: how many faces to work on, None (nothing set, or 0) for all."""
    text = os.environ.get("SAMPLE", "").strip() or "0"
    if not text.isdecimal():
        raise DatasetError(f"SAMPLE={text}: a whole number of faces expected, 0 for all.")
    return int(text) or None


def left_out(name: str) -> str:
    """Why a notebook is not run where none is named; empty if it is."""
    if name not in ASIDE or (path := setting(*ASIDE[name])).exists():
        return ""
    return f"{path} is not there (if it lies elsewhere: {ASIDE[name][0]}=...)"


def execute(name: str, out: Path) -> str | None:
    """Run a notebook and write out/<name>.ipynb with its results; gives None, or what stopped it."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    book = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    client = NotebookClient(book, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(HERE)}})
    client.extra_arguments = ["--IPKernelApp.log_level=40"]  # errors: it warns of unencrypted talk with itself
    stopped = None
    try:
        client.execute()
    except CellExecutionError as error:
        short = error.ename in {kind.__name__ for kind in SHORT}
        stopped = error.evalue if short else str(error)
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, out / f"{name}.ipynb")
    return stopped


def clear(path: Path) -> None:
    """Take results, counters and an editor's notes out of a notebook."""
    import nbformat

    book = nbformat.read(path, as_version=4)
    book.metadata = nbformat.from_dict(METADATA)
    for cell in book.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(book, path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; all where none is named")
    parser.add_argument("--out", type=Path, default=Path("build/notebooks"), help="folder of the copies with results")
    parser.add_argument("--clear", action="store_true", help="empty the notebooks instead of running them")
    options = parser.parse_args(arguments)
    names = [Path(name).stem for name in options.names] or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no notebook {', '.join(unknown)}; there is: {', '.join(NAMES)}")
    failed = False
    for name in names:
        if options.clear:
            clear(HERE / f"{name}.ipynb")
            continue
        if not options.names and (reason := left_out(name)):
            print(f"{name}: left out, {reason}", flush=True)
            continue
        begun = time.monotonic()
        stopped = execute(name, options.out)
        seconds = time.monotonic() - begun
        print(f"{name}: {stopped or f'{options.out / name}.ipynb, {seconds:.0f} s'}", flush=True)
        failed |= stopped is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
