"""The models that answer: those of the folder or the bucket that MODELS names, or, where allowed, the tree's instead."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotions import Analyser, ArtefactError, Artefacts
from emotions.runtime.gcs import fetch_models

from .logs import LOGGER

ROOT = Path(__file__).resolve().parent.parent


def analyser(config: Mapping[str, Any], artefacts: Artefacts | None = None) -> Analyser:
    """The models of `artefacts`, else of MODELS. Raises ArtefactError; for a bucket only without MODELS_FALLBACK."""
    address, head = config["MODELS"], config["EXPRESSION_HEAD"]
    if artefacts or not address.startswith("gs:"):
        return _checked(artefacts or Artefacts(ROOT / address), head)
    begun = time.perf_counter()
    try:
        found = _checked(Artefacts(fetch_models(address), source="bucket"), head)
    except ArtefactError as error:
        told = {"extra": {"fields": {"models": {"address": address, "error": str(error)}}}}
        if not config["MODELS_FALLBACK"]:
            LOGGER.error("models of the bucket cannot be had, and MODELS_FALLBACK is 0: no start", **told)
            raise
        LOGGER.error("models of the bucket cannot be had: those in the tree answer", **told)
        return _checked(Artefacts(source="fallback"), head)
    seconds = round(time.perf_counter() - begun, 3)
    fields = {"address": address, "set": found.artefacts.fingerprint, "seconds": seconds}
    LOGGER.info("models of the bucket are here", extra={"fields": {"models": fields}})
    return found


def _checked(artefacts: Artefacts, head: str) -> Analyser:
    """Every file is checked: a damaged one must stop the start, not a visitor's request."""
    artefacts.verify()
    artefacts.entry("expression-head", head)  # raises where EXPRESSION_HEAD names none of the manifest
    return Analyser(artefacts, head)
