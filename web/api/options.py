"""Options of requests that carry a file, in the query and in form fields."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from apiflask import Schema
from flask import request
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from ..http.problems import Problem, invalid


def parse_options(schema: Schema) -> dict[str, Any]:
    """Validate the options of the query and of the form. Raises Problem, also for one that has different values in both."""
    fields = request.form.copy()
    fields.poplist("file")  # a text in the field of the file is reported by http/uploads.py
    query, form = _load(schema, request.args), _load(schema, fields)
    for name in query.keys() & form.keys():
        if query[name] != form[name]:
            message = "The query and the form give different values; send the option in one of the two."
            raise invalid("invalid_option", {name: [message]})
    return schema.load({}) | query | form


def parse_page_options(schema: Schema, names: Collection[str]) -> dict[str, Any]:
    """Validate the options `names` of a page's form, whose other fields are left alone. Raises Problem."""
    chosen = MultiDict((name, value) for name, value in request.form.items(multi=True) if name in names)
    return schema.load({}) | _load(schema, chosen)


def _load(schema: Schema, source: MultiDict) -> dict[str, Any]:
    """Validate the options in `source`. Raises Problem."""
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
