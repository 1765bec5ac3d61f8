"""Read files from the command line: python -m emotions photo|video|text|speech FILE...

A FILE is a file, a folder (read with all below it), a pattern such as '*.jpg', or - for standard input. What cannot be read
is a row with its error, and the next one follows.

exit codes:
  0    every file was read
  1    at least one file was not, or (video) only in part
  2    the command was not understood, or a model file is missing or damaged
  130  stopped by Ctrl-C; files already written are whole
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import ModelFileError
from ..face.defaults import DEFAULT_HEAD
from ..face.detector import DETECTORS
from ..runtime.memory import set_decode_budget
from . import photo, speech, text, video
from .output import FORMATS

COMMANDS = (photo, video, text, speech)
"""Modules with NAME, HELP, `describe(parser)`, which adds options, and `run(options)`, which gives the exit code; `FACES` is
False where faces play no part."""
DECODE_MB = 512
"""More than on the server (its DECODE_MB): a person's own computer is larger."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`arguments` default to the process's own); gives the exit code."""
    options = parser().parse_args(arguments)
    options.format = options.format or ("table" if sys.stdout.isatty() else "jsonl")
    if "decode_mb" in options:
        set_decode_budget(options.decode_mb)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ModelFileError as error:
        print(f"emotions: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has seen enough: nothing may be written any more, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; a module of COMMANDS adds its own options."""
    whole = argparse.ArgumentParser(prog="emotions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("files", nargs="+", metavar="FILE", help="file, folder, pattern, or - for standard input")
        command.add_argument("--format", choices=FORMATS, help="default: table on a terminal, jsonl otherwise")
        if getattr(module, "FACES", True):
            _describe_faces(command)
        module.describe(command)
        command.set_defaults(run=module.run)
    return whole


def _describe_faces(command: argparse.ArgumentParser) -> None:
    command.add_argument("--head", default=DEFAULT_HEAD, help=f"expression head of models/manifest.json (default {DEFAULT_HEAD})")
    command.add_argument("--detector", choices=DETECTORS, default="auto", help="how faces are found (default auto)")
    command.add_argument("--landmarks", action="store_true", help="with jsonl: also the 468 points of each face")
    memory = f"megabytes that opening a file may take (default {DECODE_MB})"
    command.add_argument("--decode-mb", type=int, default=DECODE_MB, metavar="MB", help=memory)
