"""Every architecture: its layers, its export, and the pipeline from a configuration to a served head."""

from __future__ import annotations

import inspect
import json
import shutil
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

from emotions import FaceAnalyzer, ModelRegistry
from emotions.runtime.litert import LiteRTModel
from emotions.runtime.manifest import BUNDLED
from scripts.common.litert import to_litert
from scripts.evaluate import accuracy, experiments
from scripts.release import export
from scripts.train import base as train
from scripts.train import optimisation
from scripts.train.backbones import BACKBONES, DesignError, build_backbone, design_of, fer_cnn_backbone
from scripts.train.heads import __main__ as heads_command
from scripts.train.heads import search
from scripts.train.networks import dense_head, folded

CONFIGS = sorted((Path(train.__file__).parents[1] / "configs").glob("*.toml"))
TINY = {"widths": [16, 32], "blocks": 1}  # fewer than 16 channels crash oneDNN's backward pass of a 1 x 1 stride-2 convolution
LABEL_SETS = ("fer2013", "ferplus")
OPTIONS = {"fer_cnn": {}, "vgg16_imagenet": {"weights": "random"}, "residual": TINY, "resnet50": {}}


def test_fer_cnn_has_the_published_layers():
    network = [layer for layer in fer_cnn_backbone().layers if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))]
    sizes = [layer.count_params() for layer in [*network, dense_head("linear").get_layer("logits")]]
    assert sizes == [640, 204_928, 590_336, 2_359_808, 1_179_904, 131_584, 3_591]


@pytest.mark.slow
@pytest.mark.parametrize("design", OPTIONS)
def test_an_exported_backbone_equals_the_keras_model(design, tmp_path):
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(4)
    base = build_backbone({"name": design, "network": OPTIONS[design]})
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    base.save(tmp_path / "base.keras")
    base = keras.saving.load_model(tmp_path / "base.keras", compile=False)
    plain = folded(base, 48)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in plain.layers)
    faces = random.integers(0, 256, (3, 48, 48, 1)).astype(np.float32)
    exact = base.predict_on_batch(faces)
    np.testing.assert_allclose(plain.predict_on_batch(faces), exact, rtol=2e-3, atol=1e-4 * np.abs(exact).max())
    content = to_litert(plain)
    served = LiteRTModel(lambda: content)(faces)[0]
    assert served.shape == exact.shape and np.corrcoef(served.ravel(), exact.ravel())[0, 1] > 0.999
    assert np.abs(served - exact).max() < 0.05 * np.abs(exact).max()


def test_imagenet_means_are_subtracted():
    base = build_backbone({"name": "vgg16_imagenet", "network": {"weights": "random"}})
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    read = keras.Model(base.inputs, base.get_layer("imagenet_means").output).predict_on_batch(faces)
    expected = keras.applications.vgg16.preprocess_input(np.repeat(faces, 3, axis=-1))
    np.testing.assert_allclose(read, expected, atol=1e-3)
    assert not base.trainable_weights


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "mine", "design": "vgg99"}, "vgg99.*resnet50"),
        ({"name": "residual", "network": {"depth": 3}}, "network.*depth"),
        ({"name": "vgg16_imagenet", "network": {"weights": "/nowhere.h5"}}, "ImageNet weights are not available.*weights ="),
    ],
)
def test_invalid_networks_raise_a_design_error(config, message):
    with pytest.raises(DesignError, match=message):
        build_backbone(config)


def architecture_of(path: Path) -> str:
    """Architecture of a configuration: its file name, or for a later round (vgg16-decay) the first part of it."""
    return path.stem.partition("-")[0]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_are_complete(path):
    config = tomllib.loads(path.read_text())
    assert config["size"] == 48
    assert config["name"] == architecture_of(path) == design_of(config)
    inspect.signature(BACKBONES[design_of(config)]).bind(name=config["name"], **config.get("network", {}))
    assert experiments.recipe(config) and 0 <= config["loss"]["smoothing"] < 0.5


def test_every_architecture_has_a_configuration():
    assert {architecture_of(path) for path in CONFIGS} == set(BACKBONES)


def test_a_backbone_of_one_size_rejects_other_crops(configured, prepared, tmp_path, capsys):
    (tmp_path / "config.toml").write_text(configured(prepared, 1, network="").replace("vgg16", "fer_cnn"))
    with pytest.raises(SystemExit) as stop:
        train.main(["--config", str(tmp_path / "config.toml"), "--run", str(tmp_path / "run")])
    assert stop.value.code == 1 and "fer_cnn reads 48 px only" in capsys.readouterr().err


@pytest.mark.slow
def test_averaged_weights_differ_from_the_last_ones():
    def trained(ema: float) -> np.ndarray:
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        model = keras.Model(inputs, {name: keras.layers.Dense(7, name=name)(inputs) for name in LABEL_SETS})
        chosen = {"peak": 0.5, "momentum": 0.9, "weight_decay": 0.0, "clipnorm": 5.0, "warmup_epochs": 0, "ema": ema}
        config = {"optimiser": chosen, "stages": [{"epochs": 5}], "loss": {"ferplus": 1.0}, "label_sets": LABEL_SETS}
        optimisation.compile_model(model, config, steps=4)
        x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
        target = np.eye(7, dtype=np.float32)[np.arange(32) % 7]
        start = model.get_layer("fer2013").get_weights()[0]
        model.fit(x, dict.fromkeys(LABEL_SETS, target), batch_size=8, epochs=5, shuffle=False, verbose=0)
        return np.abs(model.get_layer("fer2013").get_weights()[0] - start).mean()

    assert 0 < trained(ema=0.95) < 0.8 * trained(ema=0.0)


def test_bn_statistics_are_recomputed_without_training(monkeypatch):
    monkeypatch.setattr(optimisation, "BN_BATCHES", 60)
    inputs = keras.Input((1,), dtype="uint8")
    model = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.9)(keras.layers.Rescaling(1.0)(inputs)))
    gamma, beta, mean, variance = model.layers[-1].get_weights()
    model.layers[-1].set_weights([gamma * 3, beta + 2, mean - 50, variance * 99])
    optimisation.recompute_bn_stats(model, keras.layers.Identity(), np.full((20, 1), 7, np.uint8), 8, seed=0)
    gamma, beta, mean, variance = (float(value[0]) for value in model.layers[-1].get_weights())
    assert (gamma, beta) == (3, 2) and mean == pytest.approx(7, abs=0.3) and variance == pytest.approx(0, abs=0.3)


@pytest.fixture(scope="module")
def finished(prepared, configured, tmp_path_factory):
    """A run of a tiny residual network with all options on, its heads, and the folder it was exported to."""
    folder = tmp_path_factory.mktemp("designs")
    text = configured(prepared, 1, network="").replace('design = "vgg16"', 'design = "residual"').replace('"vgg16"', '"tiny"')
    text = text.replace("[data]", f"[network]\nwidths = {TINY['widths']}\nblocks = {TINY['blocks']}\n[data]")
    text = text.replace("batch = 28", "batch = 28\nema = 0.5") + "mixup = 0.2\ncutmix = 1.0\n"
    (folder / "tiny.toml").write_text(text)
    run = folder / "runs" / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "DESIGNS", ("linear",))
        patch.setattr(search, "MIXTURES", (0.5,))
        patch.setattr(optimisation, "BN_BATCHES", 5)
        train.main(["--config", str(folder / "tiny.toml"), "--run", str(run)])
        heads_command.main(["--run", str(run)])
    export.main(["--run", str(run), "--version", "1.0.0", "--models", str(folder / "models")])
    return folder


@pytest.mark.slow
def test_any_architecture_is_served_by_naming_its_head(finished, prepared):
    registry = ModelRegistry(finished / "models")
    registry.verify()
    result = FaceAnalyzer(registry, "tiny-mixed").warm_up()
    assert result.model == {"name": "tiny/tiny-mixed", "version": "1.0.0"} and len(result.faces) == 1
    assert registry.entry("expression-base", "tiny").output == TINY["widths"][-1]
    assert (finished / "models" / "NOTICE.md").is_file(), "the licence of the detectors is copied too"


@pytest.mark.slow
def test_only_the_shipped_architecture_is_exported_to_models(finished, capsys):
    before = (BUNDLED / "manifest.json").read_bytes()
    with pytest.raises(SystemExit) as stop:
        export.main(["--run", str(finished / "runs" / "first"), "--version", "1.0.0"])
    assert stop.value.code == 1 and "only vgg16 ships" in capsys.readouterr().err
    assert (BUNDLED / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_the_table_keeps_deleted_runs(finished, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "ROUNDS", 2)
    models, run = finished / "models", finished / "runs" / "first"
    accuracy.main(["--faces", str(prepared), "--models", str(models), "--run", str(run)])
    assert "a residual network" in (models / "tiny-1.0.0.md").read_text()
    options = ["--runs", str(finished / "runs"), "--out", str(tmp_path)]
    experiments.main([*options, "--models", str(models)])
    rows = {row["variant"]: row for row in json.loads((tmp_path / "experiments.json").read_text())}
    shipped = f"vgg16-{ModelRegistry().entry('expression-base', 'vgg16').version}"
    assert "first" not in rows, "a run that was exported is the row of its version"
    row, default = rows["tiny-1.0.0"], rows[shipped]
    published = ModelRegistry(models).entry("expression-head", "tiny-fer2013").evaluation
    assert row["design"] == "residual" and row["exported"]["test"]["fer2013"] == published
    base, head = (ModelRegistry(models).entry(role, name).metadata for role, name in
                  (("expression-base", "tiny"), ("expression-head", "tiny-fer2013")))  # fmt: skip
    assert row["exported"]["bytes"] == base["bytes"] + head["bytes"]
    assert row["speed"]["ratio"] > 0 and default["speed"]["ratio"] > 0
    assert row["training"]["epochs"] == row["training"]["planned"] == 2 and "cutmix 1, ema 0.5" in row["training"]["recipe"]
    shutil.move(finished / "runs", tmp_path / "gone")
    try:
        experiments.main([*options, "--models"])
    finally:
        shutil.move(tmp_path / "gone", finished / "runs")
    again = {row["variant"]: row for row in json.loads((tmp_path / "experiments.json").read_text())}
    assert again["tiny-1.0.0"] == row and again[shipped]["exported"] == default["exported"]
    page = (tmp_path / "experiments.md").read_text()
    assert page.count("| `tiny-1.0.0` | residual |") == 1 and f"| {published['fer2013_test']['accuracy']:.1%} |" in page
