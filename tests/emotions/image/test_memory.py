"""Peak memory of decodes in real processes against their estimates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from emotions.image import loading
from scripts.bench.decoding import SHAPED, shaped

from .test_hostile import CHEAP

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def measured(path: Path) -> dict:
    command = [sys.executable, "-m", "scripts.bench.decoding", "--one", str(path)]
    done = subprocess.run(command, cwd=Path(loading.__file__).parents[2], capture_output=True, check=True)
    row: dict = json.loads(done.stdout)
    return row


@pytest.mark.slow
@pytest.mark.parametrize("name", ["png", "lzw.tif", "progressive.jpg", "lossy.webp", "avif"])
def test_estimate_of_wide_strips_is_an_upper_bound(tmp_path, name):
    """The shape that takes most beside its pixels: a band of rows that is converted at a time."""
    path = next(path for path in shaped(tmp_path, 8, [name]) if int(path.name.split("x")[0]) > 10_000 and "x1-" not in path.name)
    row = measured(path)
    width, height = row["size"]
    assert width * height / 4 < row["peak"] <= row["estimate"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPED)
def test_estimates_of_all_shapes_and_modes_are_upper_bounds(tmp_path, name):
    for path in shaped(tmp_path, 11, [name]):
        row = measured(path)
        assert row["peak"] <= row["estimate"], row
        path.unlink()


@pytest.mark.parametrize("name", ["jpeg exif", "png texts", "heic exif", "avif profile", "heic profile"])
def test_estimate_of_bombs_in_metadata_is_an_upper_bound(tmp_path, name):
    """Read in full, they would take 60 to 300 MB; of a file with a large profile, copies of the file are made."""
    path = tmp_path / "picture"
    path.write_bytes(CHEAP[name])
    row = measured(path)
    assert row["peak"] <= row["estimate"] < 16 * 2**20 + ("profile" in name) * 3 * path.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["u2", "f8"])
@pytest.mark.parametrize("options", [{"planarconfig": "separate"}, {"planarconfig": "contig", "tile": (256, 256)}], ids=str)
def test_estimate_of_tiffs_of_all_numbers_is_an_upper_bound(tmp_path, kind, options):
    """Samples that are converted here: their bytes are held beside the file, which libtiff is given in one piece."""
    rows, columns = np.random.default_rng(0).random((2, 1000, 1, 3))
    values = (rows + columns.swapaxes(0, 1)) / 2
    values = (values * np.iinfo(kind).max).astype(kind) if kind[0] == "u" else values.astype(kind)
    array = np.moveaxis(values, -1, 0) if options["planarconfig"] == "separate" else values
    path = tmp_path / "picture.tif"
    tifffile.imwrite(path, np.ascontiguousarray(array), photometric="rgb", compression="zlib", metadata=None, **options)
    row = measured(path)
    assert row["peak"] <= row["estimate"] < 4 * array.nbytes + 32 * 2**20
