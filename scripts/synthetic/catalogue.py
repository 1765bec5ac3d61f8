"""Avatars of the DiceBear styles: a style definition, chosen component variants and colours -> SVG -> pixels.

A definition (github.com/dicebear/styles, `src/*.json`) is a drawing as data: a canvas of elements, among them places for
components; components with their variants, which hold elements and places again; groups of colours that elements name.
Read here from the definitions alone: placing, probabilities and what colours must differ are what the files say.
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
"""Which variants show which expression, judged by eye on contact sheets of every style. A variant that may be read as several
expressions stands in no recipe; disgust and fear stand wherever a style has parts that show nothing else (a tongue put out of
a mouth whose corners fall, eyes wide open over wavy lips)."""


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
        """Colour groups and the values that the artist gave them."""
        return {name: group["values"] for name, group in self.definition["colors"].items()}


@dataclass(frozen=True)
class Recipe:
    """What makes a face of one expression: one of the named variants of each component."""

    style: str
    expression: str
    parts: Mapping[str, tuple[str, ...]]


def load_styles(folder: Path, names: Collection[str] | None = None) -> dict[str, Style]:
    """Definitions (*.json) of a folder, or of `src` in it as in their repository, by name, which is the file's.

    All, or those of `names` that are there.
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
    """Rows of style, expression, components (`eyes=a|b;mouth=c`)."""
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


def choose_parts(style: Style, random: np.random.Generator, banned: Mapping[str, Collection[str]]) -> dict[str, str | None]:
    """A variant of every component, by the definition's probabilities and weights, none of `banned` {component: variants}.

    None leaves a component out: by its probability, or because all of its variants are banned.
    """
    chosen: dict[str, str | None] = {}
    for name, component in style.components.items():
        allowed = [variant for variant in component["variants"] if variant not in banned.get(name, ())]
        weights = np.array([component["variants"][variant].get("weight", 1) for variant in allowed], float)
        drawn = random.random() * 100 < component.get("probability", 100) and weights.sum() > 0
        chosen[name] = str(random.choice(allowed, p=weights / weights.sum())) if drawn else None
    return chosen


def choose_colours(style: Style, random: np.random.Generator) -> dict[str, str]:
    """A value of every colour group, other than the values of the groups that it must not equal."""
    chosen: dict[str, str] = {}
    for name, group in style.definition["colors"].items():
        taken = {chosen[other] for other in group.get("notEqualTo", ()) if other in chosen}
        chosen[name] = str(random.choice([value for value in group["values"] if value not in taken] or group["values"]))
    return chosen


def choose_places(style: Style, random: np.random.Generator) -> dict[str, str]:
    """SVG transforms of the components that may move: `translate` in per cent of their size, `rotate` in degrees."""
    places = {}
    for name, component in style.components.items():
        width, height = component["width"], component["height"]
        moves = []
        if shift := component.get("translate"):
            x, y = (random.uniform(*_range(shift.get(axis))) / 100 * side for axis, side in (("x", width), ("y", height)))
            moves.append(f"translate({x:.2f} {y:.2f})")
        if "rotate" in component:
            moves.append(f"rotate({random.uniform(*_range(component['rotate'])):.2f} {width / 2} {height / 2})")
        if moves:
            places[name] = " ".join(moves)
    return places


def _range(limits: Mapping[str, float] | None) -> tuple[float, float]:
    return (limits["min"], limits["max"]) if limits else (0.0, 0.0)


def to_svg(
    style: Style,
    parts: Mapping[str, str | None],
    colours: Mapping[str, str],
    places: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    line: float = 1.0,
) -> str:
    """The SVG text of an avatar. `parts`, `colours`, `places` as the functions above choose them; `line` widens all strokes.

    `only` draws nothing but these components, each in its place: a face without head, hair or clothes.
    """

    def attributes(given: Mapping[str, Any]) -> Iterator[str]:
        for name, value in given.items():
            if isinstance(value, dict):
                value = colours[value["name"]]
            elif name == "stroke-width" and line != 1:
                value = f"{float(value) * line:.3f}"
            yield f"{name}={quoteattr(value)}"

    def written(elements: list[dict[str, Any]], shown: bool) -> str:
        return "".join(text for element in elements for text in one(element, shown))

    def one(element: dict[str, Any], shown: bool) -> Iterator[str]:
        name, given = str(element.get("name")), element.get("attributes", {})
        if element["type"] == "component":
            variant = parts.get(name)
            if variant is not None:
                inner = written(style.components[name]["variants"][variant]["elements"], only is None or shown or name in only)
                place = (places or {}).get(name)
                if place:
                    inner = f"<g transform={quoteattr(place)}>{inner}</g>"
                yield f"<g {' '.join(attributes(given))}>{inner}</g>"
        elif element["type"] == "element" and name != "style":  # style sheets move things, and a picture stands still
            children = written(element.get("children", []), shown or name in ("defs", "mask", "clipPath"))
            if shown or children:
                yield f"<{name} {' '.join(attributes(given))}>{children}</{name}>"

    canvas = style.definition["canvas"]
    root = " ".join(attributes(style.definition.get("attributes", {})))
    size = f'viewBox="0 0 {canvas["width"]} {canvas["height"]}" width="{canvas["width"]}" height="{canvas["height"]}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {root}>{written(canvas["elements"], only is None)}</svg>'


def rasterise(svg: str, side: int) -> np.ndarray:
    """SVG text of a square canvas -> (side, side, 4) uint8 RGBA, not premultiplied."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    pixels = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None  # resvg wrote it
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)


def attribution(styles: Mapping[str, Style]) -> str:
    """A Markdown list of who drew the styles under which licence: the lines that the licences ask to print."""
    lines = []
    for name, style in styles.items():
        meta = style.definition.get("meta", {})
        licence, artist = meta.get("license", {}), meta.get("creator", {}).get("name", "unnamed")
        text = licence.get("text") or f"{artist}, {licence.get('name', 'no licence named')}"
        lines.append(f"- **{name}** ({artist}; {licence.get('name', 'no licence named')}): {text}")
    return "\n".join(lines)
