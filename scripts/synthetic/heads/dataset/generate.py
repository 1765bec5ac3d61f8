"""Render 3D characters with known expressions, cropped as the service would, into tables for training and evaluation.

    python -m scripts.synthetic.heads.dataset.generate --heads data/ict_facekit.npz --count 20000 --out data/heads.npz

`--heads` is the head model (`make data/ict_facekit.npz`). The command writes `data/heads.npz` (crops of 48 pixels)
and `data/heads-96.npz` (the same rows at 96), `data/heads-info.csv` (what each row shows: see record.py),
`data/heads-whole.zip` (every tenth picture whole, 256 pixels) and `data/heads-CARD.md`. The pictures of each finished
character are kept in `data/heads/`: an interrupted command resumes with the next character, and a larger `--count`
adds to a smaller one. A row depends on `--seed` and its number alone. Rendering needs EGL from Mesa
(`libegl1 libgl1-mesa-dri` on Debian), no display and no graphics card.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emotions.cli.workers import ProcessDied, map_in_order
from emotions.errors import ModelFileError
from emotions.runtime.litert import available_cpus
from emotions.runtime.manifest import ModelRegistry

from ....data.dataset import DatasetError, Faces, table
from ..characters import SEED
from ..geometry.model import load_head_model
from . import card
from .plan import Row, by_character, plan_row, split_of
from .record import Record, to_csv
from .shards import SIZES, fingerprint, finished_numbers, other_folders, read_shard, shard_path
from .worker import Shard, render_shard, use_one_thread

SOURCE = "heads"
DAY = (2026, 1, 1, 0, 0, 0)  # of the files in a zip, so that the same pictures give the same archive


def missing_shards(folder: Path, heads: Path, seed: int, rows: Sequence[Row]) -> Iterator[Shard]:
    """Yield what is not rendered yet, a shard for each character."""
    for (family, character), wanted in by_character(rows).items():
        path = shard_path(folder, family, character)
        there = finished_numbers(path)
        if missing := [row for row in wanted if row.number not in there]:
            yield Shard(path, heads, seed, missing)


def render(folder: Path, heads: Path, seed: int, rows: Sequence[Row], jobs: int) -> None:
    """Render all rows into shards, with progress. Finished shards stay if it is interrupted. Raises DatasetError."""
    shards = list(missing_shards(folder, heads, seed, rows))
    finished = len(rows) - sum(len(shard.rows) for shard in shards)
    with tqdm(total=len(rows), initial=finished, unit=" pictures", desc="rendering") as progress:
        for shard, result in map_in_order(render_shard, shards, jobs, use_one_thread, ()):
            if isinstance(result, ProcessDied):
                raise DatasetError(f"a process died while it rendered {shard.path.stem}: start the command again to resume")
            progress.update(result)


def assemble(folder: Path, rows: Sequence[Row], archive: Path) -> tuple[list[Faces], list[Record]]:
    """Read the shards in the order of rows, and write the whole pictures into a zip archive.

    Returns:
        A table for each of SIZES, and the records of the rows.
    """
    crops = [np.zeros((len(rows), size, size), np.uint8) for size in SIZES]
    records: dict[int, Record] = {}
    partial = archive.with_name(archive.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr(zipfile.ZipInfo("LICENSE.md", DAY), card.terms())
        for (family, character), wanted in by_character(rows).items():
            numbers = {row.number for row in wanted}
            for picture in read_shard(shard_path(folder, family, character)):
                if picture.number not in numbers:
                    continue  # a row beyond the count
                records[picture.number] = picture.record
                for pixels, face in zip(crops, picture.crops, strict=True):
                    pixels[picture.number] = face
                if picture.whole:
                    packed.writestr(zipfile.ZipInfo(picture.record.whole, DAY), picture.whole)
    if lost := [row for row in rows if row.number not in records]:
        path = shard_path(folder, lost[0].family, lost[0].character)
        raise DatasetError(f"{path} is damaged: delete it, and the same command renders its pictures again")
    partial.replace(archive)
    shown = [records[row.number] for row in rows]
    labels, names, groups = zip(*((record.label, record.name, record.character) for record in shown), strict=True)
    splits = [split_of(record.family) for record in shown]
    return [table(pixels, labels, splits, names, SOURCE, groups) for pixels in crops], shown


def beside(out: Path, ending: str) -> Path:
    """File beside the table: its name with an ending, such as `-info.csv`."""
    return out.with_name(out.stem + ending)


def make_set(heads: Path, seed: int, count: int, jobs: int, out: Path) -> list[Record]:
    """Render a set of `count` pictures and write all its files. Raises DatasetError or ModelFileError."""
    made_by = fingerprint(load_head_model(heads), seed, ModelRegistry())
    folder = out.with_suffix("") / made_by
    rows = [plan_row(seed, number) for number in range(count)]
    for other in other_folders(folder):
        print(f"{other} holds pictures of another seed, head model or version of the renderer; they are not used", flush=True)
    render(folder, heads, seed, rows, jobs)
    tables, records = assemble(folder, rows, beside(out, "-whole.zip"))
    for size, faces in zip(SIZES, tables, strict=True):
        faces.save(out if size == SIZES[0] else beside(out, f"-{size}.npz"))
    beside(out, "-info.csv").write_text(to_csv(records), encoding="utf-8")
    beside(out, "-CARD.md").write_text(card.data_card(records, made_by), encoding="utf-8")
    return records


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--heads", type=Path, default=Path("data/ict_facekit.npz"), help="the head model, .npz or FaceXModel folder"
    )
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--out", type=Path, default=Path("data/heads.npz"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=available_cpus(), help="processes (default: one for each CPU)")
    options = parser.parse_args(arguments)
    if options.count < 1 or options.jobs < 1 or options.seed < 0 or options.out.suffix != ".npz":
        parser.error("--count and --jobs must be at least 1, --seed not negative, and --out a file .npz")
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        records = make_set(options.heads, options.seed, options.count, options.jobs, options.out)
    except (DatasetError, ModelFileError) as error:
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "interrupted: the pictures of finished characters are kept; the same command resumes\n")
    print(*card.counts(records), f"written: {options.out}", sep="\n")


if __name__ == "__main__":
    main()
