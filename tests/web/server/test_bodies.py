"""Bodies of requests: what is read is what arrived, in any division, and the budget counts it."""

from __future__ import annotations

import random

import pytest

from web.server.bodies import BLOCK, Body, UploadBudget


@pytest.mark.parametrize("seed", range(5))
def test_read_returns_what_was_appended(seed):
    random_numbers = random.Random(seed)
    data = random_numbers.randbytes(3 * BLOCK + 17)
    body = Body(UploadBudget(10 * BLOCK))
    start = 0
    while start < len(data):
        size = random_numbers.choice((1, 1000, 65536, BLOCK + 1))
        body.append(data[start : start + size])
        start += size
    assert len(body) == len(data)
    read = b""
    while piece := body.read(random_numbers.choice((1000, 65536, 2 * BLOCK))):
        read += piece
    assert read == data and body.read() == b"" and body.readline() == b""


def test_lines():
    body = Body(UploadBudget(BLOCK))
    body.append(b"one\ntwo")
    body.append(b" and more\n\nlast")
    assert body.readline(2) == b"on" and body.readline() == b"e\n"
    assert list(body) == [b"two and more\n", b"\n", b"last"]


def test_memory_is_freed_while_it_is_read():
    body = Body(UploadBudget(100 * BLOCK))
    for _ in range(8):
        body.append(bytes(BLOCK))
    body.read(6 * BLOCK)
    assert sum(map(len, body._blocks)) == 2 * BLOCK


def test_budget_counts_until_the_body_is_closed():
    budget = UploadBudget(100)
    one, other = Body(budget), Body(budget)
    assert budget.used == 0
    one.append(b"12345")
    other.append(b"1")
    assert budget.used == 6
    one.read()
    assert budget.used == 6, "the application holds a copy until the request ends"
    one.close()
    assert budget.used == 1


def test_discarded_bodies_are_counted_and_take_no_memory():
    budget = UploadBudget(100)
    body = Body(budget)
    body.append(b"12345")
    body.discard()
    body.append(b"678")
    assert len(body) == 8 and body.read() == b"" and budget.used == 0
