"""Tests of the import of an exported network into Keras; they need no PyTorch."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from scripts.data.dataset import Faces, table
from scripts.train.gpu import import_run
from scripts.train.gpu.arrays import read_arrays

FILTERS = (4, 4, 6, 8, 8)
BLOCKS = (2, 2, 3, 3, 3)


def exported(folder, name: str) -> dict[str, np.ndarray]:
    """Random weights in two files, as networks.export writes them; features as the imported network computes them."""
    rng, arrays, inputs, number = np.random.default_rng(0), {}, 1, 0
    for filters, count in zip(FILTERS, BLOCKS, strict=True):
        for _ in range(count):
            arrays[f"{number:02}-kernel"] = rng.normal(0, 0.3, (3, 3, inputs, filters)).astype(np.float16)
            for key, low in (("gamma", 0.5), ("beta", -0.5), ("mean", -0.5), ("variance", 0.5)):
                arrays[f"{number:02}-{key}"] = rng.uniform(low, low + 1, filters).astype(np.float32)
            inputs, number = filters, number + 1
    arrays["sample-pixels"] = rng.integers(0, 256, (4, 48, 48), np.uint8)
    arrays["sample-features"] = np.ones((4, 8), np.float32)
    base = import_run.build(arrays)
    features = base(arrays["sample-pixels"][..., None].astype(np.float32), training=False)
    arrays["sample-features"] = keras.ops.convert_to_numpy(features)
    names = sorted(arrays)
    np.savez(folder / f"{name}-0.npz", **{key: arrays[key] for key in names[::2]})
    np.savez(folder / f"{name}-1.npz", **{key: arrays[key] for key in names[1::2]})
    return arrays


@pytest.fixture
def results(tmp_path):
    faces = table([np.full((48, 48), value, np.uint8) for value in range(9)], [0, 1, 2] * 3, ["train", "validation", "test"] * 3,
                  [str(number) for number in range(9)], "own")  # fmt: skip
    Faces.joined([faces]).save(tmp_path / "own.npz")
    recipe = {"peak": 0.1, "momentum": 0.9, "decay": 1e-4, "clip": 5.0, "warmup": 0.05, "batch": 8, "ema": 0.9, "smoothing": 0.0,
              "dropout": 0.1, "votes_weight": 1.0, "distill_weight": 0.7, "temperature": 2.0, "shift": 1.0, "rotation": 2.0,
              "scale": 0.1, "brightness": 0.1, "erase": 0.2, "mixup": 0.0}  # fmt: skip
    network = {"epochs": 3.0, "recipe": recipe, "validation": {"label plain": 50.0}}
    (tmp_path / "results.json").write_text(json.dumps({"networks": {"student": network}, "device": "a GPU"}), encoding="utf-8")
    return tmp_path


def test_a_network_becomes_a_finished_run(results):
    arrays = exported(results, "student")
    run = results / "run"
    import_run.main([str(results / "own.npz"), "--results", str(results), "--name", "student", "--run", str(run)])
    base = keras.saving.load_model(run / "base.keras", compile=False)
    assert base.output_shape == (None, FILTERS[-1]) and import_run.feature_difference(base, arrays) < 1e-4
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert config["network"] == {"filters": list(FILTERS)} and config["trained_on"]["device"] == "a GPU"
    history = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    assert history[0].startswith("epoch") and len(history) == 4


def test_wrong_weights_are_noticed(results, capsys):
    arrays = exported(results, "student")
    arrays["sample-features"] = arrays["sample-features"] * 1.1
    np.savez(results / "student-1.npz", **{key: arrays[key] for key in sorted(arrays)[1::2]})
    np.savez(results / "student-0.npz", **{key: arrays[key] for key in sorted(arrays)[::2]})
    with pytest.raises(SystemExit) as stop:
        import_run.main([str(results / "own.npz"), "--results", str(results), "--name", "student", "--run", str(results / "run")])
    assert stop.value.code == 1 and "too large" in capsys.readouterr().err


def test_a_missing_file_and_an_unfinished_network_are_refused(results, capsys):
    exported(results, "student")
    (results / "student-1.npz").unlink()
    with pytest.raises(ValueError, match="one of its files is missing"):
        read_arrays(results, "student")
    with pytest.raises(SystemExit):
        import_run.main([str(results / "own.npz"), "--results", str(results), "--name", "other", "--run", str(results / "run")])
    assert "was not finished" in capsys.readouterr().err
