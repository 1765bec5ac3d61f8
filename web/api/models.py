"""GET /api/v1/models and /api/v1/style: the served models, and the style of annotated images."""

from __future__ import annotations

from apiflask.fields import Boolean, Dict, Integer, List, Nested, String
from apiflask.validators import OneOf
from flask import Response, jsonify

from emotions.face.annotate import STYLE

from ..http.keys import api_keys
from ..inference import analyzer
from .blueprint import api
from .schemas import OutputSchema

MAX_AGE = "max-age=300"


class ModelEntry(OutputSchema):
    name = String(required=True)
    role = String(required=True)
    version = String(required=True)
    licence = String(required=True)
    file = String(required=True)
    bytes = Integer(required=True)
    sha256 = String(required=True)
    input = Dict(required=True)
    served = Boolean(required=True, metadata={"description": "true if this server uses it"})


class Models(OutputSchema):
    """The manifest's complete entries; fields beyond those listed depend on the role."""

    models = List(Nested(ModelEntry), required=True)
    source = String(
        required=True, validate=OneOf(("tree", "folder", "bucket", "fallback")),
        metadata={"description": "origin of the files; fallback: the tree, since the bucket was unavailable"},
    )  # fmt: skip
    set = String(required=True, metadata={"description": "first digits of the manifest's SHA-256: identifies the set of models"})


class Style(OutputSchema):
    """Colours, line widths and label layout of annotated images."""

    colours = Dict(keys=String(), values=String(), required=True)


@api.get("/models")
@api.output(Models)
@api.doc(summary="List the models with their licences", operation_id="listModels")
def models() -> Response:
    """The manifest's entries: name, role, version, licence, file and its sha256, temperature, thresholds, reliability."""
    expressions = analyzer().classifier
    idle = [entry.name for entry in analyzer().registry.entries("expression-head") if entry != expressions.head_entry]
    entries = [{**entry.metadata, "served": entry.name not in idle} for entry in analyzer().registry.entries()]
    registry = analyzer().registry
    return _cacheable({"models": entries, "source": registry.source, "set": registry.fingerprint})


@api.get("/style")
@api.output(Style)
@api.doc(summary="Get the style of annotated images", operation_id="getStyle")
def style() -> Response:
    """Colours, line widths and label layout, with which a client can draw as the server does."""
    return _cacheable(STYLE)


def _cacheable(body: dict) -> Response:
    response = jsonify(body)
    # A shared cache would give what it got with a key to clients without one.
    response.headers["Cache-Control"] = f"{'private' if api_keys() else 'public'}, {MAX_AGE}"
    return response
