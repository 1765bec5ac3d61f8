"""Report of the parity measurement: benchmarks/device.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ...common.git import commit
from ...common.machine import processor
from ...common.markdown import table
from .comparison import MAX_DIFFERENCE, MAX_DISTANCE, MIN_EMOTIONS, MIN_PROBABILITIES, Comparison, Summary, summarize
from .measure import ClipRun, PictureRun, median_of

COLUMNS = (
    "faces", "found by one alone", f"box within {MAX_DISTANCE} px", "largest distance", f"probabilities within {MAX_DIFFERENCE}",
    "largest difference", "same emotion", "same reason to be unsure",
)  # fmt: skip
MAX_LISTED = 20
"""Pictures with differences that are listed."""
METHOD = """\
Each picture is analyzed by the Python package, as the server does it, and by static/js/device in a page of the app. A face of
the server is paired with the nearest one of the browser; a face that only one of both found counts as different in everything.
A box differs by the largest distance of its edges, in pixels of the full-size picture, a face by the largest difference of its
seven probabilities."""
PIXELS = "The browser gets a PNG file of the pixels that the server decoded."
FILES = """\
The browser decodes the file itself. Decoders of JPEG and other lossy formats differ by single grey levels; where a large file is
reduced, by more."""
CLIPS = """\
Frames are PNG files of the same pixels; each side tracks its own detections with its own state. Same ids: share of the faces;
same state: frames after which both states hold the same ids in the same order."""
TIME = "Median milliseconds of detection and classification. The browser has its work beside this script."


def report(
    command: str, browser: str, runtime: Mapping[str, object], sets: Mapping[str, PictureRun], clips: Sequence[ClipRun]
) -> str:
    """Return the report as Markdown.

    Args:
        command: Command line that gives the figures again.
        browser: Name and version of the browser.
        runtime: Build of the WebAssembly and its threads.
        sets: Title of each set of pictures -> what they gave.
        clips: What the clips gave.
    """
    pixels = [one for run in sets.values() for one in run.pixels]
    files = [one for run in sets.values() for one in run.files]
    frames = [one for clip in clips for one in clip.frames]
    by_pixels = {title: run.pixels for title, run in sets.items()}
    by_files = {title: run.files for title, run in sets.items()}
    times = [(title, f"{median_of(run.server_ms):.0f}", f"{median_of(run.device_ms):.0f}") for title, run in sets.items()]
    required = (
        f"Required are boxes within {MAX_DISTANCE} pixels, probabilities within {MAX_DIFFERENCE} for {MIN_PROBABILITIES:.0%} of "
        f"the faces, and the same emotion for {MIN_EMOTIONS:.1%}."
    )
    parts = [
        "# Analysis in the browser compared with the server\n",
        f"    {command}\n",
        f"- date: {datetime.now(UTC):%Y-%m-%d}, commit {commit()}",
        f"- browser: {browser}, WebAssembly {runtime['build']}, threads: {runtime['threads']}",
        f"- machine: {os.cpu_count()} cores, {processor()}\n",
        f"{METHOD}\n",
        f"{required}\n",
        table(("input", "result"), "ll", _verdicts({"same pixels": pixels, "files as they are": files, "clips": frames})),
        f"\n## Same pixels\n\n{PIXELS}\n",
        table(("set", "pictures", *COLUMNS), "lr", _rows(by_pixels)),
        *_differences(pixels),
        f"\n## Files as they are\n\n{FILES}\n",
        table(("set", "pictures", *COLUMNS), "lr", _rows(by_files)),
        *_differences(files),
        *_unread(sets),
        f"\n## Clips\n\n{CLIPS}\n",
        table(("clip", "frames", *COLUMNS, "same ids", "same state"), "lr", _clip_rows(clips)),
        *_differences(frames),
        f"\n## Time\n\n{TIME}\n",
        table(("set", "server", "browser"), "lr", times),
    ]
    return "\n".join(parts) + "\n"


def _verdicts(inputs: Mapping[str, Sequence[Comparison]]) -> Iterator[tuple[str, str]]:
    for name, comparisons in inputs.items():
        yield name, "within all limits" if summarize(comparisons).passed else "not within all limits"


def _rows(sets: Mapping[str, Sequence[Comparison]]) -> Iterator[tuple[object, ...]]:
    for title, comparisons in {**sets, "all": [one for found in sets.values() for one in found]}.items():
        yield title, len(comparisons), *_cells(summarize(comparisons))


def _clip_rows(clips: Sequence[ClipRun]) -> Iterator[tuple[object, ...]]:
    frames = [one for clip in clips for one in clip.frames]
    for clip in [*clips, ClipRun("all", frames, sum(clip.same_ids for clip in clips))]:
        summary = summarize(clip.frames)
        yield clip.name, len(clip.frames), *_cells(summary), _percent(summary.ids), f"{clip.same_ids} of {len(clip.frames)}"


def _cells(summary: Summary) -> tuple[object, ...]:
    return (
        summary.faces,
        summary.unmatched,
        _percent(summary.boxes),
        f"{summary.distance:.0f} px",
        _percent(summary.probabilities),
        f"{summary.difference:.4f}",
        _percent(summary.emotions),
        _percent(summary.unsure),
    )


def _percent(share: float) -> str:
    """A share with one decimal place, rounded down: 100% is all of them."""
    return f"{int(1000 * share + 1e-9) / 10:g}%"


def _differences(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Sentences about the pictures whose faces are not the same within the limits."""
    listed = [(one.name, *_reasons(one)) for one in comparisons]
    listed = [one for one in listed if len(one) > 1]
    if listed:
        yield "\nDifferent:\n"
        yield from (f"- {name}: {', '.join(reasons)}" for name, *reasons in listed[:MAX_LISTED])
    if len(listed) > MAX_LISTED:
        yield f"- and {len(listed) - MAX_LISTED} more"


def _reasons(one: Comparison) -> Iterator[str]:
    if one.unmatched:
        yield f"found by the server alone {one.server_only}, by the browser alone {one.device_only}"
    distances = [pair.distance for pair in one.pairs if pair.distance > MAX_DISTANCE]
    if distances:
        yield f"boxes {max(distances):.0f} px apart"
    differences = [pair.difference for pair in one.pairs if pair.difference > MAX_DIFFERENCE]
    if differences:
        yield f"probabilities of {len(differences)} of {len(one.pairs)} faces up to {max(differences):.3f} apart"
    if emotions := sum(not pair.emotion for pair in one.pairs):
        yield f"another emotion for {emotions}"


def _unread(sets: Mapping[str, PictureRun]) -> Iterator[str]:
    refused = [name for run in sets.values() for name in run.refused]
    if refused:
        yield f"\nThe server reads these files and the browser does not: {', '.join(refused)}."
    if unreadable := sum(run.unreadable for run in sets.values()):
        yield f"\nThe server does not read {unreadable} further files of the folders; they are not counted."
