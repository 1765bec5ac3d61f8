"""Sample photos of the photo page; static/samples/README.md lists their origins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..http.problems import Problem

STATIC = Path(__file__).resolve().parents[2] / "static"


@dataclass(frozen=True)
class Sample:
    """`file` is relative to static/; `width` and `height` in pixels reserve the space while it loads."""

    name: str
    title: str
    file: str
    width: int
    height: int


SAMPLES: tuple[Sample, ...] = (
    Sample("collins", "Eileen Collins, astronaut", "samples/collins.jpg", 512, 512),
    Sample("obama", "Barack Obama, official portrait", "samples/obama.jpg", 512, 640),
    Sample("angry", "An angry drawing", "samples/angry.png", 640, 480),
    Sample("friends", "Four drawn faces", "samples/friends.png", 880, 480),
)


def sample_bytes(name: str) -> bytes:
    """Return the sample's file. Raises Problem for a name that is not in SAMPLES: no path comes from the request."""
    for sample in SAMPLES:
        if sample.name == name:
            return (STATIC / sample.file).read_bytes()
    raise Problem("invalid_option", f"There is no sample called {name[:40]!r}.")
