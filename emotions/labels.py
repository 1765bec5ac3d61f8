"""The seven emotions: their order, ids, names on the page, and colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

EMOTIONS: tuple[str, ...] = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Order of every probability vector, of the class ids 0..6, and of the rows and columns of every confusion matrix."""

TITLES: dict[str, str] = {name: name.capitalize() for name in EMOTIONS}

# Okabe and Ito's palette ("Color Universal Design", 2008), which colour-blind readers can distinguish.
COLOURS: dict[str, str] = {
    "anger": "#d55e00",
    "disgust": "#009e73",
    "fear": "#cc79a7",
    "happy": "#f0e442",
    "neutral": "#8a8a8a",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
}


def ranking(values: Sequence[float], leading: Sequence[bool] = ()) -> list[str]:
    """Return the emotions in the order of every answer, the predicted one first.

    Args:
        values: Seven values in the order of EMOTIONS, such as probabilities. The largest comes first. The others are compared
            as answers show them, with four digits, so that everyone who has the answer gets the same order; equal ones keep it.
        leading: Which emotions come before all others, whatever their values: those of a text that are above their thresholds.
    """
    first = leading or (False,) * len(EMOTIONS)
    top = max(range(len(EMOTIONS)), key=lambda index: (first[index], values[index]))

    def place(index: int) -> tuple[bool, bool, float]:
        return index != top, not first[index], -round(float(values[index]), 4)

    return [EMOTIONS[index] for index in sorted(range(len(EMOTIONS)), key=place)]


def by_emotion(values: Iterable[float]) -> dict[str, float]:
    """Return seven values in the order of EMOTIONS as a JSON object: emotion to value, rounded to four digits."""
    return {name: round(float(value), 4) for name, value in zip(EMOTIONS, values, strict=True)}
