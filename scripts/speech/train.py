"""Fit the networks for speech, and measure the recipe on speakers that it did not learn from. Needs NumPy alone.

    python -m scripts.speech.train --table data/speech.npz --run runs/speech

Writes emotion.npz and check.npz, the networks that ship (fitted without HELD_BACK), and figures.json: RAVDESS cross-validated
over
its emobox_fold, EmoDB leaving one speaker out, TESS across its two speakers, and how much speech the check refuses. Features are
kept in the run's folder and computed again only for another table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from emotions.runtime.litert import softmax

from ..common.git import commit
from ..data.dataset import DatasetError
from .check import fit_check, other_rows, speech_rows
from .clips import Clips, Rows, rows_of
from .figures import clip_means, figures, fit_temperature
from .noises import HELD_OUT, MAKERS
from .prepare import TABLE
from .radial import Radial, fit

HELD_BACK = ("ravdess-21", "ravdess-22", "ravdess-23", "ravdess-24", "emodb-15", "emodb-16", "tess-OAF")
"""Speakers by whom the speech check is measured; of these the emotion network learns from all but RAVDESS' actors."""
CONFIG = {"components": 256, "gamma": 0.5, "ridge": 0.2, "copies": 2, "others": 0.3, "tess": 0.3, "seed": 0}
"""`copies`: varied copies of each clip; `others`: weight of the corpora beside RAVDESS; `tess`: share of its clips that is
used.
"""
MEASURED = 100
"""Sounds of each kind that is no speech by which the speech check is measured."""


def learnt(clips: Clips, rows: Rows, chosen: np.ndarray, config: dict[str, Any], main: str = "ravdess") -> Radial:
    """Fit to the labelled clips of the mask `chosen`: the corpus `main` with its copies, the others at less weight as they
    are.
    """
    labels, corpora = clips.labels[rows.clips], clips.corpora[rows.clips]
    usable = chosen[rows.clips] & (labels >= 0) & ((corpora == main) | (rows.copies == 0))
    labels, corpora = labels[usable], corpora[usable]
    counts = np.bincount(labels, minlength=7)
    weights = (1 / np.maximum(counts, 1))[labels] * np.where(corpora == main, 1.0, config["others"])
    targets = np.eye(7)[labels] - 1 / 7
    return fit(rows.features[usable], targets, weights / weights.mean(), config["components"], config["gamma"], config["ridge"])


def answers(model: Radial, clips: Clips, rows: Rows, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits of every window of the chosen clips as they are, and the clips' ids."""
    asked = chosen[rows.clips] & (rows.copies == 0) & (clips.labels[rows.clips] >= 0)
    return model.logits(rows.features[asked]), rows.clips[asked]


def cross_validated(
    clips: Clips, rows: Rows, corpus: str, groups: np.ndarray, helped: bool, config: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all windows of a corpus, each from a network that learnt from none of its group; and the clips' ids.

    `helped`: whether the other corpora are learnt from as well.
    """
    parts = []
    for group in np.unique(groups[clips.corpora == corpus]):
        asked = (clips.corpora == corpus) & (groups == group)
        model = learnt(clips, rows, ~asked & (helped | (clips.corpora == corpus)), config, corpus)
        parts.append(answers(model, clips, rows, asked))
        print(f"{corpus}: without {group}", flush=True)
    logits, owners = map(np.concatenate, zip(*parts, strict=True))
    return logits, owners


def told(clips: Clips, logits: np.ndarray, owners: np.ndarray, temperature: float) -> dict[str, Any]:
    probabilities, ids = clip_means(softmax(logits, temperature), owners)
    return figures(probabilities, clips.labels[ids], clips.speakers[ids])


def refusals(check: Radial, clips: Clips) -> dict[str, Any]:
    """Shares refused: of held-back speakers' clips by corpus (half with noise), and of every kind of sound that is no speech."""
    back = np.isin(clips.speakers, HELD_BACK)
    corpora = {str(one): clips.where(back & (clips.corpora == one)) for one in np.unique(clips.corpora)}
    speech = {
        name: {"count": len(part), "refused": round(float((check.logits(speech_rows(part, len(part), 1)) < 0).mean()), 4)}
        for name, part in corpora.items() if len(part)
    }  # fmt: skip
    others = {
        kind: {
            "refused": round(float((check.logits(other_rows([kind], MEASURED, 2)) < 0).mean()), 4),
            "learnt": kind not in HELD_OUT,
        }
        for kind in MAKERS
    }
    return {"speech": speech, "others": others}


def features(clips: Clips, table: Path, run: Path, config: dict[str, Any]) -> Rows:
    """The table's rows, from the run's folder where they are of this table."""
    path = run / "features.npz"
    stamp = f"{table.stat().st_size}-{table.stat().st_mtime_ns}-{config['copies']}-{config['seed']}"
    if path.is_file():
        with np.load(path) as kept:
            if str(kept["stamp"]) == stamp:
                return Rows(kept["features"], kept["clips"], kept["copies"])
    rows = rows_of(clips, {"ravdess": config["copies"], "emodb": config["copies"]}, config["seed"])
    np.savez(path, stamp=np.array(stamp), **vars(rows))
    return rows


def train(table: Path, run: Path, config: dict[str, Any], each: int = 120) -> dict[str, Any]:
    """Fit and measure everything; gives what figures.json says."""
    clips = Clips.load(table)
    run.mkdir(parents=True, exist_ok=True)
    rows = features(clips, table, run, config)
    random = np.random.default_rng(config["seed"])
    fewer = (clips.corpora != "tess") | (random.random(len(clips)) < config["tess"])
    ours = clips.where(fewer)
    renumbered = np.cumsum(fewer) - 1
    kept = fewer[rows.clips]
    ours_rows = Rows(rows.features[kept], renumbered[rows.clips[kept]], rows.copies[kept])
    logits, owners = cross_validated(ours, ours_rows, "ravdess", ours.folds, True, config)
    seen = ~np.isin(ours.speakers[owners], HELD_BACK)
    temperature = fit_temperature(logits[seen], ours.labels[owners[seen]])
    results = {"ravdess_cross_validated": told(ours, logits, owners, temperature)}
    for corpus, name in (("emodb", "emodb_speakers_out"), ("tess", "tess_across_speakers")):
        if (clips.corpora == corpus).any():
            found, ids = cross_validated(clips, rows, corpus, clips.speakers, False, config)
            results[name] = told(clips, found, ids, fit_temperature(found, clips.labels[ids]))
    shipped = learnt(ours, ours_rows, ~np.isin(ours.speakers, HELD_BACK[:4]), config)
    shipped.save(run / "emotion.npz")
    check = fit_check(clips.where(~np.isin(clips.speakers, HELD_BACK)), each, seed=config["seed"])
    check.save(run / "check.npz")
    counts = {str(one): int((ours.corpora == one).sum()) for one in np.unique(ours.corpora)}
    return {
        "config": config, "commit": commit(), "table": {"used": counts}, "temperature": round(temperature, 4),
        "evaluation": results, "refused": refusals(check, clips),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    parser.add_argument("--each", type=int, default=120, help="synthesised sounds of each kind that the check learns from")
    options = parser.parse_args(arguments)
    try:
        written = train(options.table, options.run, CONFIG, options.each)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    (options.run / "figures.json").write_text(json.dumps(written, indent=1) + "\n")
    for name, row in written["evaluation"].items():
        print(f"{name}: mean recall {row['recall']:.3f} ({row['interval'][0]:.3f} to {row['interval'][1]:.3f})")
    print(json.dumps(written["refused"]))


if __name__ == "__main__":
    main()
