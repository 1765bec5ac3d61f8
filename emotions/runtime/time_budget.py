"""Processor time of one request: a budget that work checks between its pieces, and that a client's departure ends.

    with TimeBudget(20.0):
        ...            # whatever calls `check_time` may raise TimeBudgetError

Without an active budget `check_time` does nothing, so library and command line pay nothing for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from ..errors import TimeBudgetError

_active = threading.local()


class TimeBudget:
    """Seconds of processor time for the work of the thread that enters it.

    The clock is that of the thread (CLOCK_THREAD_CPUTIME_ID), which other requests do not advance. Work of further threads on
    behalf of this one, such as those of a network or a video decoder, is added with `charge`.

    Args:
        seconds: Seconds to spend; None for no limit.
        stopped: Returns the code with which the work is to end now (`client_gone`, `shutting_down`), else None; it is called
            at every check and must be cheap.
    """

    def __init__(self, seconds: float | None, stopped: Callable[[], str | None] | None = None) -> None:
        self.seconds, self._stopped = seconds, stopped
        self._spent = 0.0  # in earlier activations, and charged
        self._started: float | None = None
        self._outer: TimeBudget | None = None

    def __enter__(self) -> TimeBudget:
        """Make this the budget of the thread; a budget may be entered again later, and goes on where it stopped."""
        self._outer = getattr(_active, "budget", None)
        _active.budget = self
        self._started = time.thread_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Restore the thread's former budget."""
        self._spent = self.spent
        self._started = None
        _active.budget = self._outer

    @property
    def spent(self) -> float:
        """Seconds of processor time so far."""
        return self._spent + (time.thread_time() - self._started if self._started is not None else 0.0)

    def charge(self, seconds: float) -> None:
        """Add processor time that other threads spent for this work."""
        self._spent += seconds

    def check(self) -> None:
        """Raise TimeBudgetError where the budget is spent or the work was stopped."""
        code = self._stopped() if self._stopped else None
        if code == "client_gone":
            raise TimeBudgetError(code, "The client has closed the connection.")
        if code:
            raise TimeBudgetError(code, "The server is being stopped; try again in a moment.")
        if self.seconds is not None and self.spent > self.seconds:
            raise TimeBudgetError("too_much_work", f"This takes more than {self.seconds:g} seconds of processor time, the limit.")


def active_budget() -> TimeBudget | None:
    """Return the budget of the calling thread, None without one."""
    return getattr(_active, "budget", None)


def check_time() -> None:
    """Check the budget of the calling thread; call it between pieces of work of at most a second.

    Raises:
        TimeBudgetError: The budget is spent (`too_much_work`), the client has gone (`client_gone`) or the server is being
            stopped (`shutting_down`).
    """
    budget = active_budget()
    if budget is not None:
        budget.check()
