"""Signals that end a run in order: SIGINT (Ctrl-C), SIGTERM and SIGHUP raise Stopped.

Python runs the handler between any two instructions of the main thread, so the exception may be raised where code cannot pass it
on: extension modules that are being imported replace it by ImportError, and destructors drop it. The signal is therefore recorded
as well: `check` raises again, and the exit code is taken from the record.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_handling = False
_received = 0
_deferrals = 0


class Stopped(KeyboardInterrupt):
    """A signal ended the run.

    A class of its own: KeyboardInterrupt itself, raised while Python runs a string of code, makes the whole process end by SIGINT
    instead of with its exit code.
    """


@contextmanager
def handled() -> Iterator[None]:
    """Handle the signals of NAMES in this block, in the main thread; one that is ignored stays so: nohup ignores SIGHUP."""
    global _handling, _received
    _received = 0
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.signal(number, _receive) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    hook = sys.unraisablehook

    def report(problem: Any) -> None:
        if not (_received and isinstance(problem.exc_value, Stopped)):
            hook(problem)

    sys.unraisablehook = report
    _handling = True
    try:
        yield
    finally:
        _handling = False
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code() -> int:
    """Return the exit code of a run that a signal ended since `handled` began, 130 or 143; 0 if there was none."""
    if not _received:
        return 0
    return 128 + (signal.SIGINT if _received == signal.SIGINT else signal.SIGTERM)


def check() -> None:
    """Raise Stopped, within `handled`, if a signal came whose exception was lost."""
    if _handling and _received:
        raise Stopped


@contextmanager
def deferred() -> Iterator[None]:
    """Raise only at the end of this block for a signal that comes within it."""
    global _deferrals
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1
    if not _deferrals:
        check()


def _receive(number: int, _: object) -> None:
    global _received
    _received = number
    if not _deferrals:
        raise Stopped
