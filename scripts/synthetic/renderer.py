"""Renderer of DiceBear avatars with a given expression; everything else is sampled at random."""

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
    choose_transforms,
    load_styles,
    rasterise,
    read_recipes,
    to_svg,
)  # fmt: skip

NEUTRAL_SUFFIX = "-neutral"
"""Suffix of the styles with facial features on a plain background; their definitions repeat the parent's parts."""
OCCLUDERS = ("accessories", "eyepatch", "gesture", "glasses", "mask")
"""Components that occlude eyes or mouth."""
BEARDS = ("beard", "facialHair", "mustache")
BEARD_RATE = 0.03  # share of images with a beard, which hides most of the mouth
MIN_VISIBLE_AREA = 0.6  # share of a feature's pixels that other components must leave visible
MIN_DIFFERENCE = 24  # grey levels by which a pixel must change to count as part of a feature
PREVIEW_SIDE = 96  # side in pixels of the renderings that are compared
FEATURE_WIDTH = 0.5, 0.8  # width of the features of a `-neutral` style as a share of the image


def style_family(style: str) -> str:
    """Return X for the styles X and X-neutral."""
    return style.removesuffix(NEUTRAL_SUFFIX)


class AvatarRenderer:
    """Renders the styles that have recipes. A style X-neutral needs only the definition of X."""

    def __init__(self, styles: Mapping[str, Style], recipes: list[Recipe]) -> None:
        self.recipes = {(recipe.style, recipe.expression): recipe for recipe in recipes}
        if missing := sorted({style_family(style) for style, _ in self.recipes} - set(styles)):
            raise DatasetError(f"no definition of the styles {', '.join(missing)}, which have recipes")
        self.definitions = styles
        for recipe in recipes:
            self._check(recipe)

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Available pairs (style, expression)."""
        return list(self.recipes)

    @property
    def styles(self) -> list[str]:
        return list(dict.fromkeys(style for style, _ in self.recipes))

    def render_varied(self, style: str, expression: str, side: int, random: np.random.Generator) -> np.ndarray:
        """Render (side, side, 3) uint8 RGB with random colours and line widths."""
        return vary_line_width(self._compose(style, expression, side, random, varied=True)[0], random)

    def render(self, style: str, expression: str, side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Render (side, side, 3) uint8 RGB in the original colours and lines, with a mask (side, side) of the features."""
        image, mask = self._compose(style, expression, side, random, varied=False)
        return image, mask()

    def _compose(
        self, style: str, expression: str, side: int, random: np.random.Generator, varied: bool
    ) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
        recipe, definition = self.recipes[style, expression], self.definitions[style_family(style)]
        excluded = {
            **self._occluding_variants[style_family(style)],
            **{name: set(self._variants(definition, name)) for name in OCCLUDERS},
        }
        if random.random() > BEARD_RATE:
            excluded.update({name: set(self._variants(definition, name)) for name in BEARDS})
        parts = choose_parts(definition, random, excluded)
        parts |= {name: str(random.choice(names)) for name, names in recipe.parts.items()}
        colours = choose_colours(definition, random)
        if varied and random.random() < 0.5:
            colours = {name: shift_hue(value, random) for name, value in colours.items()}
        stroke_scale = float(np.exp(random.normal(0, 0.3))) if varied else 1.0
        transforms = choose_transforms(definition, random)
        shown = set(recipe.parts)
        if style.endswith(NEUTRAL_SUFFIX):
            face = to_svg(definition, parts, colours, transforms, only=shown | {"nose"}, stroke_scale=stroke_scale)
            drawing = crop_to_content(rasterise(face, 2 * side), side, random)
            ground = colours.get("skin") or colours.get("base") or random_colour(random, light=True)
            return alpha_blend(
                drawing, np.full((side, side, 3), parse_rgb(ground), np.uint8)
            ), lambda: drawing[..., 3] > MIN_DIFFERENCE
        drawing = rasterise(to_svg(definition, parts, colours, transforms, stroke_scale=stroke_scale), side)
        background = colours.get("background")
        image = alpha_blend(
            drawing, np.full((side, side, 3), parse_rgb(background), np.uint8) if background else random_background(side, random)
        )
        return (
            image,
            lambda: rasterise(to_svg(definition, parts, colours, transforms, only=shown), side)[..., 3] > MIN_DIFFERENCE,
        )

    def _check(self, recipe: Recipe) -> None:
        definition = self.definitions[style_family(recipe.style)]
        for name, variants in recipe.parts.items():
            if unknown := set(variants) - set(self._variants(definition, name)):
                raise DatasetError(f"{recipe.style} has no {name} {', '.join(sorted(unknown))}, which its recipes name")

    @staticmethod
    def _variants(definition: Style, component: str) -> list[str]:
        return list(definition.components.get(component, {}).get("variants", ()))

    @cached_property
    def _occluding_variants(self) -> dict[str, dict[str, set[str]]]:
        """Variants of each style's other components that hide expressive features: fringes, hats, veils."""
        return {name: dict(self._find_occluding_variants(definition)) for name, definition in self.definitions.items()}

    def _find_occluding_variants(self, definition: Style) -> Iterator[tuple[str, set[str]]]:
        recipes = [recipe for (style, _), recipe in self.recipes.items() if style == definition.name]
        if not recipes:
            return
        expressive = {name: names[0] for name, names in recipes[0].parts.items()}
        random = np.random.default_rng(0)
        parts = choose_parts(definition, random, {name: set(self._variants(definition, name)) for name in OCCLUDERS + BEARDS})
        parts, colours = {**parts, **expressive}, choose_colours(definition, random)

        def rendered(changes: dict[str, str | None]) -> np.ndarray:
            pixels = rasterise(to_svg(definition, parts | changes, colours), PREVIEW_SIDE)
            return alpha_blend(pixels, np.full((*pixels.shape[:2], 3), 128, np.uint8)).astype(np.int16)

        for name in definition.components:
            variants = self._variants(definition, name)
            if name in expressive or name in OCCLUDERS + BEARDS or len(variants) < 2:
                continue
            rows = []
            for variant in variants:
                whole = rendered({name: variant})
                without = (rendered({name: variant, part: None}) for part in expressive)
                rows.append([(np.abs(whole - other).max(axis=2) > MIN_DIFFERENCE).sum() for other in without])
            counts = np.array(rows)
            enough: Any = counts >= MIN_VISIBLE_AREA * np.percentile(counts, 80, axis=0)
            yield name, {variant for variant, fine in zip(variants, enough.all(axis=1).tolist(), strict=True) if not fine}


def parse_rgb(colour: str) -> tuple[int, int, int]:
    """Parse #rrggbb or #rrggbbaa into red, green, blue."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def shift_hue(colour: str, random: np.random.Generator) -> str:
    """Sample another hue with similar lightness, so that dark lines stay dark and light skin stays light."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in parse_rgb(colour)))
    lightness = np.clip(lightness + random.normal(0, 0.08), 0, 1)
    values = colorsys.hls_to_rgb((hue + random.uniform(-0.5, 0.5)) % 1, lightness, saturation)
    return "#" + "".join(f"{round(value * 255):02x}" for value in values)


def random_colour(random: np.random.Generator, light: bool = False) -> str:
    values = random.integers(150 if light else 0, 256, 3)
    return "#" + "".join(f"{value:02x}" for value in values)


def random_background(side: int, random: np.random.Generator) -> np.ndarray:
    """Sample a background (side, side, 3) uint8: one colour or a gradient."""
    first, second = (np.array(parse_rgb(random_colour(random)), np.float32) for _ in range(2))
    if random.random() < 0.6:
        return np.full((side, side, 3), first, np.uint8)
    share: np.ndarray = np.linspace(0, 1, side, dtype=np.float32)
    share = share[:, None, None] if random.random() < 0.5 else (share[:, None, None] + share[None, :, None]) / 2
    return np.broadcast_to(first * (1 - share) + second * share, (side, side, 3)).astype(np.uint8)


def alpha_blend(drawing: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Blend RGBA over RGB, both uint8."""
    alpha = drawing[..., 3:].astype(np.float32) / 255
    return np.round(drawing[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)


def crop_to_content(drawing: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """Scale a drawing to (side, side, 4) so that its content fills a share within FEATURE_WIDTH."""
    ys, xs = np.nonzero(drawing[..., 3] > MIN_DIFFERENCE)
    if not len(xs):
        return cv2.resize(drawing, (side, side), interpolation=cv2.INTER_AREA)
    middle = (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2
    scale = side * random.uniform(*FEATURE_WIDTH) / max(np.ptp(xs) + 1, np.ptp(ys) + 1)
    matrix = np.array([[scale, 0, side / 2 - scale * middle[0]], [0, scale, side / 2 - scale * middle[1]]])
    return cv2.warpAffine(drawing, matrix, (side, side))


def load_renderer(folder: Path, recipes: Path = RECIPES) -> AvatarRenderer:
    """Load the renderer for all recipes with the definitions in `folder`. Raises DatasetError if one is missing or damaged."""
    entries = read_recipes(recipes)
    return AvatarRenderer(load_styles(folder, {style_family(recipe.style) for recipe in entries}), entries)


def vary_line_width(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Randomly thicken or thin dark lines by a pixel. (Most styles draw lines as filled shapes, which have no stroke width.)"""
    chance, kernel = random.random(), np.ones((2, 2), np.uint8)
    if chance < 0.2:
        return cv2.erode(image, kernel)
    return cv2.dilate(image, kernel) if chance < 0.3 else image


def degrade(face: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Augment a grey crop (S, S) uint8 with brightness, blur, noise and JPEG artefacts."""
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
