"""The web: Flask on top of the library `emotions`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from emotions import Artefacts
from emotions.runtime.memory import set_decode_budget

from . import logs, models, openapi, problems, security, uploads

ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Mapping[str, Any] | None = None, artefacts: Artefacts | None = None) -> APIFlask:
    """The WSGI app; `settings` are parsed values that win over the environment's, `artefacts` over MODELS.

    Raises SettingError for a bad variable and ArtefactError for models that are missing or damaged, or cannot be fetched.
    """
    from .settings import read_settings  # here, so that `python -m web.settings` does not find it imported already

    app = APIFlask(
        __name__,
        title="Emotion Detector",
        version=openapi.VERSION,
        docs_path=None,
        json_errors=False,
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "templates"),
    )
    app.config.update(read_settings(os.environ) | dict(settings or {}))
    app.json.sort_keys = False  # emotions come in their own order
    logs.register(app)  # first: fetching models has something to say
    app.extensions["analyser"] = models.analyser(app.config, artefacts)
    set_decode_budget(app.config["DECODE_MB"])
    for part in (uploads, problems, security):
        part.register(app)
    openapi.configure(app)
    _register_blueprints(app)
    return app


def _register_blueprints(app: APIFlask) -> None:
    from . import text, video  # noqa: F401 - add their addresses to api
    from .api import api
    from .health import health
    from .live import live
    from .pages import pages
    from .speech import speech  # it adds its address to api too
    from .text_page import text_pages

    for blueprint in (api, health, live, pages, speech, text_pages):
        app.register_blueprint(blueprint)
