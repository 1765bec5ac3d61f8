"""An artist's eye on the DiceBear styles: pictures of one expression with everything else drawn at random."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..data.dataset import DatasetError
from .catalogue import (
    RECIPES,
    Recipe,
    Style,
    choose_colours,
    choose_parts,
    choose_places,
    load_styles,
    rasterise,
    read_recipes,
    to_svg,
)  # fmt: skip

BARE = "-neutral"
"""Ending of the styles that show a face's parts on a plain ground; their definitions repeat the parent's parts."""
COVERS = ("accessories", "eyepatch", "gesture", "glasses", "mask")
"""Components that hide eyes or mouth by their nature."""
BEARDS = ("beard", "facialHair", "mustache")
BEARDED = 0.03  # share of pictures that keep a beard: it hides most of a mouth
SEEN = 0.6  # share of a part's pixels that hair or a head must leave to be seen
NOTICED = 24  # grey levels by which a pixel must change to count as part of a mouth, an eye, a brow
LOOK = 96  # pixels a side at which it is counted
FEATURES = 0.5, 0.8  # width of a bare face's parts as a share of the picture


def family(style: str) -> str:
    """X for both X and X-neutral."""
    return style.removesuffix(BARE)


class Artist:
    """Draws the styles for which there are recipes. Styles named X-neutral need only X's definition."""

    def __init__(self, styles: Mapping[str, Style], recipes: list[Recipe]) -> None:
        self.recipes = {(recipe.style, recipe.expression): recipe for recipe in recipes}
        if missing := sorted({family(style) for style, _ in self.recipes} - set(styles)):
            raise DatasetError(f"no definition of the styles {', '.join(missing)}, which have recipes")
        self.definitions = styles
        for recipe in recipes:
            self._check(recipe)

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """What can be drawn: (style, expression)."""
        return list(self.recipes)

    @property
    def styles(self) -> list[str]:
        return list(dict.fromkeys(style for style, _ in self.recipes))

    def picture(self, style: str, expression: str, side: int, random: np.random.Generator) -> np.ndarray:
        """(side, side, 3) uint8 RGB, in the artist's colours and lines or in others."""
        return lines(self._drawn(style, expression, side, random, varied=True)[0], random)

    def plain(self, style: str, expression: str, side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As `picture`, in the artist's own colours and lines; and a mask (side, side) of what tells the expression."""
        picture, mask = self._drawn(style, expression, side, random, varied=False)
        return picture, mask()

    def _drawn(
        self, style: str, expression: str, side: int, random: np.random.Generator, varied: bool
    ) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
        recipe, definition = self.recipes[style, expression], self.definitions[family(style)]
        banned = {**self._hiding[family(style)], **{name: set(self._variants(definition, name)) for name in COVERS}}
        if random.random() > BEARDED:
            banned.update({name: set(self._variants(definition, name)) for name in BEARDS})
        parts = choose_parts(definition, random, banned)
        parts |= {name: str(random.choice(names)) for name, names in recipe.parts.items()}
        colours = choose_colours(definition, random)
        if varied and random.random() < 0.5:
            colours = {name: shifted(value, random) for name, value in colours.items()}
        line = float(np.exp(random.normal(0, 0.3))) if varied else 1.0
        places = choose_places(definition, random)
        shown = set(recipe.parts)
        if style.endswith(BARE):
            face = to_svg(definition, parts, colours, places, only=shown | {"nose"}, line=line)
            drawing = closer(rasterise(face, 2 * side), side, random)
            ground = colours.get("skin") or colours.get("base") or any_colour(random, light=True)
            return over(drawing, np.full((side, side, 3), rgb(ground), np.uint8)), lambda: drawing[..., 3] > NOTICED
        drawing = rasterise(to_svg(definition, parts, colours, places, line=line), side)
        background = colours.get("background")
        picture = over(drawing, np.full((side, side, 3), rgb(background), np.uint8) if background else backdrop(side, random))
        return picture, lambda: rasterise(to_svg(definition, parts, colours, places, only=shown), side)[..., 3] > NOTICED

    def _check(self, recipe: Recipe) -> None:
        definition = self.definitions[family(recipe.style)]
        for name, variants in recipe.parts.items():
            if unknown := set(variants) - set(self._variants(definition, name)):
                raise DatasetError(f"{recipe.style} has no {name} {', '.join(sorted(unknown))}, which its recipes name")

    @staticmethod
    def _variants(definition: Style, component: str) -> list[str]:
        return list(definition.components.get(component, {}).get("variants", ()))

    @cached_property
    def _hiding(self) -> dict[str, dict[str, set[str]]]:
        """Variants of each style's other components that hide parts of the expression: fringes, hats, veils."""
        return {name: dict(self._hidden_by(definition)) for name, definition in self.definitions.items()}

    def _hidden_by(self, definition: Style) -> Iterator[tuple[str, set[str]]]:
        recipes = [recipe for (style, _), recipe in self.recipes.items() if style == definition.name]
        if not recipes:
            return
        expressive = {name: names[0] for name, names in recipes[0].parts.items()}
        random = np.random.default_rng(0)
        parts = choose_parts(definition, random, {name: set(self._variants(definition, name)) for name in COVERS + BEARDS})
        parts, colours = {**parts, **expressive}, choose_colours(definition, random)

        def drawn(changes: dict[str, str | None]) -> np.ndarray:
            pixels = rasterise(to_svg(definition, parts | changes, colours), LOOK)
            return over(pixels, np.full((*pixels.shape[:2], 3), 128, np.uint8)).astype(np.int16)

        for name in definition.components:
            variants = self._variants(definition, name)
            if name in expressive or name in COVERS + BEARDS or len(variants) < 2:
                continue
            rows = []
            for variant in variants:
                whole = drawn({name: variant})
                without = (drawn({name: variant, part: None}) for part in expressive)
                rows.append([(np.abs(whole - other).max(axis=2) > NOTICED).sum() for other in without])
            counts = np.array(rows)
            enough: Any = counts >= SEEN * np.percentile(counts, 80, axis=0)
            yield name, {variant for variant, fine in zip(variants, enough.all(axis=1).tolist(), strict=True) if not fine}


def rgb(colour: str) -> tuple[int, int, int]:
    """#rrggbb (an alpha behind it is ignored) -> red, green, blue."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def shifted(colour: str, random: np.random.Generator) -> str:
    """A colour of another hue and nearly the same lightness, so that dark lines stay dark and light skin light."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in rgb(colour)))
    lightness = np.clip(lightness + random.normal(0, 0.08), 0, 1)
    values = colorsys.hls_to_rgb((hue + random.uniform(-0.5, 0.5)) % 1, lightness, saturation)
    return "#" + "".join(f"{round(value * 255):02x}" for value in values)


def any_colour(random: np.random.Generator, light: bool = False) -> str:
    values = random.integers(150 if light else 0, 256, 3)
    return "#" + "".join(f"{value:02x}" for value in values)


def backdrop(side: int, random: np.random.Generator) -> np.ndarray:
    """(side, side, 3) uint8 behind a drawing: one colour, or one that passes into another."""
    first, second = (np.array(rgb(any_colour(random)), np.float32) for _ in range(2))
    if random.random() < 0.6:
        return np.full((side, side, 3), first, np.uint8)
    share: np.ndarray = np.linspace(0, 1, side, dtype=np.float32)
    share = share[:, None, None] if random.random() < 0.5 else (share[:, None, None] + share[None, :, None]) / 2
    return np.broadcast_to(first * (1 - share) + second * share, (side, side, 3)).astype(np.uint8)


def over(drawing: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """RGBA over RGB, uint8 each."""
    alpha = drawing[..., 3:].astype(np.float32) / 255
    return np.round(drawing[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)


def closer(drawing: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """A square (side, side, 4) around what a drawing shows, which fills a share of FEATURES of it."""
    ys, xs = np.nonzero(drawing[..., 3] > NOTICED)
    if not len(xs):
        return cv2.resize(drawing, (side, side), interpolation=cv2.INTER_AREA)
    middle = (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2
    scale = side * random.uniform(*FEATURES) / max(np.ptp(xs) + 1, np.ptp(ys) + 1)
    matrix = np.array([[scale, 0, side / 2 - scale * middle[0]], [0, scale, side / 2 - scale * middle[1]]])
    return cv2.warpAffine(drawing, matrix, (side, side))


def load_artist(folder: Path, recipes: Path = RECIPES) -> Artist:
    """The artist for all recipes, with the definitions in `folder`. DatasetError where one of them is missing or damaged."""
    known = read_recipes(recipes)
    return Artist(load_styles(folder, {family(recipe.style) for recipe in known}), known)


def lines(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Now and then every dark line of a picture grows or shrinks by a pixel: most styles draw lines as filled shapes."""
    chance, kernel = random.random(), np.ones((2, 2), np.uint8)
    if chance < 0.2:
        return cv2.erode(picture, kernel)
    return cv2.dilate(picture, kernel) if chance < 0.3 else picture


def rough(face: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A grey crop (S, S) uint8 in another light, and often blurred, noisy or stored as JPEG: as pictures come from the web."""
    grey = face.astype(np.float32) / 255
    grey = grey ** np.exp(random.normal(0, 0.25)) * random.uniform(0.75, 1.05) + random.uniform(-0.05, 0.2)
    if random.random() < 0.2:
        grey = cv2.GaussianBlur(grey, (0, 0), random.uniform(0.4, 1.0))
    if random.random() < 0.2:
        grey = grey + random.normal(0, random.uniform(0.005, 0.03), grey.shape)
    out = np.clip(np.round(grey * 255), 0, 255).astype(np.uint8)
    if random.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(40, 95))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_GRAYSCALE)
    return out
