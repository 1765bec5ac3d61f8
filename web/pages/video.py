"""Page /video: a video file that the browser plays, analyzed frame by frame through POST /api/v1/image."""

from __future__ import annotations

from flask import render_template

from .base import pages

FRAME_RATES = (1, 2, 5, 10)
"""Selectable rates of analysis in frames per second."""
DEFAULT_FRAME_RATE = 5


@pages.get("/video")
def video() -> str:
    return render_template("video.html", frame_rates=FRAME_RATES, default_frame_rate=DEFAULT_FRAME_RATE)
