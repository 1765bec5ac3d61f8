"""Worker processes that are killed: each costs at most one job, and the results stay in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator

import pytest

from emotions.cli.workers import ProcessDied, map_in_order

JOBS = 20
DEADLY = -1
"""A job that ends its process."""


def nothing() -> None:
    pass


def double(job: int) -> int:
    if job == DEADLY:
        os._exit(1)
    return 2 * job


def workers(before: set) -> list:
    """Processes that were started since `before`: other tests keep a process of their own for the whole run."""
    return [process for process in multiprocessing.active_children() if process not in before]


def kill_a_worker(before: set) -> None:
    """Kill one of the processes, and wait until the pool has noticed and ended the others.

    There may be one alone: the pool starts another when a job finds none idle, and the first may have been as quick.
    """
    one = workers(before)[0]
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while workers(before):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def jobs_with_kills(jobs: list[int], kills: set[int]) -> Iterator[int]:
    """Jobs of which some are only known after a process was killed, as when a pipe is awaited."""
    before = set(multiprocessing.active_children())
    for number, job in enumerate(jobs):
        if number in kills:
            kill_a_worker(before)
        yield job


@pytest.mark.parametrize("kills", [{4}, {10}, {5, 19}])
def test_a_process_that_is_killed_before_a_job_is_submitted_costs_none(kills):
    jobs = [*range(JOBS)]
    results = list(map_in_order(double, jobs_with_kills(jobs, kills), 2, nothing, ()))
    assert results == [(job, 2 * job) for job in jobs]


def test_a_job_that_ends_its_process_is_the_only_one_that_is_lost():
    jobs = [0, 1, DEADLY, *range(3, JOBS)]
    results = list(map_in_order(double, jobs, 2, nothing, ()))
    assert [job for job, _ in results] == jobs
    assert [job for job, result in results if isinstance(result, ProcessDied)] == [DEADLY]
    assert all(result == 2 * job for job, result in results if job != DEADLY)
