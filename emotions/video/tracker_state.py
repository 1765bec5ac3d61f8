"""What a tracker remembers between two frames, and its JSON form, which clients carry: checked as any input from outside.

All numbers are whole, so that the same frames give the same tracks on every machine.
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
"""Of the JSON form: tracks of another version are refused."""
MAX_BYTES = 8192
MAX_TRACKS = 40
"""With every number at its longest these take 7.9 kB."""
MAX_ID = 10**9
MAX_AGE = 3000
"""Milliseconds for which a face that is not seen is remembered."""
MAX_CLOCK = 10**12
"""Milliseconds of the clock: `time` goes to 1e9 seconds."""
COORD_SCALE = 10**5
"""Parts of a picture's longer side: places do not depend on how large the frames are sent."""
MAX_COORD = 10**6
PROB_SCALE = 10**5
"""A probability of 1."""
DESCRIPTOR_BYTES = 48
"""Bytes of a face's appearance, see appearance.py."""


@dataclass(frozen=True)
class Track:
    """A person as last seen.

    `box`: middle x and y, width and height in COORD_SCALE. `velocity`: x and y, COORD_SCALE a second. `age`: milliseconds since it was seen.
    `probabilities`: smoothed, parts of PROB_SCALE. `appearance`: DESCRIPTOR_BYTES bytes.
    """

    id: int
    box: tuple[int, int, int, int]
    velocity: tuple[int, int]
    age: int
    probabilities: tuple[int, ...]
    appearance: bytes

    def to_json(self) -> list[Any]:
        appearance = base64.b64encode(self.appearance).decode("ascii")
        return [self.id, *self.box, *self.velocity, self.age, *self.probabilities, appearance]


@dataclass(frozen=True)
class TrackerState:
    """All that is remembered: `clock`, the last frame's time in milliseconds (None before the first); `next_id`, the id of
    the next new person; and the tracks, at most MAX_TRACKS."""

    clock: int | None = None
    next_id: int = 0
    tracks: tuple[Track, ...] = ()

    def to_json(self) -> str:
        """At most MAX_BYTES of ASCII."""
        body = {"version": VERSION, "clock": self.clock, "next": self.next_id, "tracks": [one.to_json() for one in self.tracks]}
        return json.dumps(body, separators=(",", ":"))


def loads(text: str) -> TrackerState:
    """The tracks of a text that `TrackerState.to_json` gave; nothing remembered for an empty one. Raises TrackerStateError."""
    if not text:
        return TrackerState()
    if len(text) > MAX_BYTES:
        raise TrackerStateError(f"The tracks have more than {MAX_BYTES:,} bytes.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise TrackerStateError("The tracks are not what an answer gave: they are no valid JSON.") from None
    if not isinstance(body, dict) or type(body.get("version")) is not int:
        raise TrackerStateError("The tracks are not what an answer gave.")
    if body["version"] != VERSION:
        raise TrackerStateError("The tracks are of another version; begin anew with empty ones.")
    if set(body) != {"version", "clock", "next", "tracks"}:
        raise TrackerStateError("The tracks are not what an answer gave.")
    clock = None if body["clock"] is None else _whole(body["clock"], 0, MAX_CLOCK, "clock")
    next_id = _whole(body["next"], 0, 2 * MAX_ID, "next")
    if next_id > MAX_ID:
        raise TrackerStateError("These tracks have used up their ids; begin anew with empty ones.")
    rows = body["tracks"]
    if not isinstance(rows, list) or len(rows) > MAX_TRACKS or (rows and clock is None):
        raise TrackerStateError(f"The tracks must be a list of at most {MAX_TRACKS}.")
    tracks = tuple(_track(row, next_id) for row in rows)
    if len({track.id for track in tracks}) < len(tracks):
        raise TrackerStateError("Two tracks have the same id.")
    return TrackerState(clock, next_id, tracks)


def _track(row: Any, next_id: int) -> Track:
    if not isinstance(row, list) or len(row) != 9 + len(EMOTIONS):
        raise TrackerStateError("A track does not have the fields that an answer gave.")
    probabilities = tuple(_whole(value, 0, PROB_SCALE, "probability") for value in row[8:-1])
    if abs(sum(probabilities) - PROB_SCALE) > len(EMOTIONS):
        raise TrackerStateError("A track's probabilities do not sum to 1.")
    return Track(
        id=_whole(row[0], 0, next_id - 1, "id"),
        box=(
            _whole(row[1], -MAX_COORD, MAX_COORD, "place"),
            _whole(row[2], -MAX_COORD, MAX_COORD, "place"),
            _whole(row[3], 1, MAX_COORD, "width"),
            _whole(row[4], 1, MAX_COORD, "height"),
        ),
        velocity=(_whole(row[5], -MAX_COORD, MAX_COORD, "velocity"), _whole(row[6], -MAX_COORD, MAX_COORD, "velocity")),
        age=_whole(row[7], 0, MAX_AGE, "age"),
        probabilities=probabilities,
        appearance=_appearance(row[-1]),
    )


def _whole(value: Any, low: int, high: int, name: str) -> int:
    if type(value) is not int or not low <= value <= high:  # true and false are ints to isinstance
        raise TrackerStateError(f"A {name} in the tracks is not a whole number in its range.")
    return value


def _appearance(value: Any) -> bytes:
    try:
        appearance = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        appearance = b""
    if len(appearance) != DESCRIPTOR_BYTES:
        raise TrackerStateError("A track's appearance is not what an answer gave.")
    return appearance
