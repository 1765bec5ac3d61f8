"""Groups of people compared through the API: photographs of posed expressions of people who stated sex, age and ethnic group.

The folder has the form of the Face Research Lab London Set (DeBruine and Jones, 2017, doi 10.6084/m9.figshare.5047666):
photographs, labels.csv (file, label, person) and info.csv (face_id, face_age, face_gender, face_eth). It is measured on, never
trained or chosen on. Photographs are posted with the default detector; a face that is not found counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emotions.labels import EMOTIONS

from ...common.metrics import DRAWS, calibration_error, permutation_test, reliability
from ...data.dataset import DatasetError
from ..portraits import read_csv
from .accuracy import share
from .server import ServedClient, largest_faces

EMOTION_IDS = {name: number for number, name in enumerate(EMOTIONS)}
SEXES = {"female": "women", "male": "men"}
ETHNIC_GROUPS = {"east_asian": "East Asian", "west_asian": "West Asian", "east_asian/white": "East Asian and white"}
"""Titles of ethnic groups; others keep the word that they were stated with."""
BANDS = ((0, 24, "up to 24"), (25, 34, "25 to 34"), (35, 200, "35 and older"))
"""Youngest and oldest age in years, and title of each age band."""
NOT_STATED = "not stated"
BINS = 5
"""Equal-width bins of the reliability of a group: with 15, a hundred photographs leave most bins almost empty."""


@dataclass(frozen=True)
class Photograph:
    """A photograph of one person.

    Attributes:
        path: its file.
        label: class id of the posed expression.
        person: id of the person.
        sex: `women`, `men` or as it was stated otherwise.
        age: title of the age band.
        ethnic: ethnic group as it was stated, by its title in ETHNIC_GROUPS.
    """

    path: Path
    label: int
    person: str
    sex: str
    age: str
    ethnic: str


def read_photographs(folder: Path) -> list[Photograph]:
    """Read the tables of a folder. Raises DatasetError if one is missing or of another form, or a photograph is missing."""
    try:
        people = {row["face_id"]: row for row in read_csv(folder / "info.csv")}
        photographs = [
            Photograph(
                folder / row["file"],
                EMOTION_IDS[row["label"]],
                row["person"],
                SEXES.get(person["face_gender"], person["face_gender"]),
                age_band(person["face_age"]),
                ETHNIC_GROUPS.get(person["face_eth"], person["face_eth"]),
            )
            for row in read_csv(folder / "labels.csv")
            for person in [people[row["person"]]]
        ]
    except (KeyError, OSError, ValueError) as error:
        expected = "labels.csv (file, label, person) and info.csv (face_id, face_age, face_gender, face_eth)"
        raise DatasetError(f"{folder} has not the form of the London set, {expected}: {error!r}") from None
    missing = [one.path.name for one in photographs if not one.path.is_file()]
    if missing or not photographs:
        raise DatasetError(f"{folder}: " + (f"{missing[0]} is missing" if missing else "labels.csv names no photograph"))
    return photographs


def age_band(text: str) -> str:
    """Title of the band of an age in years; NOT_STATED for anything else, such as "NA"."""
    if not text.isdigit():
        return NOT_STATED
    return next((title for low, high, title in BANDS if low <= int(text) <= high), NOT_STATED)


def measure_groups(client: ServedClient, photographs: Sequence[Photograph]) -> dict[str, Any]:
    """Post photographs; report by group, the difference between women and men, and the calibration of each sex.

    Returns:
        `people`: number of people; `views` of each face that were averaged; `rows`: see `_rows`; `differences`: see
        `_difference`, one for each label of which women and men have photographs; `calibration`: see `_calibration`.
    """
    answers = client.read_all((one.path.name, one.path.read_bytes()) for one in photographs)
    probabilities, found = largest_faces(answers)
    labels = np.array([one.label for one in photographs])
    right = found & (probabilities.argmax(axis=1) == labels)
    report: dict[str, Any] = {
        "people": len({one.person for one in photographs}),
        "views": answers[0]["views"],
        "rows": list(_rows(photographs, labels, right, found)),
        "differences": {},
        "calibration": list(_calibration(photographs, labels, probabilities, found)),
    }
    for label in np.unique(labels):
        values = [_by_person(photographs, right, labels == label, sex) for sex in SEXES.values()]
        if all(map(len, values)):
            report["differences"][EMOTIONS[label]] = _difference(*values)
    return report


def _rows(
    photographs: Sequence[Photograph], labels: np.ndarray, right: np.ndarray, found: np.ndarray
) -> Iterator[dict[str, Any]]:
    """A row a group: `by` (kind of group), `group`, `people`, `labels` ({label: share that is called so}) and `found`."""
    for kind in ("everybody", "sex", "age", "ethnic group"):
        names = np.array([_group(one, kind) for one in photographs])
        people: dict[str, set[str]] = {}
        for name, one in zip(names.tolist(), photographs, strict=True):
            people.setdefault(name, set()).add(one.person)
        for name in _ordered(kind, people):
            here = names == name
            yield {
                "by": kind,
                "group": name,
                "people": len(people[name]),
                "labels": {EMOTIONS[label]: share(right[here & (labels == label)]) for label in np.unique(labels[here])},
                "found": share(found[here]),
            }


def _group(photograph: Photograph, kind: str) -> str:
    return {"everybody": "all", "sex": photograph.sex, "age": photograph.age, "ethnic group": photograph.ethnic}[kind]


def _ordered(kind: str, people: Mapping[str, set[str]]) -> list[str]:
    """Names of groups: sexes and ages in the order of SEXES and BANDS, the others after them, by falling number of people."""
    fixed = [*SEXES.values()] if kind == "sex" else [title for *_, title in BANDS] if kind == "age" else []
    others = sorted(people.keys() - set(fixed), key=lambda name: (-len(people[name]), name))
    return [name for name in fixed if name in people] + others


def _by_person(photographs: Sequence[Photograph], right: np.ndarray, mask: np.ndarray, sex: str) -> np.ndarray:
    """Share of right answers of each person of a sex over the photographs of a mask, (P,)."""
    people: dict[str, list[bool]] = {}
    for one, is_right, chosen in zip(photographs, right, mask, strict=True):
        if chosen and one.sex == sex:
            people.setdefault(one.person, []).append(bool(is_right))
    return np.array([np.mean(values) for values in people.values()])


def _difference(women: np.ndarray, men: np.ndarray) -> dict[str, Any]:
    """Difference of the means, women minus men, and the p-value of a permutation test over people."""
    difference = round(float(women.mean() - men.mean()), 4)
    return {"difference": difference, "p": round(permutation_test(women, men), 5), "draws": DRAWS}


def _calibration(
    photographs: Sequence[Photograph], labels: np.ndarray, probabilities: np.ndarray, found: np.ndarray
) -> Iterator[dict[str, Any]]:
    """A row a sex: `group`, `count` of found faces, mean `confidence`, `accuracy`, `ece`, and `reliability` in BINS bins."""
    sexes = np.array([one.sex for one in photographs])
    for sex in SEXES.values():
        here = found & (sexes == sex)
        if here.any():
            given, true = probabilities[here], labels[here]
            yield {
                "group": sex,
                "count": int(here.sum()),
                "confidence": round(float(given.max(axis=1).mean()), 4),
                "accuracy": round(float((given.argmax(axis=1) == true).mean()), 4),
                "ece": round(calibration_error(given, true, BINS), 4),
                "reliability": reliability(given, true, BINS),
            }
