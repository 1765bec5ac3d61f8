"""Compare the browser's library with the Python package on pictures and clips: see benchmarks/device.md.

    python -m scripts.evaluate.device --photos FOLDER --drawings FOLDER --people FOLDER --clips VIDEO --out benchmarks/device.md

Needs Chromium, or Firefox with --browser firefox. Folders are read with those below; --limit takes so many pictures of each,
spread evenly. Clips are the videos given and rendered scenes with people cut out of the photos of --people
(scripts/evaluate/tracking), ten in all by default.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from emotions import FaceAnalyzer

from ...common.commands import command_line
from .measure import ClipRun, PictureRun, measure_clip, measure_pictures
from .page import BROWSERS, device_page
from .pictures import file_clips, pictures, rendered_clips
from .report import report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", default=[], metavar="FOLDER", help="folders of photographs")
    parser.add_argument("--drawings", type=Path, nargs="+", default=[], metavar="FOLDER", help="folders of drawn faces")
    parser.add_argument("--limit", type=int, default=200, help="pictures of each folder at most")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], metavar="VIDEO", help="videos")
    parser.add_argument("--fps", type=float, default=5, help="frames a second that are taken of videos")
    parser.add_argument("--people", type=Path, metavar="FOLDER", help="photos whose people are rendered into scenes")
    parser.add_argument("--clip-count", type=int, default=10, help="clips in all, rendered scenes included")
    parser.add_argument("--browser", choices=BROWSERS, default=BROWSERS[0])
    parser.add_argument("--out", type=Path, help="file of the report")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    analyzer = FaceAnalyzer()
    sets: dict[str, PictureRun] = {}
    clips: list[ClipRun] = []
    with device_page(options.browser) as (page, browser):
        for kind, folders in (("photos", options.photos), ("drawings", options.drawings)):
            for folder in folders:
                sets[f"{kind}: {folder.name}"] = run = measure_pictures(analyzer, page, pictures(folder, options.limit))
                print(f"{folder.name}: {len(run.pixels)} pictures", flush=True)
        made = options.clip_count - len(options.clips) if options.people else 0
        for group in (file_clips(options.clips, options.fps), rendered_clips(analyzer, options.people, made) if made > 0 else ()):
            for clip in group:
                clips.append(measure_clip(analyzer, page, clip))
                print(f"{clip.name}: {len(clip.frames)} frames", flush=True)
        command = command_line("scripts.evaluate.device", parser, options)
        text = report(command, browser, page.runtime, sets, clips)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
