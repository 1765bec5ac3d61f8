"""The pages that read moving pictures in the browser: the camera and video files. Every frame goes through the API."""

from __future__ import annotations

from flask import Blueprint, render_template

RATES = (1, 2, 5, 10)
"""Frames a second at which the video page offers to read a film; the third is the usual choice."""

live = Blueprint("live", __name__)


@live.get("/live")
def camera() -> str:
    """The visitor's own camera, read frame by frame."""
    return render_template("live.html")


@live.get("/video")
def video() -> str:
    """A video file, opened in the browser and read frame by frame."""
    return render_template("video.html", rates=RATES, usual_rate=RATES[2])
