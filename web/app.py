"""Creation of the application: its settings, models, request handling and addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from emotions import ModelRegistry
from emotions.runtime.limits import SERVER, set_limits

from . import inference
from .api.openapi import document
from .http import (
    budgets,
    compression,
    feedback,
    keys,
    logging,
    metrics,
    model_files,
    offline,
    problems,
    rate_limit,
    security,
    static_files,
    uploads,
)

ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Mapping[str, Any] | None = None, registry: ModelRegistry | None = None) -> APIFlask:
    """Create the WSGI app; `settings` (parsed values) override the environment, `registry` overrides MODELS.

    Raises SettingError for a bad variable and ModelFileError for models that are missing or damaged, or cannot be fetched.
    """
    from .settings import read_settings  # here: `python -m web.settings` must not find it imported already

    app = APIFlask(
        __package__,
        title="Emotion Detector",
        version=document.VERSION,
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]  # no route of Flask's: http/static_files.py serves it
        template_folder=str(ROOT / "templates"),
    )
    app.config.update(read_settings(os.environ) | dict(settings or {}))
    app.static_folder = str(ROOT / "static")
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keep the order of EMOTIONS
    logging.register(app)  # first, since loading models logs
    inference.register(app, registry)
    set_limits(SERVER, decode_mb=app.config["DECODE_MB"])
    for part in (
        budgets,
        uploads,
        problems,
        keys,
        rate_limit,
        security,
        static_files,
        model_files,
        offline,
        feedback,
        metrics,
        compression,
    ):
        part.register(app)
    document.configure(app)
    _register_blueprints(app)
    return app


def _register_blueprints(app: APIFlask) -> None:
    from .api import feedback as feedback_api  # noqa: F401 - importing them registers their routes
    from .api import image, images, models, speech, text, video  # noqa: F401 - importing them registers their routes
    from .api.blueprint import api
    from .api.health import health
    from .pages import about, photo, webcam  # noqa: F401 - importing them registers their routes
    from .pages import feedback as feedback_page  # noqa: F401
    from .pages import speech as speech_page  # noqa: F401
    from .pages import text as text_page  # noqa: F401
    from .pages import video as video_page  # noqa: F401
    from .pages.base import pages

    video.register(app)
    for blueprint in (api, health, pages):
        app.register_blueprint(blueprint)
