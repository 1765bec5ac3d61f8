"""Detect, track and classify the faces of videos.

One row for each sampled frame (JSON) or for each face in it (CSV, table), as soon as it is analyzed, and at the end a summary for
each person. Sound is not used. Annotated videos have the source's frames, at most 30 a second and at most 1,024 pixels large, and
no sound.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..face.analyzer import FaceAnalyzer
from ..labels import EMOTIONS
from ..video.analyzer import VideoAnalyzer
from ..video.reader import FPS, MAX_FPS, MIN_FPS, VideoReader
from ..video.timeline_chart import format_time, render_svg
from ..video.writer import VideoWriter
from .files import Input, OutputFolder, atomic_write, expand
from .output import Output, Progress, Row, error_record, error_row
from .photo import flatten_face

NAME, HELP = "video", "analyze the faces of videos"
SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".3gp"))
COLUMNS = (
    "file", "time", "id", "left", "top", "width", "height", "emotion", "confidence", *EMOTIONS, "unsure", "error", "message",
)  # fmt: skip
TABLE = {"file": 28, "time": 9, "id": 4, "emotion": 9, "confidence": 10, "unsure": 14}
SUMMARY_COLUMNS = (
    "file", "id", "first", "last", "frames", "emotion", *(f"share_{name}" for name in EMOTIONS), *EMOTIONS, "partial",
    "error", "message",
)  # fmt: skip
SUMMARY_TABLE = {"file": 28, "id": 4, "first": 9, "last": 9, "frames": 7, "emotion": 9, "partial": 10}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    rate = f"frames a second to analyze ({MIN_FPS:g} to {MAX_FPS:g}, default {FPS:g})"
    parser.add_argument("--fps", type=_fps, default=FPS, help=rate)
    parser.add_argument(
        "--summary", action="store_true", help="only the summary: one line for each video, or row for each person"
    )
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write annotated videos (MP4) into this folder")
    parser.add_argument("--chart", type=Path, metavar="DIR", help="write a timeline of each video (SVG) into this folder")


def _fps(text: str) -> float:
    value = float(text)
    if not MIN_FPS <= value <= MAX_FPS:
        raise argparse.ArgumentTypeError(f"must be from {MIN_FPS:g} to {MAX_FPS:g}")
    return value


def run(options: argparse.Namespace) -> int:
    """Analyze all videos, one after the other, and return the exit code."""
    analyzer = FaceAnalyzer(head=options.head)
    analyzer.check_head()
    output = Output(options.format, *((SUMMARY_COLUMNS, SUMMARY_TABLE) if options.summary else (COLUMNS, TABLE)))
    folders = {name: OutputFolder(path) for name in ("annotate", "chart") if (path := getattr(options, name))}
    failed = 0
    for source in expand(options.files, SUFFIXES):
        try:
            partial = _analyze(source, options, analyzer, output, folders)
        except Exception as error:  # one bad file is a row and does not end the run
            partial = True
            record = error_record(source.name, error)
            output.write(record, [error_row(record)])
        failed += partial
    return 1 if failed else 0


def _analyze(
    source: Input, options: argparse.Namespace, analyzer: FaceAnalyzer, output: Output, folders: dict[str, OutputFolder]
) -> bool:
    """Analyze a video and write its rows and files; return True if only a part of it could be read."""
    if source.error:
        raise source.error
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source.path or sys.stdin.buffer, options.fps))
        video = VideoAnalyzer(
            reader, detector=options.detector, landmarks=options.landmarks, analyzer=analyzer, views=options.views
        )
        progress = stack.enter_context(Progress(reader.declared_duration, "s"))
        writer = annotated = None
        if "annotate" in folders:
            annotated = folders["annotate"].unused_path(source.stem, ".mp4")
            writer = stack.enter_context(VideoWriter(stack.enter_context(atomic_write(annotated))))
        for frame in video.results(every_frame=writer is not None):
            if writer:
                writer.add(frame.time, frame.annotated())
            if frame.sampled and not options.summary:
                progress.clear()
                record = {"file": source.name, **frame.to_json()}
                faces = record["faces"]
                output.write(record, [{"file": source.name, "time": record["time"], **flatten_face(face)} for face in faces])
            progress.show(frame.time, source.name)
    summary = video.summary()
    if annotated:
        summary["annotated"] = str(annotated)
    if "chart" in folders:
        chart = folders["chart"].unused_path(source.stem, ".svg")
        with atomic_write(chart) as temporary:
            temporary.write_text(render_svg(video.timeline, reader.duration), encoding="utf-8")
        summary["chart"] = str(chart)
    output.write({"file": source.name, "summary": summary}, _summary_rows(source.name, summary) if options.summary else [])
    if options.format == "table" and not options.summary:
        _print_summary(summary)
    return bool(summary["partial"])


def _summary_rows(name: str, summary: dict[str, Any]) -> list[Row]:
    """Return a row of SUMMARY_COLUMNS for each person, or a single one if there is none."""
    rows: list[Row] = []
    for person in summary["people"]:
        shares = {f"share_{emotion}": share for emotion, share in person["shares"].items()}
        emotion = max(EMOTIONS, key=person["shares"].__getitem__)
        rows.append({"file": name, **person, "emotion": emotion, **shares, **person["mean"], "partial": summary["reason"]})
    return rows or [{"file": name, "partial": summary["reason"]}]


def _print_summary(summary: dict[str, Any]) -> None:
    print(f"{summary['frames']} frames of {format_time(summary['duration'])}")
    if summary["partial"]:
        print(summary["detail"])
    for person in summary["people"]:
        top = sorted(((share, name) for name, share in person["shares"].items() if share), reverse=True)[:3]
        emotions = ", ".join(f"{name} in {share:.0%}" for share, name in top)
        period = f"{format_time(person['first'])} to {format_time(person['last'])}"
        print(f"person {person['id']}: {period}, {person['frames']} frames: {emotions}")
