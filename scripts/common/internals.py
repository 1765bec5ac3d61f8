"""Versions of the packages whose private interfaces this project uses, and the error for one that lacks them."""

from __future__ import annotations

from importlib.metadata import version

CHECKED = {"keras": "3.15", "ai-edge-litert": "2.3"}
"""Package -> major and minor version with which the tests of keras_internals and litert_weights passed."""


class InternalsError(RuntimeError):
    """A package lacks a private interface that this project uses; the message names the version that has it."""


def missing(package: str, name: str) -> InternalsError:
    """The error for a private interface `name` that the installed package does not have."""
    return InternalsError(
        f"{package} {version(package)} has no {name}; this project was checked with {package} {CHECKED[package]}"
    )
