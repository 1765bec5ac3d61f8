"""FERG-DB (Aneja et al., "Modeling Stylized Character Expressions via Deep Learning", ACCV 2016): six drawn 3D characters.

`FERG_DB_256/<character>/<character>_<expression>/*.png`, 55,767 images. Neighbouring frames are nearly identical, so that only
a held-out character gives a meaningful test: `scripts.data.splits.leave_one_group_out`.

`scripts.synthetic.heads.dataset.ferg_lookalike` renders trees of the same form and puts the file LOOKALIKE into them: their faces
have the source `heads` and may be passed on, those of FERG-DB may not.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from emotions.labels import EMOTIONS

from ..dataset import LABEL_NAMES, DatasetError
from ..splits import leave_one_group_out
from .files import Files
from .images import Cropper, Listed, Reading, read_images, some

CHARACTERS = ("aia", "bonnie", "jules", "malcolm", "mery", "ray")
LOOKALIKE = "LOOKALIKE.md"
"""File that marks a tree of rendered look-alikes, and states their terms."""


def read_ferg(path: Path, crop: Cropper | None = None, test: str = "ray", max_images: int | None = None) -> Reading:
    """Read a folder or an archive; `groups` are the characters: `test` is held out, the next one is validation.

    Heads fill these images, so that images without a detected face are used whole. `max_images` are drawn at random; all by
    default. The source is `ferg`, or `heads` for a tree with the file LOOKALIKE. Raises DatasetError.
    """
    with Files(path) as files:
        listed = [entry for name in files.images() if (entry := _listed(path, name))]
        if not listed:
            raise DatasetError(f"{path}: no picture under <character>/<character>_<expression>/: is this FERG_DB_256?")
        listed = some(listed, max_images)
        source = "heads" if files.called(LOOKALIKE) else "ferg"
        reading = read_images(files, listed, source, crop or Cropper(how="face-or-whole"))
    there = {entry.group for entry in listed}
    counts = {"pictures": len(listed), "characters": len(there)}
    if absent := [name for name in CHARACTERS if name not in there]:
        counts[f"characters of FERG-DB that are not there ({', '.join(absent)})"] = len(absent)
    return Reading(leave_one_group_out(reading.faces, test), counts | reading.counts)


def _listed(path: Path, file: str) -> Listed | None:
    """Image with its character and label; None for other files. Raises DatasetError for an unknown expression."""
    *_, above, folder, name = ("", "", *PurePosixPath(file).parts)
    character, separator, expression = folder.lower().rpartition("_")
    if not separator or character != above.lower():
        return None
    if expression not in LABEL_NAMES:
        raise DatasetError(f"{path}: {file}: unknown expression {expression!r}")
    return Listed(file, EMOTIONS.index(LABEL_NAMES[expression]), name, splits=("train",), group=character)
