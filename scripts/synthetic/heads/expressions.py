"""Expressions of rendered heads, drawn at random around the recipes of facs.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emotions.labels import EMOTIONS

from ...data.dataset import DatasetError
from .facs import SIDED, SIDES, Recipe, Table, load_table

LABEL_STRENGTH = 0.35
"""Lowest strength with a label.

Chosen in an informal trial by the recipes' author, not by a panel of people, while the recipes were still being adjusted:
pictures of random characters were named before their emotion was looked up. Right were 94 of 105 at full strength, 46 of 70 at
.5, 24 of 35 at .42, 14 of 35 at .35, 13 of 35 at .3 and 11 of 35 at .25; chance is 5 of 35. Somewhere between .35 and .42 most
become recognizable; below, most were taken for a face at rest or for its features, which a label would contradict.
"""
VARIATION = 0.25  # an intensity lies within this share of the recipe's
ASYMMETRY, SMILE_ASYMMETRY = 0.15, 0.08  # highest share by which a side differs from the mean of both
SMILE_UNITS = ("AU10", "AU12", "AU14")  # on one side they are contempt, which no class stands for
SPEECH = {"neutral": 0.25}
SPEECH_DEFAULT = 0.15  # probability of a mouth of speech
DROOP, BLINK = 0.06, 0.015  # probabilities of half-closed and of closed lids where a recipe allows them
LID_CLOSURE = {
    "eyeSquint": 0.22, "cheekSquint": 0.28, "cheekRaiser": 0.27, "noseSneer": 0.13, "mouthSmile": 0.06, "eyeLookDown": 0.5,
    "eyeLookUp": -0.2,
}  # fmt: skip
"""Share of the mean head's lid opening (0.85 cm) that a shape closes at weight 1."""
MOST_CLOSED = 0.85  # share closed by anything but a blink: some heads have narrower eyes
BLINK_CLOSURE = 0.93
LIP_CLOSURE = 0.84  # mouthClose for each jawOpen: brings the mean head's lips together and no further
KEPT = ("eyeBlink", "eyeLook", "jawOpen", "mouthClose")  # shapes that exaggeration leaves as they are
LOOK_DOWN, LOOK_UP, LOOK_ASIDE = 30.0, 25.0, 35.0  # degrees of gaze at weight 1 of the lids' shapes


@dataclass(frozen=True)
class Expression:
    """An expression of a head.

    Attributes:
        emotion: one of EMOTIONS.
        recipe: name of the recipe it was drawn from.
        strength: 0..1, factor of the recipe's intensities.
        action_units: mean intensity of both sides by unit, after all variation; about 1 is the unit's highest.
        shapes: weights of the head model's shapes, limited; among them eyeLook*, which move the lids with the gaze, not the
            eyeballs.
        gaze: direction of the eyeballs in degrees, to the person's left and up.
        speech: name of the mouth of speech that was added; empty without one.
    """

    emotion: str
    recipe: str
    strength: float
    action_units: dict[str, float]
    shapes: dict[str, float]
    gaze: tuple[float, float]
    speech: str = ""

    @property
    def label(self) -> int:
        """Class id of the emotion; -1 below LABEL_STRENGTH, except for neutral, which is labelled at any strength."""
        return EMOTIONS.index(self.emotion) if self.emotion == "neutral" or self.strength >= LABEL_STRENGTH else -1


def sample_expression(
    emotion: str, strength: float, random: np.random.Generator, recipe: str | None = None, table: Table | None = None
) -> Expression:
    """Draw an expression; the same state of `random` draws the same variation at every strength.

    Args:
        emotion: one of EMOTIONS.
        strength: 0..1; 1 is the recipe's full intensity. Of neutral it scales the traces that a face at rest may show.
        random: source of all variation.
        recipe: name of one of the emotion's recipes; drawn by their shares if None.
        table: recipes and units; facs.toml if None.

    Raises:
        DatasetError: if the emotion is unknown or has no such recipe.
        ValueError: if the strength is outside 0..1.
    """
    table = table or load_table()
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} is outside 0..1")
    chosen = _choose(table.of_emotion(emotion), random, recipe)
    intensities = {unit: strength * value for unit, value in _intensities(chosen, table, random).items()}
    lids = _lids(random) if chosen.lids else 0.0
    if lids > intensities.get("AU43", 0.0):
        intensities["AU43"] = lids
    weights = table.translate(*_sides(intensities, random))
    gaze = _gaze(chosen, strength, random)
    speech = _add_speech(weights, intensities, chosen, table, random)
    _follow_gaze(weights, gaze)
    return Expression(
        emotion,
        chosen.name,
        float(strength),
        {unit: round(value, 4) for unit, value in intensities.items() if value},
        _settle(weights, table, chosen.closed),
        gaze,
        speech,
    )


def exaggerate(shapes: Mapping[str, float], gain: float, table: Table | None = None) -> dict[str, float]:
    """Weights of an expression's shapes, times a gain, within the same limits.

    What closes or follows something stays as it is: blinks, lids that follow the gaze, the jaw and lips that close over it.
    """
    weights = {shape: weight * (1.0 if shape.startswith(KEPT) else gain) for shape, weight in shapes.items()}
    return _settle(weights, table or load_table(), "mouthClose" in shapes)


def _choose(recipes: tuple[Recipe, ...], random: np.random.Generator, name: str | None) -> Recipe:
    shares = np.array([recipe.share for recipe in recipes])
    drawn = recipes[random.choice(len(recipes), p=shares / shares.sum())]
    if name is None:
        return drawn
    for recipe in recipes:
        if recipe.name == name:
            return recipe
    raise DatasetError(f"no recipe {name!r} of {recipes[0].emotion}: one of {', '.join(recipe.name for recipe in recipes)}")


def _intensities(recipe: Recipe, table: Table, random: np.random.Generator) -> dict[str, float]:
    """Intensities of units at full strength: the recipe's, its optional ones by chance, and traces in neutral faces."""
    values = {unit: value * random.uniform(1 - VARIATION, 1 + VARIATION) for unit, value in recipe.units.items()}
    for unit, (probability, value) in recipe.optional.items():
        drawn, factor = random.random(), random.uniform(1 - VARIATION, 1 + VARIATION)
        if drawn < probability:
            values[unit] = values.get(unit, 0.0) + value * factor
    if recipe.emotion == "neutral" and table.traces:
        names = list(table.traces)
        for index in random.choice(len(names), random.choice(3, p=(0.25, 0.5, 0.25)), replace=False):
            values[names[index]] = values.get(names[index], 0.0) + table.traces[names[index]] * random.uniform(0.3, 1)
    return values


def _lids(random: np.random.Generator) -> float:
    """Intensity of closed lids by chance, mostly 0."""
    chance, droop, blink = random.random(), random.uniform(0.2, 0.5), random.uniform(0.9, 1)
    return blink if chance < BLINK else droop if chance < BLINK + DROOP else 0.0


def _sides(intensities: Mapping[str, float], random: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Intensities of the left and of the right side. One side leads; lids close together."""
    lead = random.normal(0, 0.03)
    left, right = {}, {}
    for unit, value in intensities.items():
        bound = 0.02 if unit == "AU43" else SMILE_ASYMMETRY if unit in SMILE_UNITS else ASYMMETRY
        difference = float(np.clip(lead + random.normal(0, 0.04), -bound, bound))
        left[unit], right[unit] = value * (1 + difference), value * (1 - difference)
    return left, right


def _gaze(recipe: Recipe, strength: float, random: np.random.Generator) -> tuple[float, float]:
    """Direction of the eyes in degrees: near the camera's, every fourth time elsewhere, moved by the recipe's."""
    aside, near, far = random.random() < 0.25, random.normal(0, (3.0, 2.0)), random.uniform((-20, -8), (20, 8))
    yaw, pitch = far if aside else near
    return round(float(yaw + strength * recipe.gaze[0]), 2), round(float(pitch + strength * recipe.gaze[1]), 2)


def _add_speech(
    weights: dict[str, float], intensities: Mapping[str, float], recipe: Recipe, table: Table, random: np.random.Generator
) -> str:
    """Add a mouth of speech by chance; the emotion's own mouth keeps its form. Returns its name."""
    chance, index, size = random.random(), random.integers(max(len(table.visemes), 1)), random.uniform(0.5, 1)
    if not table.visemes or not recipe.speech or chance >= SPEECH.get(recipe.emotion, SPEECH_DEFAULT):
        return ""
    name = list(table.visemes)[index]
    spread = max(intensities.get(unit, 0.0) for unit in ("AU10", "AU12", "AU15", "AU20"))
    for shape, weight in table.visemes[name].items():
        factor = size * recipe.speech
        if shape in ("mouthPucker", "mouthFunnel"):  # stretched lips cannot be rounded
            factor *= max(0.0, 1 - spread)
        elif shape == "jawOpen":  # nor does an open jaw drop further
            factor *= max(0.0, 1 - 2 * weights.get("jawOpen", 0.0))
        for key in [f"{shape}_{side}" for side in SIDES] if shape in SIDED else [shape]:
            weights[key] = weights.get(key, 0.0) + factor * weight
    return name


def _follow_gaze(weights: dict[str, float], gaze: tuple[float, float]) -> None:
    """Add the shapes of lids that follow the eyeballs. Closing lids follow less, and are not wide."""
    yaw, pitch = gaze
    outer = "L" if yaw > 0 else "R"
    for side in SIDES:
        open_ = 1 - min(weights.get(f"eyeBlink_{side}", 0.0), 1.0)
        weights[f"eyeLook{'Out' if side == outer else 'In'}_{side}"] = open_ * abs(yaw) / LOOK_ASIDE
        if pitch > 0:
            weights[f"eyeLookUp_{side}"] = open_ * pitch / LOOK_UP
        else:
            weights[f"eyeLookDown_{side}"] = -pitch / LOOK_DOWN
        if f"eyeWide_{side}" in weights:
            weights[f"eyeWide_{side}"] *= open_**2


def _settle(weights: Mapping[str, float], table: Table, closed: bool) -> dict[str, float]:
    """Limit weights and resolve conflicts: lids meet and do not cross, closed lips follow the jaw."""
    settled = {shape: table.limit(shape, weight) for shape, weight in weights.items()}
    for side in SIDES:
        _settle_lids(settled, side)
    if closed and settled.get("jawOpen"):
        settled["mouthClose"] = LIP_CLOSURE * settled["jawOpen"]
    return {shape: round(float(weight), 5) for shape, weight in settled.items() if weight}


def _settle_lids(settled: dict[str, float], side: str) -> None:
    blink = f"eyeBlink_{side}"
    closures = {f"{shape}_{side}": share for shape, share in LID_CLOSURE.items() if f"{shape}_{side}" in settled}
    total = sum(share * settled[shape] for shape, share in closures.items())
    if total > MOST_CLOSED:
        for shape in closures:
            settled[shape] *= MOST_CLOSED / total
        total = MOST_CLOSED
    if settled.get(blink):
        settled[blink] = min(settled[blink], max(0.0, (1 - total) / BLINK_CLOSURE))
