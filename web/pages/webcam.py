"""Page /live: the webcam, analyzed frame by frame through POST /api/v1/image."""

from __future__ import annotations

from flask import render_template

from .base import pages


@pages.get("/live")
def webcam() -> str:
    return render_template("live.html")
