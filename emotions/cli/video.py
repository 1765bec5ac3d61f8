"""Read the faces of films: a row for each sampled picture (JSON) or for each face in it (CSV, table), as soon as it is read,
and at the end what each person showed. Sound is not used. The annotated film has the source's frames, at most 30 a second and
at most 1,024 pixels large, and no sound."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..face.analyzer import FaceAnalyzer
from ..labels import EMOTIONS
from ..video.analyzer import VideoAnalyzer
from ..video.reader import FPS, MIN_FPS, MAX_FPS, VideoReader
from ..video.timeline_chart import chart, clock
from ..video.writer import VideoWriter
from .files import Folder, Input, expand, whole
from .output import Output, Progress, Row, error_record, error_row
from .photo import flat

NAME, HELP = "video", "read the faces of films"
ENDINGS = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".3gp"))
COLUMNS = (
    "file", "time", "id", "left", "top", "width", "height", "emotion", "confidence", *EMOTIONS, "unsure", "error", "message",
)  # fmt: skip
TABLE = {"file": 28, "time": 9, "id": 4, "emotion": 9, "confidence": 10, "unsure": 14}
PEOPLE = (
    "file", "id", "first", "last", "frames", "emotion", *(f"share_{name}" for name in EMOTIONS), *EMOTIONS, "partial",
    "error", "message",
)  # fmt: skip
PEOPLE_TABLE = {"file": 28, "id": 4, "first": 9, "last": 9, "frames": 7, "emotion": 9, "partial": 10}


def describe(parser: argparse.ArgumentParser) -> None:
    rate = f"pictures a second to read ({MIN_FPS:g} to {MAX_FPS:g}, default {FPS:g})"
    parser.add_argument("--fps", type=_fps, default=FPS, help=rate)
    parser.add_argument("--summary", action="store_true", help="only what it comes to: a line a film, or a row a person")
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated films (MP4) into this folder")
    parser.add_argument("--chart", type=Path, metavar="DIR", help="write a timeline of each film (SVG) into this folder")


def _fps(text: str) -> float:
    value = float(text)
    if not MIN_FPS <= value <= MAX_FPS:
        raise argparse.ArgumentTypeError(f"must be from {MIN_FPS:g} to {MAX_FPS:g}")
    return value


def run(options: argparse.Namespace) -> int:
    """Read all films, one after the other; gives the exit code."""
    analyzer = FaceAnalyzer(head=options.head)
    analyzer.check_head()
    output = Output(options.format, *((PEOPLE, PEOPLE_TABLE) if options.summary else (COLUMNS, TABLE)))
    folders = {name: Folder(path) for name in ("annotate", "chart") if (path := getattr(options, name))}
    failed = 0
    for source in expand(options.files, ENDINGS):
        try:
            partial = _read(source, options, analyzer, output, folders)
        except Exception as error:  # a bad file is a row, never the end of the run
            partial = True
            record = error_record(source.name, error)
            output.write(record, [error_row(record)])
        failed += partial
    return 1 if failed else 0


def _read(source: Input, options: argparse.Namespace, analyzer: FaceAnalyzer, output: Output, folders: dict[str, Folder]) -> bool:
    """Read a film and write its rows and files; tells whether only a part could be read."""
    if source.error:
        raise source.error
    with ExitStack() as stack:
        film = stack.enter_context(VideoReader(stack.enter_context(_opened(source)), options.fps))
        video = VideoAnalyzer(film, detector=options.detector, landmarks=options.landmarks, analyzer=analyzer)
        progress = stack.enter_context(Progress(film.declared_duration, "s"))
        writer = written = None
        if "annotate" in folders:
            written = folders["annotate"].free(source.stem, ".mp4")
            writer = stack.enter_context(VideoWriter(stack.enter_context(whole(written))))
        for seen in video.results(every_frame=writer is not None):
            if writer:
                writer.add(seen.time, seen.annotated())
            if seen.sampled and not options.summary:
                progress.clear()
                record = {"file": source.name, **seen.to_json()}
                output.write(record, [{"file": source.name, "time": record["time"], **flat(face)} for face in record["faces"]])
            progress.show(seen.time, source.name)
    summary = video.summary()
    if written:
        summary["annotated"] = str(written)
    if "chart" in folders:
        drawn = folders["chart"].free(source.stem, ".svg")
        with whole(drawn) as temporary:
            temporary.write_text(chart(video.timeline, film.duration))
        summary["chart"] = str(drawn)
    output.write({"file": source.name, "summary": summary}, _people(source.name, summary) if options.summary else [])
    if options.format == "table" and not options.summary:
        _tell(summary)
    return bool(summary["partial"])


@contextmanager
def _opened(source: Input) -> Iterator[BinaryIO]:
    """The film as a file that can be wound back: what comes by standard input is kept in a temporary file meanwhile."""
    if source.path is not None:
        with source.path.open("rb") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
            yield file


def _people(name: str, summary: dict[str, Any]) -> list[Row]:
    """A row of PEOPLE for each person, one without where nobody was seen."""
    rows: list[Row] = []
    for person in summary["people"]:
        shares = {f"share_{emotion}": share for emotion, share in person["shares"].items()}
        most = max(EMOTIONS, key=person["shares"].__getitem__)
        rows.append({"file": name, **person, "emotion": most, **shares, **person["mean"], "partial": summary["reason"]})
    return rows or [{"file": name, "partial": summary["reason"]}]


def _tell(summary: dict[str, Any]) -> None:
    """The summary in words, below a film's table."""
    print(f"{summary['frames']} pictures of {clock(summary['duration'])}")
    if summary["partial"]:
        print(summary["detail"])
    for person in summary["people"]:
        best = sorted(((share, name) for name, share in person["shares"].items() if share), reverse=True)[:3]
        words = ", ".join(f"{name} in {share:.0%}" for share, name in best)
        when = f"{clock(person['first'])} to {clock(person['last'])}"
        print(f"person {person['id']}: {when}, {person['frames']} pictures: {words}")
