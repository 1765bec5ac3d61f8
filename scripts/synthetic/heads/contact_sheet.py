"""Draw the contact sheets of docs/: characters of all families, and one character's expressions by strength.

python -m scripts.synthetic.heads.contact_sheet --heads data/ict_facekit.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from emotions.labels import EMOTIONS

from ...data.dataset import DatasetError
from .characters import create_character
from .expressions import sample_expression
from .families import FAMILIES
from .geometry.model import load_head_model
from .renderer import HeadRenderer
from .views import front_view, sample_view

TILE = 176  # pixels
MARGIN, LINE = 92, 24  # pixels for the names of rows and columns
RECIPES = {
    "anger": "anger-squared", "disgust": "disgust-nose-parted", "fear": "fear-stretched", "happy": "happy-parted",
    "neutral": "neutral-rest", "sad": "sad-corners", "surprise": "surprise-jaw",
}  # fmt: skip
"""A recipe of each emotion for the sheet of strengths."""
STRENGTHS = (0.15, 0.3, 0.5, 0.75, 1.0)
QUALITY = 84


def characters_sheet(renderer: HeadRenderer, first: int) -> np.ndarray:
    """One row a family, one character a column, each with the column's expression at full strength: uint8 RGB."""
    rows = []
    for family in FAMILIES:
        row = []
        for column, emotion in enumerate(EMOTIONS):
            character = create_character(family, first + column)
            random = character.random("contact sheet")
            view = sample_view(character, random, pose_spread=0.6)
            row.append(renderer.render(character, sample_expression(emotion, 1.0, random), view).pixels)
        rows.append(row)
    return tiled(rows, list(FAMILIES), list(EMOTIONS))


def strengths_sheet(renderer: HeadRenderer, family: str = "feature", number: int = 31) -> np.ndarray:
    """One row an emotion, one column a strength, of one character from the front: uint8 RGB."""
    character = create_character(family, number)
    view = front_view(character)

    def picture(emotion: str, strength: float) -> np.ndarray:
        expression = sample_expression(emotion, strength, character.random(emotion), RECIPES[emotion])
        return renderer.render(character, expression, view).pixels

    rows = [[picture(emotion, strength) for strength in STRENGTHS] for emotion in EMOTIONS]
    return tiled(rows, list(EMOTIONS), [f"strength {strength:g}" for strength in STRENGTHS])


def tiled(rows: list[list[np.ndarray]], row_names: list[str], column_names: list[str]) -> np.ndarray:
    """Join pictures to a sheet with names of rows and columns."""
    sheet = np.full((LINE + TILE * len(rows), MARGIN + TILE * len(column_names), 3), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = LINE + TILE * row, MARGIN + TILE * column
            sheet[top : top + TILE, left : left + TILE] = cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)

    for row, name in enumerate(row_names):
        write(name, 8, LINE + TILE * row + TILE // 2)
    for column, name in enumerate(column_names):
        write(name, MARGIN + TILE * column + 8, LINE - 8)
    return sheet


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=Path, default=Path("data/ict_facekit.npz"), help="head model ICT-FaceKit")
    parser.add_argument("--first", type=int, default=40, help="number of the first character of each family")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the sheets")
    options = parser.parse_args(arguments)
    try:
        with HeadRenderer(load_head_model(options.heads)) as renderer:
            sheets = {"heads.jpg": characters_sheet(renderer, options.first), "heads-strength.jpg": strengths_sheet(renderer)}
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, sheet in sheets.items():
        cv2.imwrite(str(options.out / name), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        print(f"{options.out / name}: {sheet.shape[1]} x {sheet.shape[0]} pixels")


if __name__ == "__main__":
    main()
