"""Memory budget: what is held elsewhere in the process is taken from it."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emotions import MemoryBudgetError
from emotions.runtime.memory import LARGE, MB, CodePages, MemoryBudget, mapped_ranges, release_pages


def test_memory_held_elsewhere_is_taken_from_the_budget():
    budget, held = MemoryBudget(100), [30]
    budget.elsewhere = lambda: held[0]
    with budget.reserve(100, wait_seconds=0):
        pass  # one input always gets its turn
    with budget.reserve(1):
        with budget.reserve(69, wait_seconds=0):
            pass
        with pytest.raises(MemoryBudgetError) as error, budget.reserve(70, wait_seconds=0.05):
            pass
    assert error.value.code == "busy", "it would fit later"
    granted = threading.Event()

    def wait() -> None:
        with budget.reserve(90, wait_seconds=30):
            granted.set()

    thread = threading.Thread(target=wait)
    with budget.reserve(10):
        thread.start()
        assert not granted.wait(0.2)
        held[0] = 0
        assert granted.wait(10)
        thread.join()


def test_large_reservations_free_what_can_be_spared_until_they_fit():
    budget, elsewhere, tries = MemoryBudget(100 * MB), [60 * MB], []

    def free_spare():
        tries.append(1)
        if len(tries) == 3:  # until then a model is in use
            elsewhere[0] = 0

    budget.elsewhere, budget.free_spare = lambda: elsewhere[0], free_spare
    with budget.reserve(LARGE):
        with budget.reserve(MB):
            assert not tries
        with budget.reserve(LARGE + 1):
            assert len(tries) == 3
    with budget.reserve(90 * MB):
        assert len(tries) == 3


def resident_bytes_of(path: Path) -> int:
    """Resident bytes of the mappings of a file; those of the process change with its other threads."""
    sizes, name = [], ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        field = line.split()
        name = name if field[0].endswith(":") else line
        if field[0] == "Rss:" and name.endswith(str(path)):
            sizes.append(1024 * int(field[1]))
    return sum(sizes)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="mappings are listed in /proc/self/maps")
def test_pages_of_a_mapped_file_are_released_and_read_again(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(bytes(range(256)) * 4 * 2**12)  # 4 MB
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0  # every page is read
        before = resident_bytes_of(path)
        (only,) = mapped_ranges(path)
        release_pages([only])
        assert before > 3 * MB and resident_bytes_of(path) == 0
        assert mapped[:256] == bytes(range(256))
    assert mapped_ranges(tmp_path / "missing") == mapped_ranges(path) == set()


RELEASE = """
import cv2, numpy as np
from emotions.runtime.memory import MB, CodePages, mapped_bytes
CodePages.PAUSE_SECONDS = 0.0
def convert():
    return cv2.cvtColor(np.full((64, 64, 3), 90, np.uint8), cv2.COLOR_RGB2HSV)
image, pages, before = convert(), CodePages(), mapped_bytes()
pages.release()
after = mapped_bytes()
assert before > CodePages.GROWN_BYTES and before - after > 8 * MB, (before, after)
assert (convert() == image).all()
calls = []
CodePages._unchanged = staticmethod(lambda smaps: calls.append(smaps) or [])
pages.release()
assert not calls, "they have not grown"
pages.release(0)
assert calls, "they have grown by that"
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="mappings are listed in /proc/self/smaps")
def test_pages_of_libraries_are_released_and_used_again():
    """In a process of its own, as a server is: other tests load libraries that change their code."""
    subprocess.run([sys.executable, "-c", RELEASE], cwd=Path(__file__).parents[3], check=True, timeout=60)


def test_executable_mappings_of_files_alone_are_released():
    smaps = b"""7000-8000 r-xp 00000000 08:01 5 /lib/a.so
Rss: 4 kB
Anonymous:             0 kB
8000-9000 r-xp 00000000 08:01 6 /lib/changed.so
Anonymous:             4 kB
9000-a000 rw-p 00000000 08:01 5 /lib/a.so
Anonymous:             0 kB
a000-b000 r--p 00000000 08:01 5 /lib/a.so
Anonymous:             0 kB
b000-c000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""
    assert list(CodePages._unchanged(smaps)) == [(0x7000, 0x8000)]
