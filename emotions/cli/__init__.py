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

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import CodedError, ModelFileError
from .output import OutputError, accept_all_characters, complain


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: the run ends as by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words of the command line; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        with _termination():
            return _run(arguments)
    except SystemExit:  # --help, or a wrong command line, which argparse has written
        complain("")
        raise
    except Terminated:
        return 143
    except KeyboardInterrupt:
        return 130
    except OutputError as error:
        if str(error):
            complain(str(error))
        return 1
    except (ModelFileError, CodedError) as error:  # the latter: a folder for outputs
        complain(str(error))
        return 2
    except Exception as error:  # a fault of this program
        complain(f"internal error: {type(error).__name__}: {error}")
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    # Imported here: it takes a second, in which Ctrl-C shall end the process without a traceback too.
    from ..runtime.limits import set_limits
    from .limits import chosen
    from .parser import make_parser

    accept_all_characters(sys.stdout)
    options = make_parser(__doc__).parse_args(arguments)
    options.format = options.format or ("table" if sys.stdout is not None and sys.stdout.isatty() else "jsonl")
    options.limits = chosen(options)
    before = set_limits(options.limits)
    try:
        code: int = options.run(options)
        return code
    finally:
        set_limits(before)


@contextmanager
def _termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise Terminated, so that temporary files and worker processes are removed."""

    def stop(*_: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # One that is ignored stays so: nohup ignores SIGHUP.
    before = {name: signal.signal(name, stop) for name in names if signal.getsignal(name) != signal.SIG_IGN}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
