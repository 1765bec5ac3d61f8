"""Characters: everything that stays the same from picture to picture, sampled from a family of style and a number.

A family is a style of rendering with the proportions, colors and things to wear that suit it, as in animated films: two families
never look alike, so that a family that was never trained on measures how a model generalises to new styles.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from .families import FAMILIES, Family
from .geometry.clothes import CLOTHES_STYLES
from .geometry.facial_hair import BEARD_STYLES, BROW_STYLES
from .geometry.hair import HAIR_STYLES
from .geometry.hats import HAT_STYLES
from .geometry.proportions import Proportions
from .geometry.wear import CREATURE_STYLES, EAR_STYLES, GLASSES_STYLES

Color = tuple[float, float, float]
Range = tuple[float, float]
SEED = 20261126
LONG_STYLES = ("bob", "bob_fringe", "long_fringe", "bun", "pigtails")
MEN_HATS = ("fedora", "turban", "viking")
SHORT_STYLES = ("bald", "buzz", "receding", "crop", "mohawk")
MIN_CONTRAST = 0.2  # of brow and skin, mean of the color channels
INHUMAN_HUES = 0.13, 0.98  # of skins that people do not have
IDENTITIES = 60  # principal components that are sampled; the others change nothing that is visible at 256 pixels
HUMAN_SKIN = (
    (0.93, 0.76, 0.65), (0.91, 0.72, 0.59), (0.83, 0.63, 0.49), (0.76, 0.55, 0.40), (0.62, 0.43, 0.30), (0.50, 0.33, 0.23),
    (0.42, 0.29, 0.21), (0.36, 0.25, 0.19),
)  # fmt: skip
"""Skin tones in sRGB from light to dark, between which characters are sampled evenly."""
HAIR_COLORS = (
    (0.07, 0.05, 0.04), (0.13, 0.08, 0.05), (0.25, 0.15, 0.09), (0.40, 0.25, 0.14), (0.62, 0.44, 0.25), (0.80, 0.66, 0.42),
    (0.50, 0.20, 0.09), (0.62, 0.60, 0.58), (0.85, 0.84, 0.82),
)  # fmt: skip
IRIS_COLORS = (
    (0.20, 0.11, 0.06), (0.32, 0.18, 0.09), (0.42, 0.30, 0.14), (0.30, 0.36, 0.20), (0.25, 0.42, 0.55), (0.42, 0.50, 0.56),
)  # fmt: skip


@dataclass(frozen=True)
class Skin:
    """Skin in sRGB colors 0..1 and strengths 0..1.

    Attributes:
        tone: base color.
        lips: color of the lips.
        blush: strength of the red of cheeks, nose and ears.
        freckles: density of freckles.
        stubble: strength of a shaved beard's shadow.
        age: depth of the lines.
        liner: strength of dark lines around the eyes.
        shadow: color of the upper lids, None without make-up.
        markings: color of stripes or spots (fantasy creatures), None without.
        pores: strength of fine relief.
    """

    tone: Color
    lips: Color
    blush: float = 0.3
    freckles: float = 0.0
    stubble: float = 0.0
    age: float = 0.2
    liner: float = 0.3
    shadow: Color | None = None
    markings: Color | None = None
    pores: float = 0.5


@dataclass(frozen=True)
class Eyes:
    """Eyes: colors in sRGB 0..1, radii in cm (an iris of people has 0.6)."""

    iris: Color
    iris_radius: float = 0.6
    pupil_radius: float = 0.24
    sclera: Color = (0.93, 0.91, 0.89)


@dataclass(frozen=True)
class Outfit:
    """Styles of the modules in geometry/ with their colors in sRGB 0..1."""

    hair: str = "short"
    hair_color: Color = HAIR_COLORS[2]
    brows: str = "natural"
    beard: str = "none"
    glasses: str = "none"
    glasses_color: Color = (0.1, 0.1, 0.1)
    hat: str = "none"
    hat_color: Color = (0.5, 0.2, 0.2)
    earrings: str = "none"
    creature: str = "none"
    clothes: str = "shirt"
    clothes_color: Color = (0.3, 0.4, 0.6)


@dataclass(frozen=True)
class Character:
    """A character.

    Attributes:
        name: family and number, such as "clay-003".
        family: one of FAMILIES.
        number: its number within the family.
        seed: seed of everything sampled.
        identity: weights of the head model's principal components.
        proportions: exaggeration beyond scanned people.
        gain: factor of expressions, which animated characters show more strongly than people.
        brow_thickness: thickness of the brows relative to people's.
        painted_brows: true for brows of painted hairs, false for raised geometry.
        skin, eyes, outfit: see their classes.
    """

    name: str
    family: str
    number: int
    seed: int
    identity: np.ndarray
    proportions: Proportions
    gain: float
    brow_thickness: float
    painted_brows: bool
    skin: Skin
    eyes: Eyes
    outfit: Outfit

    def random(self, purpose: str) -> np.random.Generator:
        """A generator for one purpose, the same whenever the character is built."""
        return np.random.default_rng([self.seed, self.number, *self.family.encode(), *purpose.encode()])


def create_character(family: str, number: int, seed: int = SEED) -> Character:
    """Sample a character. Raises ValueError for an unknown family."""
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; there is: {', '.join(FAMILIES)}")
    random = np.random.default_rng([seed, number, *family.encode()])
    kind = FAMILIES[family]
    feminine = bool(random.random() < 0.5)
    skin = _sample_skin(family, feminine, random)
    brows = np.exp(random.normal(-0.15 if feminine else 0.2, 0.2))
    return Character(
        name=f"{family}-{number:03d}", family=family, number=number, seed=seed,
        identity=np.clip(random.normal(0, kind.spread, IDENTITIES), -2.2, 2.2).astype(np.float32),
        proportions=_sample_proportions(kind, feminine, random),
        gain=float(random.uniform(1.0, 1.25)) if kind.extreme else 1.0,
        brow_thickness=float(brows * (random.uniform(0.9, 1.6) if kind.extreme else 1.0)),
        painted_brows=bool(random.random() < kind.painted_brows),
        skin=skin, eyes=_sample_eyes(family, random), outfit=_sample_outfit(family, feminine, skin.age > 0.6, random),
    )  # fmt: skip


def _sample_proportions(kind: Family, feminine: bool, random: np.random.Generator) -> Proportions:
    """Sample an exaggeration; scanned people keep their own proportions."""
    if not kind.extreme:
        return Proportions()

    def factor(mean: float, spread: float) -> float:
        return float(mean * np.exp(random.normal(0, spread)))

    extreme = kind.extreme
    return Proportions(
        eyes=float(np.clip(factor(kind.eyes + (0.05 if feminine else -0.03), 0.08), 0.95, 1.45)),
        crown=float(np.clip(factor(1.08, 0.1 * extreme), 0.85, 1.5)),
        jaw=float(np.clip(factor(0.9 if feminine else 1.03, 0.1 * extreme), 0.68, 1.35)),
        chin=float(np.clip(factor(0.95 if feminine else 1.05, 0.16 * extreme), 0.65, 1.7)),
        nose=float(np.clip(factor(0.9 if feminine else 1.1, 0.16 * extreme), 0.6, 1.7)),
        mouth=float(np.clip(factor(1.08, 0.1), 0.85, 1.4)),
        ears=float(np.clip(factor(1.0, 0.2 * extreme), 0.6, 1.9)),
        neck=float(np.clip(factor(0.78 if feminine else 0.95, 0.12), 0.5, 1.2)),
        width=float(np.clip(factor(1.0, 0.06 * extreme), 0.82, 1.2)),
    )


def _sample_skin(family: str, feminine: bool, random: np.random.Generator) -> Skin:
    kind, tone = FAMILIES[family], _between(HUMAN_SKIN, random)
    if random.random() < kind.odd_skin:
        tone = _saturated(random, (0.3, 0.75), (0.4, 0.75), hues=INHUMAN_HUES)
    if family == "sketch":  # paper shows through
        tone = _triple(0.55 + 0.4 * np.array(tone))
    tone = _varied(tone, random, 0.03)
    darkness = 1 - float(np.mean(tone))
    natural = np.array(tone) * (0.86, 0.66, 0.66)
    made_up = feminine and random.random() < 0.5
    lips = _varied(natural, random, 0.03)
    if made_up:  # half of the skin's own color remains, so that no skin gets lips much lighter than itself
        lips = _triple((natural + _saturated(random, (0.45, 0.8), (0.3, 0.5), hues=(0.92, 1.03))) / 2)
    shadow = _saturated(random, (0.2, 0.6), (0.3, 0.6)) if made_up and random.random() < 0.6 else None
    age = float(random.beta(1.2, 2.0))
    stubble = kind.stubble and not feminine and random.random() < 0.5
    return Skin(
        tone=tone, lips=lips, blush=float(random.uniform(0.1, 0.8)) * (1 - 0.5 * darkness),
        freckles=float(random.uniform(0.3, 1)) if random.random() < 0.15 else 0.0,
        stubble=float(random.uniform(0.2, 0.9)) if stubble else 0.0, age=age * kind.aging,
        liner=float(random.uniform(0.4, 1.0)) if made_up else float(random.uniform(0.25, 0.5)), shadow=shadow,
        markings=_saturated(random, (0.3, 0.9), (0.2, 0.8)) if family == "fantasy" and random.random() < 0.6 else None,
        pores=kind.pores,
    )  # fmt: skip


def _sample_eyes(family: str, random: np.random.Generator) -> Eyes:
    iris = _varied(IRIS_COLORS[random.integers(len(IRIS_COLORS))], random, 0.04)
    if random.random() < FAMILIES[family].odd_hair:
        iris = _saturated(random, (0.5, 0.95), (0.35, 0.65))
    if not FAMILIES[family].extreme:
        return Eyes(iris, float(random.uniform(0.57, 0.63)), float(random.uniform(0.17, 0.3)))
    sclera = (0.97, 0.97, 0.96)
    if family == "fantasy" and random.random() < 0.3:
        sclera = _saturated(random, (0.4, 0.9), (0.7, 0.85))
    if family == "sketch":
        return Eyes((0.15, 0.15, 0.15), float(random.uniform(0.58, 0.75)), 0.3, sclera)
    if family == "puppet":  # felt eyes: a white ball with a black pupil
        return Eyes((0.05, 0.05, 0.05), float(random.uniform(0.4, 0.6)), 0.4, sclera)
    radius = float(random.uniform(0.6, 0.8))
    return Eyes(iris, radius, radius * float(random.uniform(0.35, 0.6)), sclera)


def _sample_outfit(family: str, feminine: bool, old: bool, random: np.random.Generator) -> Outfit:
    color = HAIR_COLORS[random.integers(len(HAIR_COLORS))]
    if old and random.random() < 0.6:
        color = HAIR_COLORS[-1 - random.integers(2)]
    if random.random() < FAMILIES[family].odd_hair:
        color = _saturated(random, (0.4, 0.9), (0.25, 0.6))
    choice = [style for style in HAIR_STYLES if style not in (SHORT_STYLES if feminine else LONG_STYLES)]
    odd = FAMILIES[family].odd_skin == 1
    # A headscarf has a probability of its own.
    hats = [style for style in HAT_STYLES if style not in ("none", "headscarf") and not (feminine and style in MEN_HATS)]
    wears_scarf = feminine and not odd and random.random() < 0.12
    wears_hat = random.random() < 0.16

    def one_of(styles: tuple[str, ...], probability: float) -> str:
        return str(random.choice([style for style in styles if style != "none"])) if random.random() < probability else "none"

    return Outfit(
        hair=str(random.choice(choice)), hair_color=_varied(color, random, 0.03), brows=str(random.choice(BROW_STYLES)),
        beard=one_of(BEARD_STYLES, 0.0 if feminine else 0.3), glasses=one_of(GLASSES_STYLES, 0.2),
        glasses_color=_saturated(random, (0, 0.8), (0.05, 0.5)),
        hat="headscarf" if wears_scarf else str(random.choice(hats)) if wears_hat else "none",
        hat_color=_saturated(random, (0.1, 0.8), (0.2, 0.7)), earrings=one_of(EAR_STYLES, 0.35 if feminine else 0.05),
        creature=one_of(CREATURE_STYLES, 0.85 if family == "fantasy" else 0.15 if odd else 0.0),
        clothes=one_of(CLOTHES_STYLES, 1.0), clothes_color=_saturated(random, (0, 0.8), (0.1, 0.85)),
    )  # fmt: skip


def brow_color(character: Character) -> Color:
    """Color of the brows: darker than the hair of the head, and visible on the skin."""
    hair = np.array(character.outfit.hair_color)
    brow = np.minimum(hair, 0.55 * hair + 0.12)
    tone = float(np.mean(character.skin.tone))
    if abs(brow.mean() - tone) < MIN_CONTRAST:
        brow *= min(0.35, max(tone - MIN_CONTRAST, 0.03) / brow.mean())
    return _triple(brow)


def _between(colors: tuple[Color, ...], random: np.random.Generator) -> Color:
    """A color on the line through a sequence of colors."""
    place = random.uniform(0, len(colors) - 1)
    low = int(place)
    mixed = np.array(colors[low]) + (place - low) * (np.array(colors[min(low + 1, len(colors) - 1)]) - colors[low])
    return _triple(mixed)


def _varied(color: np.ndarray | Color, random: np.random.Generator, spread: float) -> Color:
    return _triple(np.clip(np.asarray(color) + random.normal(0, spread, 3), 0, 1))


def _saturated(
    random: np.random.Generator,
    saturation: Range,
    lightness: Range,
    hues: Range = (0, 1),
) -> Color:
    return _triple(colorsys.hls_to_rgb(random.uniform(*hues) % 1, random.uniform(*lightness), random.uniform(*saturation)))


def _triple(values) -> Color:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
