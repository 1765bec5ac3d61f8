"""Fit the speech networks and cross-validate them over speakers. Needs NumPy only.

    python -m scripts.speech.train --table data/speech.npz --run runs/speech

Writes emotion.npz and check.npz, the networks to export (fitted without HELD_OUT_SPEAKERS), and figures.json: metrics of RAVDESS,
cross-validated over its emobox_fold, of EmoDB, leaving one speaker out, and of TESS, across its two speakers, and the share of
speech that the speech check rejects. Features are cached in the run's folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from emotions.runtime.litert import softmax

from ..common.git import commit
from ..common.metrics import fit_temperature
from ..data.dataset import DatasetError
from .clips import ANALOG, DIGITAL, Clips, WindowFeatures, window_features
from .metrics import TEMPERATURES, clip_means, clip_metrics
from .non_speech import HELD_OUT_KINDS, SYNTHESIZERS
from .prepare import TABLE
from .rbf import RBFNetwork, fit_rbf
from .speech_check import SOUNDS_PER_KIND, fit_speech_check, non_speech_features, speech_features

HELD_OUT_SPEAKERS = ("ravdess-21", "ravdess-22", "ravdess-23", "ravdess-24", "emodb-15", "emodb-16", "tess-OAF")
"""Speakers that the speech check is tested on. The first four, RAVDESS' actors, test the emotion network too."""
CONFIG: dict[str, Any] = {
    "components": 256, "gamma": 0.5, "ridge": 0.2, "copies": [1, DIGITAL, ANALOG], "others": 0.3, "tess": 0.3, "seed": 0,
}  # fmt: skip
"""`copies`: numbers of the augmented copies of each clip (`clips.window_features`); `others`: weight of the corpora beside
RAVDESS; `tess`: share of its clips."""
TEST_SOUNDS = 100
"""Synthesised sounds of each kind that the speech check is tested on."""


def fit_emotion(
    clips: Clips, rows: WindowFeatures, chosen: np.ndarray, config: dict[str, Any], main: str = "ravdess"
) -> RBFNetwork:
    """Fit the emotion network to the labelled clips of the mask `chosen`.

    Clips of the corpus `main` come with their copies, augmented or under conditions, those of other corpora without, at a lower
    weight.
    """
    labels, corpora = clips.labels[rows.clips], clips.corpora[rows.clips]
    original = (rows.copies == 0) & (clips.conditions[rows.clips] == "")
    usable = chosen[rows.clips] & (labels >= 0) & ((corpora == main) | original)
    labels, corpora = labels[usable], corpora[usable]
    counts = np.bincount(labels, minlength=7)
    weights = (1 / np.maximum(counts, 1))[labels] * np.where(corpora == main, 1.0, config["others"])
    targets = np.eye(7)[labels] - 1 / 7
    return fit_rbf(
        rows.features[usable], targets, weights / weights.mean(), config["components"], config["gamma"], config["ridge"]
    )


def predict_windows(model: RBFNetwork, clips: Clips, rows: WindowFeatures, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (W, 7) of all windows of the chosen clips, without their augmented copies, and their clip ids (W,)."""
    selected = chosen[rows.clips] & (rows.copies == 0) & (clips.labels[rows.clips] >= 0)
    return model.logits(rows.features[selected]), rows.clips[selected]


def cross_validate(
    clips: Clips, rows: WindowFeatures, corpus: str, groups: np.ndarray, other_corpora: bool, config: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Predict every clip of a corpus with a network that was not trained on its group.

    Args:
        clips: All clips.
        rows: Features of their windows.
        corpus: Corpus to predict.
        groups: (N,) groups of the clips, such as folds or speakers.
        other_corpora: Also train on the other corpora.
        config: See CONFIG.

    Returns:
        Logits (W, 7) of all windows of the corpus, and their clip ids (W,).
    """
    parts = []
    for group in np.unique(groups[clips.corpora == corpus]):
        held_out = (clips.corpora == corpus) & (groups == group)
        model = fit_emotion(clips, rows, ~held_out & (other_corpora | (clips.corpora == corpus)), config, corpus)
        parts.append(predict_windows(model, clips, rows, held_out))
        print(f"{corpus}: without {group}", flush=True)
    logits, owners = map(np.concatenate, zip(*parts, strict=True))
    return logits, owners


def measure(clips: Clips, logits: np.ndarray, owners: np.ndarray, temperature: float) -> dict[str, Any]:
    probabilities, ids = clip_means(softmax(logits, temperature), owners)
    return clip_metrics(probabilities, clips.labels[ids], clips.speakers[ids])


def rejection_rates(check: RBFNetwork, clips: Clips) -> dict[str, Any]:
    """Shares that the speech check rejects: of held-out speakers' clips by corpus, and of synthesised sounds by kind."""
    held_out = np.isin(clips.speakers, HELD_OUT_SPEAKERS) & (clips.conditions == "")
    corpora = {str(one): clips.select(held_out & (clips.corpora == one)) for one in np.unique(clips.corpora)}
    speech = {
        name: {"count": len(part), "refused": round(float((check.logits(speech_features(part, len(part), 1)) < 0).mean()), 4)}
        for name, part in corpora.items() if len(part)
    }  # fmt: skip
    others = {
        kind: {
            "refused": round(float((check.logits(non_speech_features([kind], TEST_SOUNDS, 2)) < 0).mean()), 4),
            "learnt": kind not in HELD_OUT_KINDS,
        }
        for kind in SYNTHESIZERS
    }
    return {"speech": speech, "others": others}


def cached_features(clips: Clips, table: Path, run: Path, config: dict[str, Any]) -> WindowFeatures:
    """Features of the table's windows, from the run's folder if they were computed from this table."""
    path = run / "features.npz"
    stamp = f"{table.stat().st_size}-{table.stat().st_mtime_ns}-{config['copies']}-{config['seed']}"
    if path.is_file():
        with np.load(path) as kept:
            if str(kept["stamp"]) == stamp:
                return WindowFeatures(kept["features"], kept["clips"], kept["copies"])
    copies = tuple(config["copies"])
    rows = window_features(clips, {"ravdess": copies, "emodb": copies}, config["seed"])
    np.savez(path, stamp=np.array(stamp), **vars(rows))
    return rows


def train(table: Path, run: Path, config: dict[str, Any], each: int = SOUNDS_PER_KIND) -> dict[str, Any]:
    """Cross-validate, fit both networks and write them into `run`; return the content of figures.json."""
    clips = Clips.load(table)
    run.mkdir(parents=True, exist_ok=True)
    rows = cached_features(clips, table, run, config)
    random = np.random.default_rng(config["seed"])
    kept_clips = (clips.corpora != "tess") | (random.random(len(clips)) < config["tess"])
    ours = clips.select(kept_clips)
    renumbered = np.cumsum(kept_clips) - 1
    kept = kept_clips[rows.clips]
    ours_rows = WindowFeatures(rows.features[kept], renumbered[rows.clips[kept]], rows.copies[kept])
    logits, owners = cross_validate(ours, ours_rows, "ravdess", ours.folds, True, config)
    original = ours.conditions[owners] == ""
    fitted_on = original & ~np.isin(ours.speakers[owners], HELD_OUT_SPEAKERS)
    temperature = fit_temperature(logits[fitted_on], ours.labels[owners[fitted_on]], TEMPERATURES)
    results = {"ravdess_cross_validated": measure(ours, logits[original], owners[original], temperature)}
    by_family = {}
    for family in sorted(set(ours.conditions[owners[~original]])):
        chosen = ours.conditions[owners] == family
        row = measure(ours, logits[chosen], owners[chosen], temperature)
        by_family[family] = {"count": row["count"], "recall": row["recall"]}
    for corpus, name in (("emodb", "emodb_speakers_out"), ("tess", "tess_across_speakers")):
        if (clips.corpora == corpus).any():
            found, ids = cross_validate(clips, rows, corpus, clips.speakers, False, config)
            original = clips.conditions[ids] == ""
            found, ids = found[original], ids[original]
            results[name] = measure(clips, found, ids, fit_temperature(found, clips.labels[ids], TEMPERATURES))
    emotion = fit_emotion(ours, ours_rows, ~np.isin(ours.speakers, HELD_OUT_SPEAKERS[:4]), config)
    emotion.save(run / "emotion.npz")
    for_check = (clips.conditions == "") & ~np.isin(clips.speakers, HELD_OUT_SPEAKERS)
    check = fit_speech_check(clips.select(for_check), each, seed=config["seed"])
    check.save(run / "check.npz")
    counts = {str(one): int(((ours.corpora == one) & (ours.conditions == "")).sum()) for one in np.unique(ours.corpora)}
    return {
        "config": config, "commit": commit(), "table": {"used": counts}, "temperature": round(temperature, 4),
        "evaluation": results, "families": by_family, "refused": rejection_rates(check, clips),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    parser.add_argument("--each", type=int, default=SOUNDS_PER_KIND, help="synthesised sounds of each kind in the training data")
    options = parser.parse_args(arguments)
    try:
        written = train(options.table, options.run, CONFIG, options.each)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    (options.run / "figures.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    for name, row in written["evaluation"].items():
        print(f"{name}: mean recall {row['recall']:.3f} ({row['interval'][0]:.3f} to {row['interval'][1]:.3f})")
    print(json.dumps(written["refused"]))


if __name__ == "__main__":
    main()
