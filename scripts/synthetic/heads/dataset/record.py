"""Record of a rendered picture, a row of heads-info.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ....data.dataset import DatasetError


@dataclass(frozen=True)
class Record:
    """What a picture shows, and how it was found.

    Attributes:
        name: name of the row in the tables: family/character/emotion/number.
        character: name of the character.
        family: its family of style.
        emotion: emotion that the expression means, whatever its strength.
        recipe: combination of action units.
        strength: strength of the expression, 0..1.
        label: class id of the emotion; -1 if the expression is too weak for a label.
        yaw, pitch, roll: pose of the head in degrees.
        seed: seed of the set; with the number it gives the picture again.
        found: 1 if the served detectors found the face in the whole picture, else 0.
        whole: name of the whole picture in heads-whole.zip; empty if it was not kept.
    """

    name: str
    character: str
    family: str
    emotion: str
    recipe: str
    strength: float
    label: int
    yaw: float
    pitch: float
    roll: float
    seed: int
    found: int
    whole: str

    @classmethod
    def parse(cls, row: dict[str, str]) -> Record:
        """Convert texts of a row. Raises KeyError or ValueError for one of another form."""
        kinds = {"str": str, "int": int, "float": float}
        return cls(*(kinds[str(field.type)](row[field.name]) for field in fields(cls)))


COLUMNS = tuple(field.name for field in fields(Record))


def to_csv(records: Iterable[Record]) -> str:
    """Records as comma-separated values with a header."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(map(astuple, records))
    return stream.getvalue()


def read_records(path: Path) -> list[Record]:
    """Read a file that `to_csv` filled. Raises DatasetError if it is missing or of another form."""
    again = "`make heads` writes it beside the table"
    if not path.is_file():
        raise DatasetError(f"{path} is not there: {again}")
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            return [Record.parse(row) for row in csv.DictReader(stream)]
    except (KeyError, TypeError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is damaged or of another version ({error!r}): {again}") from None
