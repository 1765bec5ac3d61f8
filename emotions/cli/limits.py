"""Options of the command line that set the limits of one input (`emotions.runtime.limits`)."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace

from ..runtime.limits import LIBRARY, Limits

OPTIONS = {
    "file_mb": ("--max-file-mb", "MB", "megabytes of a photo or a recording, and of what standard input or a pipe gives"),
    "megapixels": ("--max-megapixels", "N", "millions of pixels of a photo"),
    "frame_megapixels": ("--max-megapixels", "N", "millions of pixels of a frame"),
    "sound_seconds": ("--max-seconds", "S", "seconds of a recording"),
    "text_characters": ("--max-characters", "N", "characters of a text"),
    "decode_mb": ("--decode-mb", "MB", "megabytes of memory that decoding may take, in each process"),
}
"""Attribute of Limits -> option, unit and meaning."""


def add_arguments(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add the options of the named limits; their defaults are those of the library."""
    group = command.add_argument_group("limits, above which a file is refused")
    for name in names:
        option, unit, meaning = OPTIONS[name]
        default = getattr(LIBRARY, name)
        kind = _whole if name == "text_characters" else _positive
        group.add_argument(
            option, dest=f"limit_{name}", type=kind, default=default, metavar=unit, help=f"{meaning} (default {default:,})"
        )


def chosen(options: argparse.Namespace) -> Limits:
    """Return the limits that the options set."""
    prefix = "limit_"
    return replace(
        LIBRARY, **{name.removeprefix(prefix): value for name, value in vars(options).items() if name.startswith(prefix)}
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0 (at most 1e9)")
    return value


def _whole(text: str) -> int:
    value = _positive(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(value)
