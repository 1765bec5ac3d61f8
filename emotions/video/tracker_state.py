"""Tracker state between frames and its JSON form. Clients send it back, so it is validated as untrusted input.

All numbers are integers, so that the same frames give the same state on every machine.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from ..errors import TrackerStateError
from ..labels import EMOTIONS

VERSION = 1
"""Version of the JSON form; any other is rejected."""
MAX_BYTES = 8192
MAX_TRACKS = 40
"""With every number at its longest these take 7.9 kB."""
MAX_ID = 10**9
MAX_AGE = 3000
"""Milliseconds after which a track without observations is dropped."""
MAX_CLOCK = 10**12
"""Largest clock in milliseconds: 1e9 seconds."""
COORD_SCALE = 10**5
"""Coordinates are in parts of the image's longer side, so that frames may be sent at any size."""
MAX_COORD = 10**6
PROB_SCALE = 10**5
"""The integer that stands for a probability of 1."""
DESCRIPTOR_BYTES = 48
"""Bytes of an appearance descriptor, see appearance.py."""


@dataclass(frozen=True)
class Track:
    """A tracked person at the last observation.

    Attributes:
        id: Number of the track.
        box: Centre x and y, width and height, in 1 / COORD_SCALE of the image's longer side.
        velocity: x and y, in the same unit a second.
        age: Milliseconds since the last observation.
        probabilities: Smoothed probabilities (7,), in 1 / PROB_SCALE.
        appearance: Appearance descriptor of DESCRIPTOR_BYTES bytes.
    """

    id: int
    box: tuple[int, int, int, int]
    velocity: tuple[int, int]
    age: int
    probabilities: tuple[int, ...]
    appearance: bytes

    def to_json(self) -> list[Any]:
        """Return the JSON array of the track."""
        appearance = base64.b64encode(self.appearance).decode("ascii")
        return [self.id, *self.box, *self.velocity, self.age, *self.probabilities, appearance]


@dataclass(frozen=True)
class TrackerState:
    """Everything that a tracker keeps between two frames.

    Attributes:
        clock: Time of the last frame in milliseconds; None before the first.
        next_id: Number of the next new track.
        tracks: At most MAX_TRACKS tracks.
    """

    clock: int | None = None
    next_id: int = 0
    tracks: tuple[Track, ...] = ()

    def dumps(self) -> str:
        """Serialise to at most MAX_BYTES of ASCII JSON."""
        body = {"version": VERSION, "clock": self.clock, "next": self.next_id, "tracks": [one.to_json() for one in self.tracks]}
        return json.dumps(body, separators=(",", ":"))


def loads(text: str) -> TrackerState:
    """Parse the text of `TrackerState.dumps`; an empty text gives an empty state.

    Raises:
        TrackerStateError: The text is too long, malformed, out of range or of another version.
    """
    if not text:
        return TrackerState()
    if len(text) > MAX_BYTES:
        raise TrackerStateError(f"The tracks have more than {MAX_BYTES:,} bytes.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise TrackerStateError("The tracks are not those of an earlier response: they are not valid JSON.") from None
    if not isinstance(body, dict) or type(body.get("version")) is not int:
        raise TrackerStateError("The tracks are not those of an earlier response.")
    if body["version"] != VERSION:
        raise TrackerStateError("The tracks are of another version; start again with empty ones.")
    if set(body) != {"version", "clock", "next", "tracks"}:
        raise TrackerStateError("The tracks are not those of an earlier response.")
    clock = None if body["clock"] is None else _integer(body["clock"], 0, MAX_CLOCK, "clock")
    next_id = _integer(body["next"], 0, 2 * MAX_ID, "next")
    if next_id > MAX_ID:
        raise TrackerStateError("These tracks have used up their ids; start again with empty ones.")
    rows = body["tracks"]
    if not isinstance(rows, list) or len(rows) > MAX_TRACKS or (rows and clock is None):
        raise TrackerStateError(f"The tracks must be a list of at most {MAX_TRACKS}.")
    tracks = tuple(_track(row, next_id) for row in rows)
    if len({track.id for track in tracks}) < len(tracks):
        raise TrackerStateError("Two tracks have the same id.")
    return TrackerState(clock, next_id, tracks)


def _track(row: Any, next_id: int) -> Track:
    if not isinstance(row, list) or len(row) != 9 + len(EMOTIONS):
        raise TrackerStateError("A track does not have the fields of an earlier response.")
    probabilities = tuple(_integer(value, 0, PROB_SCALE, "probability") for value in row[8:-1])
    if abs(sum(probabilities) - PROB_SCALE) > len(EMOTIONS):
        raise TrackerStateError("A track's probabilities do not sum to 1.")
    return Track(
        id=_integer(row[0], 0, next_id - 1, "id"),
        box=(
            _integer(row[1], -MAX_COORD, MAX_COORD, "position"),
            _integer(row[2], -MAX_COORD, MAX_COORD, "position"),
            _integer(row[3], 1, MAX_COORD, "width"),
            _integer(row[4], 1, MAX_COORD, "height"),
        ),
        velocity=(_integer(row[5], -MAX_COORD, MAX_COORD, "velocity"), _integer(row[6], -MAX_COORD, MAX_COORD, "velocity")),
        age=_integer(row[7], 0, MAX_AGE, "age"),
        probabilities=probabilities,
        appearance=_appearance(row[-1]),
    )


def _integer(value: Any, low: int, high: int, name: str) -> int:
    if type(value) is not int or not low <= value <= high:  # isinstance would accept true and false
        raise TrackerStateError(f"A {name} in the tracks is not an integer in its range.")
    return value


def _appearance(value: Any) -> bytes:
    try:
        appearance = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        appearance = b""
    if len(appearance) != DESCRIPTOR_BYTES:
        raise TrackerStateError("A track's appearance is not that of an earlier response.")
    return appearance
