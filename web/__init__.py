"""The web: Flask on top of the library `emotions`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from emotions import Analyser, Artefacts
from emotions.images import set_decode_budget

from . import logs, openapi, problems, security, uploads

ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Mapping[str, Any] | None = None, artefacts: Artefacts | None = None) -> APIFlask:
    """The WSGI app; `settings` are parsed values that win over the environment's, `artefacts` over MODELS.

    Raises SettingError for a bad variable and ArtefactError for a model file that is missing or damaged.
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
    app.extensions["analyser"] = _analyser(artefacts or Artefacts(ROOT / app.config["MODELS"]), app.config["EXPRESSION_HEAD"])
    set_decode_budget(app.config["DECODE_MB"])
    for part in (logs, uploads, problems, security):
        part.register(app)
    openapi.configure(app)
    _register_blueprints(app)
    return app


def _analyser(artefacts: Artefacts, head: str) -> Analyser:
    """The models, every file of them checked: a damaged one must stop the start, not a visitor's request."""
    artefacts.verify()
    artefacts.entry("expression-head", head)  # raises where EXPRESSION_HEAD names none of the manifest
    return Analyser(artefacts, head)


def _register_blueprints(app: APIFlask) -> None:
    from . import video  # noqa: F401 - adds its address to api
    from .api import api
    from .health import health
    from .pages import pages
    from .speech import speech  # it adds its address to api too

    for blueprint in (api, health, pages, speech):
        app.register_blueprint(blueprint)
