"""Parser of the command line: the commands, the options that several of them share, and those of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS, VIEWS
from ..face.detector import DETECTORS
from . import limits, photo, speech, text, video
from .output import FORMATS, standard_output

COMMANDS = (photo, video, text, speech)
"""Modules with NAME, HELP, LIMITS, `add_arguments(parser)` and `run(options)`, which returns the exit code; `FACES` is False for
commands that take no options of face analysis."""


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
        limits.add_arguments(command, module.LIMITS)
        command.set_defaults(run=module.run)
    return parser


def _add_face_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
    command.add_argument("--detector", choices=DETECTORS, default="auto", help="face detector (default auto)")
    views = f"views of each face to average: 2 adds its mirror image, 10 shifts too (default {DEFAULT_VIEWS})"
    command.add_argument("--views", type=int, choices=VIEWS, default=DEFAULT_VIEWS, help=views)
    command.add_argument("--landmarks", action="store_true", help="with jsonl: add the 468 landmarks of each face")
