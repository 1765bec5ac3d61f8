"""Worker processes: results in the order of the jobs; a process that dies costs one job."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from ..errors import CodedError
from . import signals

JOBS_PER_PROCESS = 4
"""Jobs for each process that are submitted before the first result is awaited."""


class ProcessDied(CodedError):
    """A job whose process was killed, possibly for its memory. Code: `process_died`."""


def map_in_order(
    work: Callable[[Any], Any],
    jobs: Iterable[Any],
    processes: int,
    initializer: Callable[..., None],
    arguments: tuple[Any, ...],
) -> Generator[tuple[Any, Any]]:
    """Run jobs in worker processes.

    Functions, jobs and results must be picklable: processes are spawned, because a forked copy might hold locks of its models.
    Results must be small: where a process is killed while it sends one, the pool waits for the rest of it.

    Args:
        work: Function of a job.
        jobs: Jobs; only JOBS_PER_PROCESS for each process are taken ahead.
        processes: Number of processes; 1 runs the jobs in this process.
        initializer: Function that runs once in each process.
        arguments: Arguments of `initializer`.

    Yields:
        (job, result) in the order of the jobs; the result is a ProcessDied where the process died.
    """
    if processes == 1:
        initializer(*arguments)
        for job in jobs:
            yield job, work(job)
        return
    pool = _make_pool(processes, initializer, arguments)
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    jobs = iter(jobs)
    try:
        while True:
            while len(waiting) < processes * JOBS_PER_PROCESS and (job := next(jobs, waiting)) is not waiting:
                waiting.append((job, _submit(pool, work, job)))
            if not waiting:
                return
            job, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                # The pool does not say which job it was: the submitted ones are run again, one at a time.
                pool.shutdown()
                again = [job, *(job for job, _ in waiting)]
                waiting.clear()
                yield from _map_one_by_one(work, again, initializer, arguments)
                pool = _make_pool(processes, initializer, arguments)
            else:
                yield job, result
    except BaseException:
        _terminate_workers()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _map_one_by_one(
    work: Callable[[Any], Any], jobs: list[Any], initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[tuple[Any, Any]]:
    pool = _make_pool(1, initializer, arguments)
    try:
        for job in jobs:
            try:
                result = _submit(pool, work, job).result()
            except BrokenProcessPool:
                message = "The process that read this file died; it may have needed more memory than there is."
                result = ProcessDied("process_died", message)
                pool.shutdown()
                pool = _make_pool(1, initializer, arguments)
            yield job, result
    finally:
        pool.shutdown(cancel_futures=True)


def _make_pool(processes: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_init_process, initargs=(initializer, arguments))


def _submit(pool: ProcessPoolExecutor, work: Callable[[Any], Any], job: Any) -> Future[Any]:
    """Submit a job. Processes that start for it inherit that SIGINT is blocked: Ctrl-C reaches all, and the parent stops them.

    Signals of this process wait until they have started: a process that was not given all it needs ends with a traceback.

    A pool of which a process died meanwhile takes no more jobs; the future then has the same error as those of its other jobs.
    """
    try:
        with signals.deferred(), _interrupts_blocked():
            return pool.submit(work, job)
    except BrokenProcessPool as error:
        future = Future[Any]()
        future.set_exception(error)
        return future


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminate_workers() -> None:
    """End the processes of all pools now, instead of waiting for what they are doing."""
    for process in multiprocessing.active_children():
        process.terminate()


def _init_process(initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    initializer(*arguments)


def _end_with_parent() -> None:
    """End this process when its parent is gone, killed perhaps: nobody else would end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
