"""Results as tables: a row for each face, sentence or segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import MissingPackageError
from .labels import EMOTIONS

FACE_COLUMNS = (
    "id", "left", "top", "width", "height", "score", "emotion", "confidence", *EMOTIONS, "drawn", "unsure", "yaw", "pitch",
    "roll", "number",
)  # fmt: skip


def face_row(face: Any) -> dict[str, Any]:
    """Return the FACE_COLUMNS of a `Face`; angles in degrees, None where there is no pose."""
    body = face.to_json()
    pose = {} if face.pose is None else face.pose.to_json()
    flat = {**body, **body["box"], **body["probabilities"], **pose}
    return {name: flat.get(name) for name in FACE_COLUMNS}


def data_frame(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Any:
    """Return rows as a pandas.DataFrame; pandas is imported here only.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingPackageError("to_pandas needs the package pandas, which is not installed: pip install pandas") from None
    return pandas.DataFrame([dict(row) for row in rows], columns=list(columns))
