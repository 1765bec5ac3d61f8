"""The table of expressions (facs.toml): action units as shapes of the head model, and recipes of emotions.

`python -m scripts.synthetic.heads.facs` prints the units and the recipes as tables for docs/rendered_heads.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from emotions.labels import EMOTIONS

from ...data.dataset import DatasetError

TABLE = Path(__file__).with_name("facs.toml")
SIDED = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekRaiser", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile",
    "mouthStretch", "mouthUpperUp", "noseSneer", "PupilDilate",
)  # fmt: skip
"""Shapes that the head model has for the left (_L) and for the right (_R)."""
MIDDLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
"""Shapes that it has once."""
SIDES = ("L", "R")
DEFAULT_LIMITS = (0.0, 1.0)


@dataclass(frozen=True)
class Unit:
    """An action unit: its name in FACS and the weights of shapes at full intensity."""

    name: str
    shapes: dict[str, float]


@dataclass(frozen=True)
class Combination:
    """Weights of shapes that are added, times the smaller intensity, where two units act together."""

    units: tuple[str, str]
    shapes: dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """Action units of an expression at full strength.

    Attributes:
        name: unique.
        emotion: one of EMOTIONS.
        units: intensity in 0..1 by unit.
        optional: probability and intensity by unit.
        closed: whether the lips stay together when the jaw drops.
        gaze: mean direction of the eyes in degrees, to the person's left and up.
        speech: factor of an added mouth of speech.
        lids: whether the lids may droop or blink by chance.
        share: weight with which the recipe is drawn among those of its emotion.
    """

    name: str
    emotion: str
    units: dict[str, float]
    optional: dict[str, tuple[float, float]] = field(default_factory=dict)
    closed: bool = False
    gaze: tuple[float, float] = (0.0, 0.0)
    speech: float = 1.0
    lids: bool = True
    share: float = 1.0


@dataclass(frozen=True)
class Table:
    """All of facs.toml; `limits` and `visemes` by shape without side, `traces` by unit: highest intensity in neutral faces."""

    units: dict[str, Unit]
    combinations: tuple[Combination, ...]
    limits: dict[str, tuple[float, float]]
    visemes: dict[str, dict[str, float]]
    recipes: dict[str, Recipe]
    traces: dict[str, float]

    def of_emotion(self, emotion: str) -> tuple[Recipe, ...]:
        """Recipes of an emotion. Raises DatasetError if the emotion is unknown."""
        if emotion not in EMOTIONS:
            raise DatasetError(f"unknown emotion {emotion!r}: one of {', '.join(EMOTIONS)}")
        return tuple(recipe for recipe in self.recipes.values() if recipe.emotion == emotion)

    def translate(self, left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
        """Weights of the head model's shapes for intensities of units on both sides, not yet limited.

        Shapes that the model has once get the mean of both sides. Raises DatasetError for an unknown unit.
        """
        weights: dict[str, float] = {}
        for side, intensities in zip(SIDES, (left, right), strict=True):
            for unit, intensity in intensities.items():
                if unit not in self.units:
                    raise DatasetError(f"unknown action unit {unit!r}")
                _add(weights, self.units[unit].shapes, intensity, side)
            for pair in self.combinations:
                _add(weights, pair.shapes, min(intensities.get(unit, 0.0) for unit in pair.units), side)
        return weights

    def limit(self, shape: str, weight: float) -> float:
        """A weight within the limits of a shape (with or without its side)."""
        low, high = self.limits.get(shape.removesuffix("_L").removesuffix("_R"), DEFAULT_LIMITS)
        return min(max(weight, low), high)


def _add(weights: dict[str, float], shapes: Mapping[str, float], factor: float, side: str) -> None:
    if not factor:
        return
    for shape, weight in shapes.items():
        name, share = (f"{shape}_{side}", 1.0) if shape in SIDED else (shape, 0.5)
        weights[name] = weights.get(name, 0.0) + share * factor * weight


@lru_cache(maxsize=4)
def load_table(path: Path = TABLE) -> Table:
    """Read and check a table of expressions.

    Raises:
        DatasetError: if the file is missing or no TOML, or names an unknown shape, unit or emotion, or holds a number outside its
            range; the message names the place.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a table of expressions: {error}") from None
    _keys(content, {"units", "combinations", "limits", "visemes", "recipes", "traces"}, str(path))
    units = {key: _unit(key, entry) for key, entry in content.get("units", {}).items()}
    recipes: dict[str, Recipe] = {}
    for entry in content.get("recipes", []):
        recipe = _recipe(entry, units)
        if recipe.name in recipes:
            raise DatasetError(f"two recipes are named {recipe.name!r}")
        recipes[recipe.name] = recipe
    missing = [emotion for emotion in EMOTIONS if all(recipe.emotion != emotion for recipe in recipes.values())]
    if missing:
        raise DatasetError(f"{path} has no recipe for {', '.join(missing)}")
    return Table(
        units,
        tuple(_combination(entry, units) for entry in content.get("combinations", [])),
        {shape: _limits(shape, entry) for shape, entry in content.get("limits", {}).items()},
        {name: _shapes(f"viseme {name}", entry) for name, entry in content.get("visemes", {}).items()},
        recipes,
        _intensities("traces", content.get("traces", {}), units),
    )


def _keys(entry: Any, known: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise DatasetError(f"{where}: a table is expected, not {entry!r}")
    unknown = sorted(set(entry) - known)
    if unknown:
        raise DatasetError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _number(where: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DatasetError(f"{where}: {value!r} is not a number from {low:g} to {high:g}")
    return float(value)


def _pair(where: str, value: Any, low: float, high: float) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise DatasetError(f"{where}: {value!r} is not a pair of numbers")
    return _number(where, value[0], low, high), _number(where, value[1], low, high)


def _shapes(where: str, entry: Any) -> dict[str, float]:
    _keys(entry, {*SIDED, *MIDDLE}, where)
    return {shape: _number(f"{where}, {shape}", weight, -2, 2) for shape, weight in entry.items()}


def _unit(key: str, entry: Any) -> Unit:
    _keys(entry, {"name", "shapes"}, f"unit {key}")
    if "name" not in entry or not entry.get("shapes"):
        raise DatasetError(f"unit {key} needs a name and shapes")
    return Unit(str(entry["name"]), _shapes(f"unit {key}", entry["shapes"]))


def _combination(entry: Any, units: Mapping[str, Unit]) -> Combination:
    _keys(entry, {"units", "shapes"}, "combination")
    pair = entry.get("units")
    if not isinstance(pair, list) or len(pair) != 2 or not set(pair) <= set(units):
        raise DatasetError(f"combination: {pair!r} is not a pair of units of the table")
    return Combination((pair[0], pair[1]), _shapes(f"combination {'+'.join(pair)}", entry.get("shapes", {})))


def _limits(shape: str, entry: Any) -> tuple[float, float]:
    _keys({shape: entry}, {*SIDED, *MIDDLE}, "limits")
    low, high = _pair(f"limits of {shape}", entry, -2, 2)
    if not low <= 0 <= high:
        raise DatasetError(f"limits of {shape}: {entry!r} must enclose 0, the shape at rest")
    return low, high


def _intensities(where: str, entry: Any, units: Mapping[str, Unit]) -> dict[str, float]:
    _keys(entry, set(units), where)
    return {unit: _number(f"{where}, {unit}", value, 0, 1) for unit, value in entry.items()}


def _recipe(entry: Any, units: Mapping[str, Unit]) -> Recipe:
    name = str(entry.get("name", "")) if isinstance(entry, dict) else ""
    where = f"recipe {name!r}"
    _keys(entry, set(Recipe.__dataclass_fields__), where)
    if not name or "units" not in entry:
        raise DatasetError(f"{where} needs a name and units")
    if entry.get("emotion") not in EMOTIONS:
        raise DatasetError(f"{where}: unknown emotion {entry.get('emotion')!r}: one of {', '.join(EMOTIONS)}")
    optional = entry.get("optional", {})
    _keys(optional, set(units), f"{where}, optional")
    for flag in ("closed", "lids"):
        if not isinstance(entry.get(flag, True), bool):
            raise DatasetError(f"{where}: {flag} is true or false, not {entry[flag]!r}")
    return Recipe(
        name,
        entry["emotion"],
        _intensities(where, entry["units"], units),
        {unit: _pair(f"{where}, optional {unit}", value, 0, 1) for unit, value in optional.items()},
        entry.get("closed", False),
        _pair(f"{where}, gaze", entry.get("gaze", [0, 0]), -40, 40),
        _number(f"{where}, speech", entry.get("speech", 1), 0, 1),
        entry.get("lids", True),
        _number(f"{where}, share", entry.get("share", 1), 0, 100),
    )


def units_markdown(table: Table) -> str:
    """A Markdown table of the units."""
    lines = ["| unit | action | shapes at full intensity |", "| --- | --- | --- |"]
    for key, unit in table.units.items():
        lines.append(f"| {key} | {unit.name} | {_weights(unit.shapes)} |")
    for pair in table.combinations:
        lines.append(f"| {' + '.join(pair.units)} | together, added | {_weights(pair.shapes)} |")
    return "\n".join(lines)


def recipes_markdown(table: Table) -> str:
    """A Markdown table of the recipes: one line for each emotion."""
    lines = ["| emotion | recipes: units, in brackets those by chance |", "| --- | --- |"]
    for emotion in EMOTIONS:
        described = []
        for recipe in table.of_emotion(emotion):
            units = [unit.removeprefix("AU") for unit in sorted(recipe.units, key=_number_of)]
            optional = [f"({unit.removeprefix('AU')})" for unit in sorted(recipe.optional, key=_number_of)]
            described.append(f"{recipe.name.removeprefix(emotion + '-')} {'+'.join([*units, *optional]) or 'none'}")
        lines.append(f"| {emotion} | {'; '.join(described)} |")
    return "\n".join(lines)


def _weights(shapes: Mapping[str, float]) -> str:
    return ", ".join(f"{shape} {weight:g}" for shape, weight in shapes.items())


def _number_of(unit: str) -> int:
    return int("".join(filter(str.isdigit, unit)))


if __name__ == "__main__":
    print(units_markdown(load_table()), recipes_markdown(load_table()), sep="\n\n")
