"""Faces followed through the frames that a client sends: what is remembered travels with them, the server keeps nothing."""

from __future__ import annotations

from flask import g

from emotions import Follower, ImageResult
from emotions.errors import TracksError
from emotions.image.loading import Picture

from .problems import Problem


def follower_of(tracks: str) -> Follower:
    """The follower that goes on from an earlier answer's `tracks`; anew where they are empty. Raises Problem."""
    try:
        return Follower(tracks)
    except TracksError as error:
        raise Problem("invalid_tracks", str(error)) from None


def followed(follower: Follower, picture: Picture, result: ImageResult, time: float | None) -> ImageResult:
    """The result with followed ids and smoothed probabilities, its time noted for the answer's headers and the log."""
    result = follower.follow(picture, result, time)
    g.timing_ms["follow"] = result.timing_ms["follow"]
    return result
