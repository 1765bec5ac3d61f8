"""The word lists inside a text model's file: a zip archive behind the network, as TensorFlow Lite's metadata packs them."""

from __future__ import annotations

import io
import zipfile

from ..runtime.manifest import ArtefactError

VOCABULARY, ENGLISH = "vocabulary.txt", "english.txt"


def lines_of(data: bytes, name: str) -> list[str]:
    """The lines of a list in the model file's bytes; ArtefactError where there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name).decode("utf-8").removesuffix("\n").split("\n")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ArtefactError(f"the text model's file holds no {name} ({error}): restore it from the repository") from None
