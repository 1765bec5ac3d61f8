"""Sample photos of the photo page; static/samples/README.md lists their origins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..http.problems import Problem

STATIC = Path(__file__).resolve().parents[2] / "static"


@dataclass(frozen=True)
class Sample:
    """A picture; `file` is relative to static/."""

    name: str
    title: str
    file: str

    @property
    def small(self) -> str:
        """Its thumbnail, relative to static/; scripts/docs/sample_pictures.py writes it."""
        return f"samples/small/{self.name}.webp"


SAMPLES: tuple[Sample, ...] = (
    Sample("collins", "Eileen Collins, astronaut", "samples/collins.jpg"),
    Sample("obama", "Barack Obama, official portrait", "samples/obama.jpg"),
    Sample("solvay", "29 physicists, Solvay Conference of 1927", "samples/solvay.jpg"),
    Sample("sad", "A sad drawing", "samples/sad.png"),
    Sample("angry", "An angry drawing", "samples/angry.png"),
    Sample("friends", "Four drawn faces", "samples/friends.png"),
)

FRAMED = SAMPLES[-1]
"""The sample whose result the home page shows."""


def find_sample(name: str) -> Sample:
    """Return the sample of this name. Raises Problem for a name that is not in SAMPLES: no path comes from the request."""
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    raise Problem("invalid_option", f"There is no sample called {name[:40]!r}.")


def sample_bytes(name: str) -> bytes:
    """Return the file of a sample. Raises Problem as `find_sample` does."""
    return (STATIC / find_sample(name).file).read_bytes()
