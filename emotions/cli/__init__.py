"""Command line: python -m emotions photo|video|text|speech FILE...

A FILE is a file, a folder (with everything below it), a pattern such as '*.jpg', or - for standard input. A file that cannot be
used is a row with its error; the run continues with the next one.

exit codes:
  0    every file was analyzed
  1    at least one file was not, or (video) only in part
  2    the command line is wrong, or a model file is missing or damaged
  130  stopped by Ctrl-C; files already written are complete
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import ModelFileError
from ..face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS, VIEWS
from ..face.detector import DETECTORS
from ..runtime.memory import set_decode_budget
from . import photo, speech, text, video
from .output import FORMATS, accept_all_characters

COMMANDS = (photo, video, text, speech)
"""Modules with NAME, HELP, `add_arguments(parser)` and `run(options)`, which returns the exit code; `FACES` is False for
commands that take no options of face analysis."""
DECODE_MB = 512
"""Default of --decode-mb, more than on the server (its setting DECODE_MB): a personal computer has more memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words of the command line; by default those of the process.

    Returns:
        The exit code.
    """
    options = make_parser().parse_args(arguments)
    options.format = options.format or ("table" if sys.stdout.isatty() else "jsonl")
    if "decode_mb" in options:
        set_decode_budget(options.decode_mb)
    accept_all_characters(sys.stdout)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ModelFileError as error:
        print(f"emotions: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # reader closed the pipe (e.g. `| head`): silence stdout so the flush at exit does not raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    parser = argparse.ArgumentParser(prog="emotions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("files", nargs="+", metavar="FILE", help="file, folder, pattern, or - for standard input")
        command.add_argument("--format", choices=FORMATS, help="default: table on a terminal, jsonl otherwise")
        if getattr(module, "FACES", True):
            _add_face_arguments(command)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _add_face_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
    command.add_argument("--detector", choices=DETECTORS, default="auto", help="face detector (default auto)")
    views = f"views of each face to average: 2 adds its mirror image, 10 shifts too (default {DEFAULT_VIEWS})"
    command.add_argument("--views", type=int, choices=VIEWS, default=DEFAULT_VIEWS, help=views)
    command.add_argument("--landmarks", action="store_true", help="with jsonl: add the 468 landmarks of each face")
    memory = f"megabytes of memory that decoding may take (default {DECODE_MB})"
    command.add_argument("--decode-mb", type=int, default=DECODE_MB, metavar="MB", help=memory)
