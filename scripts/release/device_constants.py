"""Write the constants that the browser's library shares with the Python package: static/js/device/constants.js.

python -m scripts.release.device_constants
python -m scripts.release.device_constants --check
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "static" / "js" / "device" / "constants.js"
MODULES: dict[str, tuple[str, ...]] = {
    "labels": ("EMOTIONS",),
    "tables": ("FACE_COLUMNS",),
    "face.alignment": (
        *("AXIS_STEPS", "BOX_CENTER", "BOX_SIDE", "EYE_CENTER", "LEFT_EYE", "POSITION_STEPS", "RIGHT_EYE", "RMS_RADIUS"),
    ),
    "face.blazeface": ("FULL_SCALE", "LOGIT_LIMIT", "NMS_IOU", "PYRAMID_SCALES", "TILE_EDGE"),
    "face.classifier": ("COVERED_ROLE", "DRAWN"),
    "face.defaults": ("DEFAULT_HEAD", "DEFAULT_VIEWS", "VIEWS"),
    "face.detector": (
        "CLOSER_BELOW", "CLOSER_SIDE", "DETECTORS", "LARGE_IMAGE", "MAX_CANDIDATES", "MAX_CLOSER_LOOKS", "MAX_EXAMINED",
        "MAX_FACES", "MAX_PROPOSALS", "MERGE_IOU", "NESTED", "TILE_SIZE",
    ),
    "face.drawn_detector": (
        "DUPLICATE_DISTANCE", "MAX_ACROSS", "MAX_FACES", "MAX_REFINED", "MAX_SAMPLES", "MIN_CONTRAST", "MIN_LEVEL",
        "MIN_REGION", "PROPOSAL_SCALES", "REFINE_OFFSETS", "REFINE_REACH", "ROLE", "WINDOW_SCALES", "WINDOW_STRIDE",
    ),
    "face.landmarks": ("CERTAIN", "MARGIN", "MAX_PASSES", "MAX_TILT", "PLAUSIBLE"),
    "face.pose": ("CHIN", "FOREHEAD", "LEFT", "NEUTRAL_PITCH", "RIGHT"),
    "face.reliability": ("MAX_PITCH", "UNSURE_REASONS"),
    "face.views": ("SHIFT", "SHIFTS"),
    "image.codecs.jpeg": ("MIN_DRAFT",),
    "image.formats": ("LONGEST_SIDE",),
    "image.loading": ("MAX_SIDE",),
    "runtime.limits": ("LIBRARY",),
    "video.appearance": (
        "CELLS", "CELL_SIZE", "COLOUR_WEIGHT", "FACE", "GRID", "GRID_CENTER", "HEAD", "HIDDEN", "LIGHTNESS_WEIGHT",
        "MIN_SHARED_CELLS", "OTHER_BODY", "OTHER_HEAD", "TAU",
    ),
    "video.association": (
        "APPEARANCE_STD", "CLEAR_SCORE", "GATE", "LOST_GATE", "LOST_PENALTY", "OCCLUDED_LIMIT", "POSITION_STD", "SIZE_STD",
        "UNCLEAR_GATE", "UNKNOWN_COST", "VELOCITY_DECAY", "VISIBLE_LIMIT",
    ),
    "video.tracker": ("DEFAULT_INTERVAL", "TAU", "VELOCITY_TAU"),
    "video.tracker_state": (
        "COORD_SCALE", "DESCRIPTOR_BYTES", "MAX_AGE", "MAX_BYTES", "MAX_CLOCK", "MAX_COORD", "MAX_ID", "MAX_TRACKS",
        "PROB_SCALE", "VERSION",
    ),
}  # fmt: skip
"""Module below `emotions` -> names of its constants."""
WIDTH = 130
HEADER = """\
// Constants of the Python package, by module and name. Written by scripts/release/device_constants.py: do not edit.

export const CONSTANTS = {
"""


def plain(value: Any) -> Any:
    """Convert a constant to what JSON has: tuples, arrays and slices (start, stop) to lists, dataclasses to objects.

    Infinite numbers become None. Raises TypeError for other types.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, slice):
        return [value.start, value.stop]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    if isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def render(modules: Mapping[str, Sequence[str]] = MODULES) -> str:
    """Return the content of constants.js. Raises AttributeError where a module lacks a name."""
    lines = []
    for module, names in modules.items():
        loaded = importlib.import_module(f"emotions.{module}")
        lines.append(f"  {json.dumps(module)}: {{")
        for name in names:
            lines += _wrapped(f"    {name}: {json.dumps(plain(getattr(loaded, name)))},")
        lines.append("  },")
    return HEADER + "\n".join(lines) + "\n};\n"


def _wrapped(line: str) -> list[str]:
    """Break a long line at spaces; no constant has a text with a space in it."""
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it. Returns the exit status: 1 where --check finds another content."""
    parser = argparse.ArgumentParser(description="Write static/js/device/constants.js.")
    parser.add_argument("--check", action="store_true", help="compare the file and write nothing")
    if parser.parse_args(arguments).check:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{FILE.relative_to(ROOT)} is not what the Python modules give: run python -m scripts.release.device_constants")
        return 1
    FILE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
