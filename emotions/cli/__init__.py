"""Command line: python -m emotions photo|video|text|speech FILE...

A FILE is a file, a folder (with everything below it), a pattern such as '*.jpg', or - for standard input. A file that cannot be
used is a row with its error; the run continues with the next one.

exit codes:
  0    every file was analyzed
  1    at least one file was not, or (video) only in part, or the results could not be written
  2    the command line is wrong, or a model file is missing or damaged
  130  stopped by Ctrl-C; files already written are complete
  143  stopped by SIGTERM or SIGHUP, in the same way
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import CodedError, ModelFileError
from . import signals
from .output import OutputError, accept_all_characters, complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words of the command line; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        with signals.handled():
            code = _run(arguments)
    except BaseException as error:
        # Not from the exception alone: a signal may have made it another one.
        return signals.exit_code() or _failed(error)
    return signals.exit_code() or code


def _failed(error: BaseException) -> int:
    """Say why a run failed, and return its exit code. Raises SystemExit for --help and wrong command lines, from argparse."""
    if isinstance(error, SystemExit):
        complain("")
        raise error
    if isinstance(error, OutputError):
        complain(str(error))
        return 1
    if isinstance(error, (ModelFileError, CodedError)):  # the latter: a folder for outputs
        complain(str(error))
        return 2
    if isinstance(error, Exception):  # a fault of this program
        complain(f"internal error: {type(error).__name__}: {error}")
        return 1
    return 130  # KeyboardInterrupt outside the main thread


def _run(arguments: Sequence[str] | None) -> int:
    # Imported here: it takes a second, in which Ctrl-C shall end the process without a traceback too.
    from ..runtime.limits import set_limits
    from .parser import chosen_limits, make_parser

    accept_all_characters(sys.stdout)
    options = make_parser(__doc__).parse_args(arguments)
    options.format = options.format or ("table" if sys.stdout is not None and sys.stdout.isatty() else "jsonl")
    options.limits = chosen_limits(options)
    before = set_limits(options.limits)
    try:
        code: int = options.run(options)
        return code
    finally:
        set_limits(before)
