"""Options of a request that carries a file: in the query and as form fields alike."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from flask import request
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from ..http.problems import Problem, invalid


def parse_options(schema: Schema) -> dict[str, Any]:
    """Options of the query and the form, each validated; the form's count where both have one. Raises Problem."""
    form = request.form.copy()
    form.poplist("file")  # text in the file's field is the upload's business
    return schema.load({}) | _options(schema, request.args) | _options(schema, form)


def _options(schema: Schema, source: MultiDict) -> dict[str, Any]:
    """The options that `source` holds, validated. Raises Problem."""
    for name, values in source.lists():
        if name not in schema.fields:
            raise Problem("unknown_option", f"There is no option {name[:40]!r}; there are {', '.join(schema.fields)}.")
        if len(values) > 1:
            raise Problem("invalid_option", f"The option {name!r} is given more than once.")
    try:
        loaded = schema.load(source.to_dict())
    except ValidationError as error:
        raise invalid("invalid_option", error.messages) from None
    return {name: loaded[name] for name in source}
