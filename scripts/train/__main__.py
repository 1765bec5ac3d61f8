"""Train a base of any design on faces, then dense heads on its bottleneck features. Any Keras backend (KERAS_BACKEND).

    python -m scripts.data.prepare --faces fer2013.zip --votes fer2013new.csv.gz
    python -m scripts.train base --config scripts/configs/vgg16.toml --run runs/vgg16
    python -m scripts.train heads --run runs/vgg16

Killed and started again, `base` goes on from its last finished epoch, whatever --start says; where that names another base than
the run was begun from, or data or limit are others, it refuses. What is taught are the label_sets of the table: labels, and raters'
votes if it has any. --faces takes another table than the configuration names. The run's folder holds the resolved configuration
(config.json), a line an epoch (history.csv), the finished base (base.keras) and the heads (head-<name>.keras). The designs are
in scripts/train/backbones.py, a configuration each in scripts/configs/; one without stages (a frozen base) trains heads alone.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

from ..data.dataset import DatasetError, Faces
from .backbones import DesignError, design_of
from .base import sample, train_base, with_epochs
from .heads import train_heads
from .runs import record_head_tables


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("base", "heads"))
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/vgg16.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/vgg16"), help="folder of checkpoints and results")
    parser.add_argument("--faces", type=Path, help="a table of scripts.data.prepare in the place of the configuration's")
    parser.add_argument("--start", type=Path, help="base to go on from: of a run (base.keras) or published (models/vgg16-*.tflite)")
    parser.add_argument("--epochs", help="other epochs than the configuration's stages have, such as 10+5")
    parser.add_argument("--precision", help="Keras dtype policy, such as mixed_bfloat16 (twice as fast with torch on new CPUs)")
    parser.add_argument("--drawn", type=Path, help="a table of drawn faces (scripts.synthetic.generate) to learn from as well")
    parser.add_argument("--others", type=Path, help="a table of further labelled faces, which the head `mixed` learns as well")
    parser.add_argument("--limit", type=int, help="use only so many faces a split, to rehearse")
    options = parser.parse_args(arguments)
    try:
        if options.what == "base":
            config = tomllib.loads(options.config.read_text())
            if options.start and options.start.suffix != ".keras" and design_of(config) not in ("vgg16", "vgg19"):
                raise DesignError(f"of published bases only a VGG's can be gone on from; {design_of(config)} is none")
            if options.epochs:
                config["stages"] = with_epochs(config["stages"], options.epochs)
            if options.faces:
                config["data"]["faces"] = str(options.faces)
            if options.drawn:
                config["data"]["drawn"] = str(options.drawn)
            config |= {"precision": options.precision, "start": str(options.start) if options.start else None}
            train_base(config, options.run, options.limit)
        else:
            config = json.loads((options.run / "config.json").read_text())
            faces = Faces.load(config["data"]["faces"])
            if options.limit:
                faces = sample(faces, options.limit, config["seed"])
            drawn = options.drawn or config["data"].get("drawn")
            tables = [Faces.load(path) if path else None for path in (drawn, options.others)]
            train_heads(options.run, faces, config["loss"]["smoothing"], config["seed"], *tables)
            record_head_tables(options.run, drawn, options.others)
    except (DatasetError, DesignError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
