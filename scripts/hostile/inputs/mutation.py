"""Random damage to bytes, and numbers at the edges of their ranges; all from a seeded generator."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

MAX_BYTES = 2**21
"""Mutations never make an input longer than this."""
EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)
"""Integers at which widths of fields and signs change."""


def edge(random: Random, bits: int = 32) -> int:
    """Draw an integer of at most `bits` bits, mostly one at an edge of its range."""
    if random.random() < 0.7:
        return random.choice([value for value in EDGES if value < 2**bits])
    return random.getrandbits(random.randint(1, bits))


def log_uniform(random: Random, low: int, high: int) -> int:
    """Draw an integer from `low` to `high` whose logarithm is uniform, so that most are small."""
    return min(high, max(low, round(low * (high / low) ** random.random())))


def truncate(data: bytes, random: Random) -> bytes:
    """Cut `data` anywhere, often near its start, where headers are."""
    return data[: int(len(data) * random.random() ** random.choice((1, 3)))]


def mutate(data: bytes, random: Random) -> bytes:
    """Apply one to five random operations: bits, bytes, integers, cuts, copies, insertions."""
    for _ in range(random.randint(1, 5)):
        if not data:
            return data
        data = random.choice(OPERATIONS)(data, random)[:MAX_BYTES]
    return data


def _flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 3, 20, 200))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _set_integer(data: bytes, random: Random) -> bytes:
    form = random.choice(("<B", "<H", ">H", "<I", ">I", ">Q"))
    width = struct.calcsize(form)
    where = int(max(0, len(data) - width) * random.random() ** random.choice((1, 2, 4)))
    return data[:where] + struct.pack(form, edge(random, min(32, 8 * width))) + data[where + width :]


def _remove(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + data[start + log_uniform(random, 1, len(data)) :]


def _repeat(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    piece = data[start : start + log_uniform(random, 1, len(data))]
    return data[:start] + piece * random.choice((2, 3, 50)) + data[start + len(piece) :]


def _insert(data: bytes, random: Random) -> bytes:
    start, count = random.randrange(len(data) + 1), log_uniform(random, 1, 2000)
    filling = random.choice((random.randbytes(count), b"\0" * count, b"\xff" * count))
    return data[:start] + filling + data[start:]


def _swap(data: bytes, random: Random) -> bytes:
    first, second = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[second:] + data[first:second] + data[:first]


OPERATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits, _flip_bits, _set_integer, _set_integer, _set_integer, _remove, _repeat, _insert, _swap, truncate,
)  # fmt: skip
