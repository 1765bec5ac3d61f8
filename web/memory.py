"""Memory that large requests leave behind in the C library's heap."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give freed memory back to the system, where the C library can (glibc): after a film some 10 MB in a few milliseconds.

    The heap only shrinks from its end by itself, and what a decoder and an encoder freed lies in its middle.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
