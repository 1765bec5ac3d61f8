"""Accuracy through the API: pictures of a table's test split are posted to the server as they lie.

Only data sets whose files are not cropped as this library crops faces are sent (`unaligned` in scripts/data/sources.py): the
others' tables hold crops that went through the detector already, and detecting faces in such crops again is not what serving is.
A file that is one face is sent with `detector=none`, which takes the whole image as one face and always answers. How often the
default detector finds the face in so tight a picture is measured beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...common.metrics import INTERVAL_METHOD, interval
from ...data.dataset import Faces
from ...data.sources import source_of
from ..accuracy import classification_metrics, test_sets
from .server import ServedClient, largest_faces, png


def pictures_mask(faces: Faces) -> np.ndarray:
    """Mask (N,) of the faces of a table that are published as pictures that are not cropped as served."""
    unaligned = [name for name in np.unique(faces.sources) if source_of(str(name)).unaligned]
    return np.isin(faces.sources, unaligned)


def picture_sets(faces: Faces) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The sets of `test_sets`, of pictures alone and with at least one: name, class ids and mask over the test split."""
    pictures = pictures_mask(faces.split("test"))
    for name, labels, mask in test_sets(faces, True):
        if (mask & pictures).any():
            yield name, labels, mask & pictures


def post_pictures(client: ServedClient, pixels: np.ndarray, detector: str) -> list[dict[str, Any]]:
    """Post pictures (N, S, S) uint8 grey as PNG files of that size, and return the N answers."""
    return client.read_all(((f"{index}.png", png(picture)) for index, picture in enumerate(pixels)), detector=detector)


def measure_accuracy(client: ServedClient, faces: Faces, detection: bool) -> dict[str, Any]:
    """Metrics of the served head on each of `picture_sets`: {set: metrics}; empty without such pictures.

    Args:
        client: client of the server.
        faces: table of faces.
        detection: also post the pictures with the default detector, for `found`: its share of faces found, and its accuracy
            with a face that is not found counted as wrong.
    """
    sets = list(picture_sets(faces))
    if not sets:
        return {}
    test = faces.split("test")
    posted = np.any([mask for _, _, mask in sets], axis=0)
    place = np.cumsum(posted) - 1  # row of a posted face among the answers
    answers = post_pictures(client, test.pixels[posted], "none")
    whole, _ = largest_faces(answers)
    options = {"detector": "none", "views": answers[0]["views"]}
    report = {name: {**classification_metrics(whole[place[mask]], labels[mask]), **options} for name, labels, mask in sets}
    if detection:
        probabilities, found = largest_faces(post_pictures(client, test.pixels[posted], "auto"))
        for name, labels, mask in sets:
            rows = place[mask]
            right = found[rows] & (probabilities[rows].argmax(axis=1) == labels[mask])
            report[name]["found"] = {"faces": share(found[rows]), "right": share(right)}
    return report


def share(values: np.ndarray) -> dict[str, Any]:
    """Count of values (N,) bool, how many are true, their share and its interval; N is at least 1."""
    low, high = interval(values)
    return {
        "count": len(values),
        "right": int(values.sum()),
        "share": round(float(values.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "interval_method": INTERVAL_METHOD,
    }
