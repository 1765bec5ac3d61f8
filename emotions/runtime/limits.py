"""Limits of what one input may be, for the whole process: a server sets tighter ones than a personal computer needs.

Each limit is compared with what an input's header states, before anything is decoded. Memory and processor time, which several
inputs share or which no header states, are the budgets of `memory` and `time_budget`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf

from .memory import MB, set_decode_budget


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one input.

    Attributes:
        file_mb: Megabytes (2**20 bytes) of a file.
        megapixels: Millions of pixels of an image.
        frame_megapixels: Millions of pixels of a video frame.
        sound_seconds: Seconds of a recording.
        text_characters: Characters of a text.
        decode_mb: Megabytes that decoding takes at once, over all threads of the process.
        excess_mb: Megabytes by which the process may grow beyond what is reserved while a sound or video is read; it is then
            given up. For a server alone: what a caller keeps of a video makes the process grow too.
    """

    file_mb: float
    megapixels: float
    frame_megapixels: float
    sound_seconds: float
    text_characters: int
    decode_mb: float
    excess_mb: float = inf

    def __post_init__(self) -> None:
        """Raise ValueError unless all limits are positive."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} must be positive, not {value}")

    @property
    def file_bytes(self) -> int:
        """Bytes of a file."""
        return int(self.file_mb * MB)


LIBRARY = Limits(
    file_mb=1024, megapixels=500, frame_megapixels=36, sound_seconds=24 * 3600, text_characters=1_000_000, decode_mb=2048
)
"""Defaults of the library and the command line: scans, 200-megapixel telephones, 8K video and a day's recording."""
SERVER = Limits(
    file_mb=32,
    megapixels=120,
    frame_megapixels=9.5,
    sound_seconds=3600,
    text_characters=100_000,
    decode_mb=120,
    excess_mb=24,
)
"""Defaults of the server, which fit App Engine's F1: 384 MB of memory, and requests of 32 MB."""

_limits = LIBRARY


def get_limits() -> Limits:
    """Return the limits of this process."""
    return _limits


def set_limits(limits: Limits | None = None, **changes: float) -> Limits:
    """Set the limits of this process; call it before work starts.

    Args:
        limits: New limits; by default those in force.
        **changes: Attributes of `Limits` to replace.

    Returns:
        The limits that were in force before, to restore them.

    Raises:
        TypeError: There is no limit of that name.
        ValueError: A limit is not positive.

    Example:
        >>> from emotions import set_limits
        >>> before = set_limits(file_mb=64)
        >>> set_limits(before).file_mb
        64
    """
    global _limits
    before = _limits
    _limits = replace(limits or before, **changes)  # type: ignore[arg-type]
    set_decode_budget(_limits.decode_mb)
    return before
