"""Run the notebooks of scripts/notebooks/ and write copies with results; the notebooks themselves stay without results.

    python -m scripts.docs.notebooks                                     # all, into build/notebooks/
    SAMPLE=500 FACES=fer2013.zip python -m scripts.docs.notebooks Human_Face_Data_Cleanup
    python -m scripts.docs.notebooks --clear                             # remove results that an editor saved

Settings are environment variables, listed at the top of each notebook. The copies show faces of data sets that must not be
redistributed: do not publish them.
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
"""In order of their dependencies; the last two are about text and speech and independent of the others."""
OPTIONAL_DATA = {"Text_Emotion": ("TEXTS", "data/goemotions.csv.gz"), "Speech_Emotion": ("SPEECH", "data/speech.npz")}
"""Notebooks that are skipped by default without their data -> setting and default path of the data."""
FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
EXPECTED_ERRORS = (ModelFileError, CorpusError, DatasetError, ImageError)
"""Errors that are shown by their message, without traceback."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""Kernel metadata of a committed notebook, without version and path."""


def configure() -> None:
    """Set up a notebook in its first cell: hide TensorFlow's log, and show EXPECTED_ERRORS by their message."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors are still shown
    logging.getLogger("tensorflow").addFilter(lambda record: record.levelno >= logging.ERROR)
    for kind in EXPECTED_ERRORS:
        setattr(kind, "_render_traceback_", lambda error: [f"Stopped: {error}"])  # noqa: B010  IPython asks an exception for this


@overload
def setting(name: str, default: str) -> Path: ...


@overload
def setting(name: str, default: None = None) -> Path | None: ...


def setting(name: str, default: str | None = None) -> Path | None:
    """Return the path in an environment variable, or `default` if it is unset or empty."""
    text = os.environ.get(name) or default
    return Path(text).expanduser() if text else None


def require_path(name: str, default: str, how: str) -> Path:
    """Return the path of `setting`. Raises DatasetError with `how` (how to get the data) if it does not exist."""
    path = setting(name, default)
    if not path.exists():
        raise DatasetError(f"{path} does not exist. {how} For another path set {name}=...")
    return path


def first_existing(*paths: str) -> str:
    """Return the first existing path, or the first one if none exists."""
    return next((path for path in paths if Path(path).exists()), paths[0])


def sample_size() -> int | None:
    """Return the setting SAMPLE, the number of faces to use; None (unset or 0) for all."""
    text = os.environ.get("SAMPLE", "").strip() or "0"
    if not text.isdecimal():
        raise DatasetError(f"SAMPLE={text}: a whole number of faces expected, 0 for all.")
    return int(text) or None


def skip_reason(name: str) -> str:
    """Return why a notebook is skipped when all are run; empty if it is not."""
    if name not in OPTIONAL_DATA or (path := setting(*OPTIONAL_DATA[name])).exists():
        return ""
    return f"{path} does not exist (for another path set {OPTIONAL_DATA[name][0]}=...)"


def execute(name: str, out: Path) -> str | None:
    """Run a notebook and write out/<name>.ipynb with its results; returns None, or the error that stopped it."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = NotebookClient(book, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    client.extra_arguments = ["--IPKernelApp.log_level=40"]  # errors only: it warns of unencrypted local connections
    stopped = None
    try:
        client.execute()
    except CellExecutionError as error:
        short = error.ename in {kind.__name__ for kind in EXPECTED_ERRORS}
        stopped = error.evalue if short else str(error)
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, out / f"{name}.ipynb")
    return stopped


def clear(path: Path) -> None:
    """Remove results, execution counts and editor metadata from a notebook."""
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
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default: all")
    parser.add_argument("--out", type=Path, default=Path("build/notebooks"), help="folder of the copies with results")
    parser.add_argument("--clear", action="store_true", help="remove results from the notebooks instead of running them")
    options = parser.parse_args(arguments)
    names = [Path(name).stem for name in options.names] or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no notebook {', '.join(unknown)}; available: {', '.join(NAMES)}")
    failed = False
    for name in names:
        if options.clear:
            clear(FOLDER / f"{name}.ipynb")
            continue
        if not options.names and (reason := skip_reason(name)):
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        started = time.monotonic()
        stopped = execute(name, options.out)
        seconds = time.monotonic() - started
        print(f"{name}: {stopped or f'{options.out / name}.ipynb, {seconds:.0f} s'}", flush=True)
        failed |= stopped is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
