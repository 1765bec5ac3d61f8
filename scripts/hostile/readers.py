"""Hostile archives and tables against the readers of scripts/ and of model files, in processes with bounded memory.

    python -m scripts.hostile.readers FOLDER     (as `scripts.hostile` runs it) read every file; one JSON line each

An error in words (the exceptions that the readers document, or the exit status of a command) is right; any other exception, a
reader that takes longer than some seconds and a process that ends are faults.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from ..deploy.appengine import ROOT
from .campaign import Outcome
from .inputs import build, seeds
from .verdicts import SLOW_SECONDS

MAX_DATA_BYTES = 2**31
"""Memory of a reading process."""
TIMEOUT = 60.0


def run(seed: int, numbers: Iterable[int]) -> list[Outcome]:
    """Read the archives among `numbers` of `seed`; returns their outcomes."""
    sent = {f"{one.number:06d}-{one.suffix}": one for number in numbers if (one := build(seed, number)).kind == "archive"}
    outcomes, left = [], sorted(sent)
    while left:
        with tempfile.TemporaryDirectory(prefix="hostile-") as name:
            for file in left:
                (Path(name) / file).write_bytes(sent[file].payload)
            lines, died = _read_in_process(Path(name))
        for line in lines:
            one = sent[line["file"]]
            outcomes.append(
                Outcome(one.number, one.kind, one.family, None, line["seconds"], tuple(line["faults"]), None, line["detail"])
            )
        left = left[len(lines) :]
        if left:
            one = sent[left.pop(0)]
            outcomes.append(Outcome(one.number, one.kind, one.family, None, 0.0, ("reader-died",), None, died))
    return outcomes


def _read_in_process(folder: Path) -> tuple[list[dict], str]:
    """Read the files of `folder` in a new process until it ends; returns its lines, and how it ended."""
    command = [sys.executable, "-m", "scripts.hostile.readers", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, errors = process.communicate(timeout=TIMEOUT + len(list(folder.iterdir())) * SLOW_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
    return [json.loads(line) for line in output.splitlines()], f"exit status {process.returncode}: {errors[-300:]}"


def commands(path: Path, out: Path) -> list[tuple[Callable[[], object], tuple[type[BaseException], ...]]]:
    """Return what reads a file of this name, with the exceptions that it may end with."""
    from emotions.errors import ModelFileError
    from emotions.runtime.manifest import ModelRegistry
    from emotions.text.classifier import ENGLISH_LIST, VOCABULARY_LIST, read_packed_list

    from ..data import pack, prepare
    from ..text import corpora

    def prepared(*words: object) -> tuple[Callable[[], object], tuple[type[BaseException], ...]]:
        return (lambda: prepare.main([str(word) for word in (*words, "--out", out / "table.npz")])), (SystemExit,)

    name = path.name.partition("-")[2]
    if name == "manifest.json":
        folder = out / "models"
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder / "manifest.json")
        registry = ModelRegistry(folder)
        return [
            (lambda: registry.manifest, (ModelFileError,)),
            (registry.entries, (ModelFileError,)),
            (registry.verify, (ModelFileError,)),
        ]
    if name.endswith(".tflite"):
        lists = (VOCABULARY_LIST, ENGLISH_LIST)
        return [(partial(read_packed_list, path.read_bytes(), given), (ModelFileError,)) for given in lists]
    if name.endswith(".npz"):
        packed = (lambda: pack.main([str(path), "--out", str(out / "packed")])), (SystemExit,)
        return [prepared("join", path, path), packed]
    good = good_faces(out)
    if name.startswith("labels."):
        return [prepared("folders", "--faces", good, "--labels", path, "--crop", "whole")]
    found = [prepared("fer2013", "--faces", path)]
    if ".csv" in name:
        found.append(prepared("fer2013", "--faces", good, "--votes", path))
    else:
        found += [prepared(kind, "--faces", path, "--crop", "whole") for kind in ("folders", "facial_expressions", "ferg")]
    if name.endswith(".gz") and ".csv" in name:
        found += [
            (lambda: corpora.read_goemotions(path), (corpora.CorpusError,)),
            (lambda: corpora.read_meld(path), (corpora.CorpusError,)),
        ]
    return found


def good_faces(out: Path) -> Path:
    """Return an archive of two faces in class folders."""
    path = out / "good.zip"
    if not path.exists():
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("train/angry/fer0000000.png", "test/happy/fer0000001.png"):
                archive.writestr(name, seeds.image("bits.png"))
    return path


def read_file(path: Path, out: Path) -> dict:
    """Read one file with everything that reads such files; returns its line."""
    faults, details, started = [], [], time.perf_counter()
    for read, expected in commands(path, out):
        before = time.perf_counter()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                read()
        except expected:
            pass
        except BaseException as error:
            faults.append("traceback")
            frames = traceback.extract_tb(error.__traceback__)
            last = next((frame for frame in reversed(frames) if frame.filename.startswith(f"{ROOT}/scripts/data")), frames[-1])
            details.append(f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}: {error}"[:300])
        if time.perf_counter() - before > SLOW_SECONDS:
            faults.append("reader-slow")
    seconds = time.perf_counter() - started
    return {"file": path.name, "faults": sorted(set(faults)), "detail": "; ".join(details), "seconds": round(seconds, 3)}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        for path in sorted(Path(sys.argv[1]).iterdir()):
            print(json.dumps(read_file(path, Path(name))), flush=True)


if __name__ == "__main__":
    main()
