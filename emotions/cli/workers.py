"""Jobs to several processes and their results back in the order of the jobs; a process that dies costs one job."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

AHEAD = 4
"""Jobs a process that are handed out before the first result is waited for."""


class ProcessDied(Exception):
    """What a job gives whose process was ended, for memory perhaps."""

    code = "process_died"

    def __init__(self) -> None:
        super().__init__("The process that read this file died; it may have needed more memory than there is.")


def in_order(
    work: Callable[[Any], Any], jobs: Iterable[Any], processes: int, start: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[tuple[Any, Any]]:
    """(job, result of `work(job)`) pairs; a result is ProcessDied where there is none. `start(*arguments)` runs once a process.

    One process is this one. Functions and jobs must be picklable: processes begin anew, as a copy of this one might hold
    locks of its models in mid-use.
    """
    if processes == 1:
        start(*arguments)
        for job in jobs:
            yield job, work(job)
        return
    pool = _pool(processes, start, arguments)
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    jobs = iter(jobs)
    try:
        while True:
            while len(waiting) < processes * AHEAD and (job := next(jobs, waiting)) is not waiting:
                waiting.append((job, pool.submit(work, job)))
            if not waiting:
                return
            job, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                # Which job it was is not told: those handed out are done again, one at a time.
                pool.shutdown()
                again = [job, *(job for job, _ in waiting)]
                waiting.clear()
                yield from _one_by_one(work, again, start, arguments)
                pool = _pool(processes, start, arguments)
            else:
                yield job, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(
    work: Callable[[Any], Any], jobs: list[Any], start: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[tuple[Any, Any]]:
    pool = _pool(1, start, arguments)
    try:
        for job in jobs:
            try:
                result = pool.submit(work, job).result()
            except BrokenProcessPool:
                result = ProcessDied()
                pool.shutdown()
                pool = _pool(1, start, arguments)
            yield job, result
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(processes: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(start, arguments))


def _begin(start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: the first process stops the others in good order
    start(*arguments)
