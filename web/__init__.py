"""The web: Flask on top of the library `emotions`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from emotions import ModelRegistry
from emotions.runtime.memory import set_decode_budget

from . import inference
from .api import openapi
from .http import logging, problems, security, uploads

ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Mapping[str, Any] | None = None, registry: ModelRegistry | None = None) -> APIFlask:
    """The WSGI app; `settings` are parsed values that win over the environment's, `registry` over MODELS.

    Raises SettingError for a bad variable and ModelFileError for models that are missing or damaged, or cannot be fetched.
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
    app.json.sort_keys = False  # type: ignore[attr-defined]  # emotions come in their own order
    logging.register(app)  # first: fetching models has something to say
    app.extensions["analyzer"] = inference.load_analyzer(app.config, registry)
    set_decode_budget(app.config["DECODE_MB"])
    for part in (uploads, problems, security):
        part.register(app)
    openapi.configure(app)
    _register_blueprints(app)
    return app


def _register_blueprints(app: APIFlask) -> None:
    from .api import image, speech, text, video  # noqa: F401 - add their addresses to api
    from .api.blueprint import api
    from .api.health import health
    from .pages import about, photo  # noqa: F401 - add their addresses to pages
    from .pages.base import pages
    from .pages.speech import speech as speech_pages
    from .pages.text import text_pages
    from .pages.webcam import live

    for blueprint in (api, health, live, pages, speech_pages, text_pages):
        app.register_blueprint(blueprint)
