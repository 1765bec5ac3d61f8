"""Seeded generator of hostile inputs: the same seed and number give the same bytes on every machine with the same libraries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from . import archives, forms, images, raw_http, sounds, texts, videos
from .raw_http import WAIT
from .requests import upload

SLOTS = (
    "image", "sound", "text", "http", "image", "form", "video", "image", "sound", "tracks", "image", "http", "text", "image",
    "form",
    "sound", "options", "image", "video", "archive",
)  # fmt: skip
"""Kind of each input by its number modulo their count, so that every range of numbers has all kinds."""
KINDS = tuple(dict.fromkeys(SLOTS))


@dataclass(frozen=True)
class HostileInput:
    """One input.

    Attributes:
        number: Number within its seed.
        kind: One of KINDS.
        family: Function that made it, such as `png.shape`.
        request: Bytes for a socket; for the kind `archive` empty.
        end: What follows them: `wait` for an answer, `half` (send no more, but read) or `close`.
        payload: The file in the request, or the archive; where a request carries no file, the request.
        suffix: Suffix of the payload's file name.
    """

    number: int
    kind: str
    family: str
    request: bytes
    end: str
    payload: bytes
    suffix: str = "bin"


def build(seed: int, number: int) -> HostileInput:
    """Make input `number` of `seed`, a pure function of both."""
    slot, turn = number % len(SLOTS), number // len(SLOTS)
    kind = SLOTS[slot]
    index = turn * SLOTS.count(kind) + SLOTS[:slot].count(kind)
    families = FAMILIES[kind]
    family = families[index % len(families)]
    random = Random(f"{seed}/{number}")
    headers = ((b"X-Request-Id", b"hostile-%d-%d" % (seed, number)),)
    name = f"{family.__module__.rpartition('.')[2]}.{family.__name__}"
    if kind == "archive":
        suffix, payload = family(random)
        return HostileInput(number, kind, name, b"", WAIT, payload, suffix)
    if kind == "http":
        request, end = family(random)
        return HostileInput(number, kind, name, request, end, request)
    if kind in ("image", "sound", "video"):
        payload = family(random)
        return HostileInput(number, kind, name, upload(kind, payload, kind, random, headers), WAIT, payload)
    if kind == "text":
        payload = family(random)
        return HostileInput(number, kind, name, texts.to_request(payload, random, headers), WAIT, payload)
    request = family(random, headers)
    return HostileInput(number, kind, name, request, WAIT, request)


FAMILIES: dict[str, tuple[Callable, ...]] = {
    "image": images.FAMILIES,
    "sound": sounds.FAMILIES,
    "video": videos.FAMILIES,
    "text": texts.FAMILIES,
    "form": forms.FORMS,
    "options": (forms.options,),
    "tracks": (forms.tracks,),
    "http": raw_http.FAMILIES,
    "archive": archives.FAMILIES,
}
"""Kind -> functions that make its inputs from a random generator, in turn."""
