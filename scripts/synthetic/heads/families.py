"""Families of style: what the characters of each have in common, and which families are held out of training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A family of style.

    Attributes:
        about: what it looks like.
        spread: deviation of the identity's principal components.
        eyes: mean size of the eyes; people have 1.
        extreme: factor by which the other proportions vary more than usual; 0 keeps them as scanned.
        painted_brows: probability of painted brows; others are geometry.
        pores: strength of the skin's fine relief.
        aging: factor of the depth of lines.
        odd_skin: probability of a skin color that people do not have.
        odd_hair: the same for hair, irises.
        stubble: true if shaved beards are painted.
    """

    about: str
    spread: float = 1.0
    eyes: float = 1.12
    extreme: float = 1.0
    painted_brows: float = 0.0
    pores: float = 0.0
    aging: float = 1.0
    odd_skin: float = 0.0
    odd_hair: float = 0.25
    stubble: bool = False


FAMILIES = {
    "scan": Family(
        "scanned proportions, realistic skin", spread=0.9, eyes=1, extreme=0, painted_brows=1, pores=0.8,
        odd_hair=0, stubble=True,
    ),
    "feature": Family(
        "large eyes and smooth skin, as in computer-animated feature films", spread=0.8, eyes=1.28, painted_brows=0.4,
        pores=0.25, stubble=True,
    ),
    "clay": Family(
        "plasticine: one color a body part, finger marks, soft light", eyes=1.2, extreme=1.6, pores=1, odd_skin=0.25
    ),
    "toon": Family(
        "cel shading with ink outlines", eyes=1.3, extreme=1.6, painted_brows=0.4, aging=0.35, stubble=True
    ),
    "flat": Family("flat colors with ink lines, no light", eyes=1.22, painted_brows=1, aging=0.35),
    "fantasy": Family(
        "creatures: skin of any color, horns, pointed ears, markings", eyes=1.15, extreme=1.6, pores=0.9, odd_skin=1,
        odd_hair=0.7,
    ),
    "doll": Family(
        "glossy plastic with painted features", spread=0.5, eyes=1.3, painted_brows=1, aging=0.35, odd_skin=0.25
    ),
    "lowpoly": Family("few flat facets", odd_skin=0.25),
    "sketch": Family("pencil hatching on paper", painted_brows=1, stubble=True),
    "puppet": Family(
        "felt with thick fibres and saturated colors", eyes=1.3, extreme=1.6, pores=1, aging=0.35, odd_skin=1, odd_hair=0.7
    ),
}  # fmt: skip
TEST_FAMILIES = ("clay", "toon")
"""Never trained on or chosen with. Named before any result was known: the two that the word "animated" brings to mind first."""
VALIDATION_FAMILIES = ("doll", "sketch")
"""Only for choices: one with light and gloss, one without color."""
