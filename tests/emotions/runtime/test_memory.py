"""Memory budget: what is held elsewhere in the process is taken from it."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions import MemoryBudgetError
from emotions.runtime.memory import LARGE, MB, CodePages, MemoryBudget, mapped_bytes, release_pages, resident_bytes


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


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="mappings are listed in /proc/self/maps")
def test_pages_of_a_mapped_file_are_released_and_read_again(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(bytes(range(256)) * 4 * 2**12)  # 4 MB
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0  # every page is read
        before = resident_bytes()
        release_pages(path)
        assert before - resident_bytes() > 3 * MB
        assert mapped[:256] == bytes(range(256))
    release_pages(tmp_path / "missing")


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="mappings are listed in /proc/self/smaps")
def test_pages_of_libraries_are_released_and_used_again(monkeypatch):
    image = cv2.cvtColor(np.full((64, 64, 3), 90, np.uint8), cv2.COLOR_RGB2HSV)
    monkeypatch.setattr(CodePages, "PAUSE_SECONDS", 0.0)
    before = mapped_bytes()
    pages = CodePages()
    pages.release()
    after = mapped_bytes()
    assert before > CodePages.GROWN_BYTES and before - after > 8 * MB
    assert (cv2.cvtColor(np.full((64, 64, 3), 90, np.uint8), cv2.COLOR_RGB2HSV) == image).all()
    monkeypatch.setattr(pages, "_unchanged", lambda: pytest.fail("they have not grown"))
    pages.release()
    assert list(CodePages._unchanged()), "those of libraries that are in use"
