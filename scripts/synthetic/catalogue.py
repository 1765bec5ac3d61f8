"""DiceBear avatars: style definition, component variants and colours -> SVG -> pixels.

A definition (github.com/dicebear/styles, `src/*.json`) holds a canvas of elements with slots for components, the components with
their variants (again elements and slots), and groups of colours that elements refer to. Positions, probabilities and constraints
on colours are taken from the definition.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
import resvg_py

from emotions.labels import EMOTIONS

from ..data.dataset import DatasetError

RECIPES = Path(__file__).parents[1] / "configs" / "dicebear_recipes.csv"
"""Variants that show each expression, labelled by hand on contact sheets of every style. Ambiguous variants are in no recipe;
disgust and fear are included for styles with unambiguous parts (tongue out with falling corners of the mouth, wide eyes over wavy
lips)."""


@dataclass(frozen=True)
class Style:
    """A style definition; `definition` is the JSON file's content."""

    name: str
    definition: dict[str, Any]

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        return self.definition["components"]

    @property
    def colours(self) -> dict[str, list[str]]:
        """Colour groups and their values."""
        return {name: group["values"] for name, group in self.definition["colors"].items()}


@dataclass(frozen=True)
class Recipe:
    """Component variants that show one expression; one of the listed variants is chosen for each component."""

    style: str
    expression: str
    parts: Mapping[str, tuple[str, ...]]


def load_styles(folder: Path, names: Collection[str] | None = None) -> dict[str, Style]:
    """Load the definitions (*.json) of a folder, or of its subfolder `src`, keyed by file name without suffix.

    `names` restricts them; names without a file are ignored. Raises DatasetError if there is no definition or one is damaged.
    """
    place = Path(folder) / "src"
    paths = sorted((place if place.is_dir() else Path(folder)).glob("*.json"))
    if not paths:
        raise DatasetError(f"{folder}: no style definition (*.json) there; `python -m scripts.data.fetch dicebear` gets them")
    return {path.stem: load_style(path) for path in paths if names is None or path.stem in names}


def load_style(path: Path) -> Style:
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not a style definition ({error})") from None
    if missing := {"canvas", "components", "colors"} - set(definition):
        raise DatasetError(f"{path}: not a style definition, it lacks {', '.join(sorted(missing))}")
    return Style(path.stem, definition)


def read_recipes(path: Path = RECIPES) -> list[Recipe]:
    """Read a CSV file with the columns style, expression and components (`eyes=a|b;mouth=c`)."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from None
    if not rows or not {"style", "expression", "components"} <= set(rows[0]):
        raise DatasetError(f"{path}: columns style, expression and components expected")
    recipes = []
    for number, row in enumerate(rows, 2):
        if row["expression"] not in EMOTIONS:
            raise DatasetError(f"{path}, line {number}: {row['expression']!r} is none of {', '.join(EMOTIONS)}")
        parts = (part.split("=", 1) for part in row["components"].split(";"))
        recipes.append(Recipe(row["style"], row["expression"], {name: tuple(names.split("|")) for name, names in parts}))
    return recipes


def choose_parts(style: Style, random: np.random.Generator, excluded: Mapping[str, Collection[str]]) -> dict[str, str | None]:
    """Sample a variant of every component by the definition's probabilities and weights, without `excluded` {component:
    variants}.

    None means that a component is not drawn: by its probability, or because all of its variants are excluded.
    """
    chosen: dict[str, str | None] = {}
    for name, component in style.components.items():
        allowed = [variant for variant in component["variants"] if variant not in excluded.get(name, ())]
        weights = np.array([component["variants"][variant].get("weight", 1) for variant in allowed], float)
        included = random.random() * 100 < component.get("probability", 100) and weights.sum() > 0
        chosen[name] = str(random.choice(allowed, p=weights / weights.sum())) if included else None
    return chosen


def choose_colours(style: Style, random: np.random.Generator) -> dict[str, str]:
    """Sample a value of every colour group that differs from those of its `notEqualTo` groups."""
    chosen: dict[str, str] = {}
    for name, group in style.definition["colors"].items():
        taken = {chosen[other] for other in group.get("notEqualTo", ()) if other in chosen}
        chosen[name] = str(random.choice([value for value in group["values"] if value not in taken] or group["values"]))
    return chosen


def choose_transforms(style: Style, random: np.random.Generator) -> dict[str, str]:
    """Sample SVG transforms of the movable components: `translate` in per cent of their size, `rotate` in degrees."""
    transforms = {}
    for name, component in style.components.items():
        width, height = component["width"], component["height"]
        moves = []
        if shift := component.get("translate"):
            x, y = (random.uniform(*_range(shift.get(axis))) / 100 * side for axis, side in (("x", width), ("y", height)))
            moves.append(f"translate({x:.2f} {y:.2f})")
        if "rotate" in component:
            moves.append(f"rotate({random.uniform(*_range(component['rotate'])):.2f} {width / 2} {height / 2})")
        if moves:
            transforms[name] = " ".join(moves)
    return transforms


def _range(limits: Mapping[str, float] | None) -> tuple[float, float]:
    return (limits["min"], limits["max"]) if limits else (0.0, 0.0)


def to_svg(
    style: Style,
    parts: Mapping[str, str | None],
    colours: Mapping[str, str],
    transforms: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    stroke_scale: float = 1.0,
) -> str:
    """Write an avatar as SVG.

    Args:
        style: the definition.
        parts: component -> variant or None, as choose_parts returns them.
        colours: colour group -> value, as choose_colours returns them.
        transforms: component -> SVG transform, as choose_transforms returns them.
        only: draw only these components, each in its position: a face without head, hair or clothes.
        stroke_scale: factor of all stroke widths.
    """

    def attributes(given: Mapping[str, Any]) -> Iterator[str]:
        for name, value in given.items():
            if isinstance(value, dict):
                value = colours[value["name"]]
            elif name == "stroke-width" and stroke_scale != 1:
                value = f"{float(value) * stroke_scale:.3f}"
            yield f"{name}={quoteattr(value)}"

    def elements_text(elements: list[dict[str, Any]], shown: bool) -> str:
        return "".join(text for element in elements for text in element_text(element, shown))

    def element_text(element: dict[str, Any], shown: bool) -> Iterator[str]:
        name, given = str(element.get("name")), element.get("attributes", {})
        if element["type"] == "component":
            variant = parts.get(name)
            if variant is not None:
                inner = elements_text(
                    style.components[name]["variants"][variant]["elements"], only is None or shown or name in only
                )
                place = (transforms or {}).get(name)
                if place:
                    inner = f"<g transform={quoteattr(place)}>{inner}</g>"
                yield f"<g {' '.join(attributes(given))}>{inner}</g>"
        elif element["type"] == "element" and name != "style":  # style sheets only hold animations
            children = elements_text(element.get("children", []), shown or name in ("defs", "mask", "clipPath"))
            if shown or children:
                yield f"<{name} {' '.join(attributes(given))}>{children}</{name}>"

    canvas = style.definition["canvas"]
    root = " ".join(attributes(style.definition.get("attributes", {})))
    size = f'viewBox="0 0 {canvas["width"]} {canvas["height"]}" width="{canvas["width"]}" height="{canvas["height"]}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {root}>{elements_text(canvas["elements"], only is None)}</svg>'


def rasterise(svg: str, side: int) -> np.ndarray:
    """Render an SVG of a square canvas as (side, side, 4) uint8 RGBA, not premultiplied."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    pixels = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None  # encoded by resvg just now
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)


def attribution(styles: Mapping[str, Style]) -> str:
    """Return a Markdown list of the styles' artists and licences, with the attribution that the licences require."""
    lines = []
    for name, style in styles.items():
        meta = style.definition.get("meta", {})
        licence, artist = meta.get("license", {}), meta.get("creator", {}).get("name", "unnamed")
        text = licence.get("text") or f"{artist}, {licence.get('name', 'no licence named')}"
        lines.append(f"- **{name}** ({artist}; {licence.get('name', 'no licence named')}): {text}")
    return "\n".join(lines)
