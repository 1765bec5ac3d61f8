"""Detect, track and classify the faces of videos.

One row for each sampled frame (JSON) or for each face in it (CSV, table; one also for a frame without faces), as soon as it is
analyzed, and at the end a summary for each person. Sound is not used. Annotated videos have the source's frames, at most 30 a
second and at most 1,024 pixels large, and no sound; that of a part begins at 0.
"""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from ..face.analyzer import FaceAnalyzer
from ..labels import EMOTIONS, ranking
from ..video.analyzer import VideoAnalyzer
from ..video.clock import MAX_TIME
from ..video.reader import FPS, MAX_FPS, MIN_FPS, VideoReader
from ..video.timeline_chart import format_time, render_svg
from ..video.writer import VideoWriter
from . import openface
from .files import Input, OutputFolder, atomic_write, expand, open_stream
from .held_rows import HeldRows
from .kinds import is_film
from .metadata import Metadata
from .output import Output, OutputError, Progress, Row, complain, error_record, error_row
from .photo import flatten_face

NAME, HELP = "video", "analyze the faces of videos"
LIMITS = ("file_mb", "frame_megapixels", "decode_mb")
SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".qt", ".webm", ".mkv", ".avi", ".3gp", ".3g2", ".mpg", ".mpeg", ".m2v", ".vob", ".mts", ".m2ts",
    ".wmv", ".flv", ".f4v",
))  # fmt: skip
"""Suffixes of files that are read in folders; other files, animated pictures among them, are where `is_film` says so."""
TIME = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?|([0-9]{1,4}:)?[0-5]?[0-9]:[0-5][0-9](\.[0-9]{1,9})?")
"""Seconds, m:ss or h:mm:ss."""
COLUMNS = (
    "file", "time", "frame", "id", "left", "top", "width", "height", "emotion", "confidence", *EMOTIONS, "unsure", "error",
    "message", "number",
)  # fmt: skip
COLUMN_SETS = {"standard": COLUMNS, "openface": openface.COLUMNS}
OUTCOME = ("duration", "frames", "width", "height", "partial", "reason", "detector", "model")
"""Entries of a summary that the metadata have."""
TABLE = {"file": 28, "time": 9, "number": 6, "emotion": 9, "confidence": 10, "unsure": 14}
SUMMARY_COLUMNS = (
    "file", "id", "first", "last", "frames", "seconds", "emotion", *(f"share_{name}" for name in EMOTIONS), *EMOTIONS, "partial",
    "error", "message", "number",
)  # fmt: skip
SUMMARY_TABLE = {"file": 28, "number": 6, "first": 9, "last": 9, "seconds": 9, "emotion": 9, "partial": 10}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    rate = f"frames a second to analyze ({MIN_FPS:g} to {MAX_FPS:g}, default {FPS:g})"
    parser.add_argument("--fps", type=_fps, default=FPS, help=rate)
    form = "seconds or h:mm:ss"
    parser.add_argument("--start", type=_time, default=0.0, metavar="TIME", help=f"begin there ({form}, default 0)")
    parser.add_argument("--end", type=_time, metavar="TIME", help=f"end there ({form}, default the end of the video)")
    parser.add_argument(
        "--no-merge", dest="merge", action="store_false", help="keep a person who comes back later as another person"
    )
    parser.add_argument(
        "--summary", action="store_true", help="only the summary: one line for each video, or row for each person"
    )
    parser.add_argument(
        "--columns", choices=tuple(COLUMN_SETS), default="standard", help="columns of the CSV; openface: with OpenFace's names"
    )
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated videos (MP4) into this folder")
    parser.add_argument("--chart", type=Path, metavar="DIR", help="write a timeline of each video (SVG) into this folder")


def _fps(text: str) -> float:
    value = float(text)
    if not MIN_FPS <= value <= MAX_FPS:
        raise argparse.ArgumentTypeError(f"must be from {MIN_FPS:g} to {MAX_FPS:g}")
    return value


def _time(text: str) -> float:
    """Parse seconds, m:ss or h:mm:ss, each with decimals."""
    if not TIME.fullmatch(text):
        raise argparse.ArgumentTypeError("must be seconds or h:mm:ss")
    hours, minutes, seconds = ("0:0:" + text).split(":")[-3:]
    value = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if value > MAX_TIME:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_TIME:,.0f} seconds")
    return value


def run(options: argparse.Namespace) -> int:
    """Analyze all videos, one after the other, and return the exit code."""
    if options.end is not None and options.end <= options.start:
        complain("--end must be after --start")
        return 2
    if options.columns != "standard" and (options.format != "csv" or options.summary):
        complain("--columns needs --format csv, and the rows of all frames")
        return 2
    analyzer = FaceAnalyzer(head=options.head)
    analyzer.check_head()
    columns = COLUMN_SETS[options.columns]
    output = Output(options.format, *((SUMMARY_COLUMNS, SUMMARY_TABLE) if options.summary else (columns, TABLE)))
    folders = {name: OutputFolder(path) for name in ("annotate", "chart") if (path := getattr(options, name))}
    metadata = Metadata(options)
    failed = 0
    for source in expand(options.files, SUFFIXES, is_film):
        try:
            summary = _analyze(source, options, analyzer, output, folders)
            partial, outcome = bool(summary["partial"]), {name: summary[name] for name in OUTCOME}
        except (ModelFileError, OutputError):
            raise
        except Exception as error:  # one bad file is a row and does not end the run
            partial = True
            record = error_record(source.name, error)
            output.write(record, [error_row(record)])
            outcome = {"error": record["error"]}
        failed += partial
        metadata.add(source, outcome)
    metadata.write()
    return 1 if failed else 0


def _analyze(
    source: Input, options: argparse.Namespace, analyzer: FaceAnalyzer, output: Output, folders: dict[str, OutputFolder]
) -> dict[str, Any]:
    """Analyze a video, write its rows and files, and return its summary."""
    if source.error:
        raise source.error
    with ExitStack() as stack:
        stream = source.path or stack.enter_context(open_stream(source))
        reader = stack.enter_context(VideoReader(stream, options.fps, start=options.start, end=options.end))
        chosen = {name: getattr(options, name) for name in ("detector", "landmarks", "views", "merge")}
        video = VideoAnalyzer(reader, analyzer=analyzer, **chosen)
        frames = stack.enter_context(HeldRows(output, video))
        progress = stack.enter_context(Progress(_seconds(reader), "s"))
        writer = annotated = None
        if "annotate" in folders:
            annotated = folders["annotate"].unused_path(source.stem, ".mp4")
            writer = stack.enter_context(VideoWriter(stack.enter_context(atomic_write(annotated))))
        for frame in video.results(every_frame=writer is not None):
            if writer:
                writer.add(frame.time - reader.start, frame.annotated(), frame.until - reader.start)
            if frame.sampled and not options.summary:
                progress.clear()
                record = {"file": source.name, **frame.to_json()}
                rows = openface.rows(source.name, frame) if options.columns == "openface" else _rows(record)
                frames.write(record, rows, [face.id for face in frame.result.faces])
            progress.show(frame.time - reader.start, source.name)
    summary = video.summary()
    if annotated:
        summary["annotated"] = str(annotated)
    if "chart" in folders:
        chart = folders["chart"].unused_path(source.stem, ".svg")
        with atomic_write(chart) as temporary:
            temporary.write_text(render_svg(video.people(), reader.duration - reader.start), encoding="utf-8")
        summary["chart"] = str(chart)
    output.write({"file": source.name, "summary": summary}, _summary_rows(source.name, summary) if options.summary else [])
    if options.format == "table" and not options.summary:
        output.write_lines(_summary_lines(summary))
    return summary


def _seconds(reader: VideoReader) -> float | None:
    """Return how many seconds will be analyzed, None if unknown."""
    ends = [end for end in (reader.declared_duration, reader.end) if end is not None]
    return max(0.0, min(ends) - reader.start) if ends else None


def _rows(record: dict[str, Any]) -> list[Row]:
    """Return a row of COLUMNS for each face of a frame, or a single one if there is none."""
    frame = {name: record[name] for name in ("file", "time", "frame")}
    return [frame | flatten_face(face) for face in record["faces"]] or [frame]


def _summary_rows(name: str, summary: dict[str, Any]) -> list[Row]:
    """Return a row of SUMMARY_COLUMNS for each person, or a single one if there is none."""
    rows: list[Row] = []
    for person in summary["people"]:
        shares = {f"share_{emotion}": share for emotion, share in person["shares"].items()}
        emotion = ranking([person["shares"][name] for name in EMOTIONS])[0]
        rows.append({"file": name, **person, "emotion": emotion, **shares, **person["mean"], "partial": summary["reason"]})
    return rows or [{"file": name, "partial": summary["reason"]}]


def _summary_lines(summary: dict[str, Any]) -> list[str]:
    lines = [f"{summary['frames']} frames of {format_time(summary['duration'])}"]
    if summary["partial"]:
        lines.append(summary["detail"])
    for person in summary["people"]:
        shares = person["shares"]
        top = [name for name in ranking([shares[name] for name in EMOTIONS]) if shares[name]][:3]
        emotions = ", ".join(f"{name} in {shares[name]:.0%}" for name in top)
        period = f"{format_time(person['first'])} to {format_time(person['last'])}"
        lines.append(f"person {person['number']}: {period}, {person['frames']} frames: {emotions}")
    return lines
