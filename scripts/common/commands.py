"""Command lines as reports show them, so that a figure can be measured again."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any


def command_line(module: str, parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Command line that gives these options again: each option whose value is not the default.

    Absolute paths are a machine's own, so that only their last part is shown; relative ones are shown as they were given.

    Args:
        module: module that is run, such as `scripts.evaluate.heads`.
        parser: parser of the options.
        options: what it parsed.
    """
    words = ["python", "-m", module]
    for action in parser._actions:
        value = getattr(options, action.dest, action.default)
        if action.option_strings and value != action.default:
            values = [] if action.nargs == 0 else value if isinstance(value, list | tuple) else [value]
            words += [action.option_strings[-1], *map(_shown, values)]
    return shlex.join(words)


def _shown(value: Any) -> str:
    if isinstance(value, Path):
        return value.name if value.is_absolute() else value.as_posix()
    return str(value)
