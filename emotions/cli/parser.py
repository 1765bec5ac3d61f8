"""Parser of the command line: the commands, the options that several of them share, and those of each."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS, VIEWS
from ..face.detector import DETECTORS
from ..runtime.limits import LIBRARY, Limits
from . import photo, speech, text, video
from .output import FORMATS, standard_output

COMMANDS = (photo, video, text, speech)
"""Modules with NAME, HELP, LIMITS, `add_arguments(parser)` and `run(options)`, which returns the exit code; `FACES` is False for
commands that take no options of face analysis."""
LIMIT_OPTIONS = {
    "file_mb": ("--max-file-mb", "MB", "megabytes of a photo or a recording, and of what standard input or a pipe gives"),
    "megapixels": ("--max-megapixels", "N", "millions of pixels of a photo"),
    "frame_megapixels": ("--max-megapixels", "N", "millions of pixels of a frame"),
    "sound_seconds": ("--max-seconds", "S", "seconds of a recording"),
    "text_characters": ("--max-characters", "N", "characters of a text"),
    "decode_mb": ("--decode-mb", "MB", "megabytes of memory that decoding may take, in each process"),
}
"""Attribute of Limits -> option, unit and meaning."""


class Parser(argparse.ArgumentParser):
    """Parser whose help fails in words where it cannot be written; argparse drops it."""

    def print_help(self, file: Any = None) -> None:
        """Print the help on standard output. Raises OutputError."""
        with standard_output() as stream:
            stream.write(self.format_help())


def make_parser(description: str) -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    parser = Parser(prog="emotions", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("files", nargs="+", metavar="FILE", help="file, folder, pattern, or - for standard input")
        command.add_argument("--format", choices=FORMATS, help="default: table on a terminal, jsonl otherwise")
        command.add_argument(
            "--metadata", type=Path, metavar="FILE", help="write files with SHA-256, versions and settings (JSON)"
        )
        if getattr(module, "FACES", True):
            _add_face_arguments(command)
        module.add_arguments(command)
        _add_limits(command, module.LIMITS)
        command.set_defaults(run=module.run)
    return parser


def _add_face_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
    command.add_argument("--detector", choices=DETECTORS, default="auto", help="face detector (default auto)")
    views = f"views of each face to average: 2 adds its mirror image, 10 shifts too (default {DEFAULT_VIEWS})"
    command.add_argument("--views", type=int, choices=VIEWS, default=DEFAULT_VIEWS, help=views)
    command.add_argument("--landmarks", action="store_true", help="with jsonl: add the 468 landmarks of each face")


def _add_limits(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add the options of the named limits; their defaults are those of the library."""
    group = command.add_argument_group("limits, above which a file is refused")
    for name in names:
        option, unit, meaning = LIMIT_OPTIONS[name]
        default = getattr(LIBRARY, name)
        kind = _whole if name == "text_characters" else _positive
        group.add_argument(
            option, dest=f"limit_{name}", type=kind, default=default, metavar=unit, help=f"{meaning} (default {default:,})"
        )


def chosen_limits(options: argparse.Namespace) -> Limits:
    """Return the limits that the options set."""
    prefix = "limit_"
    return replace(
        LIBRARY, **{name.removeprefix(prefix): value for name, value in vars(options).items() if name.startswith(prefix)}
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0 (at most 1e9)")
    return value


def _whole(text: str) -> int:
    value = _positive(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(value)
