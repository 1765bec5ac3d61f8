"""The pipeline from faces to a served model on tiny data, with the real network and the real converter."""

from __future__ import annotations

import csv
import json
import shutil

import keras
import numpy as np
import pytest

from emotions.face.classifier import ExpressionClassifier
from emotions.runtime.manifest import ModelRegistry
from scripts.common.litert_weights import convolutions
from scripts.common.metrics import fit_shared_temperature
from scripts.data.dataset import Faces
from scripts.data.labels import targets_and_mask
from scripts.data.splits import without_copies
from scripts.evaluate import accuracy
from scripts.release import export
from scripts.train import optimisation
from scripts.train.augment import Augment
from scripts.train.backbones import DesignError
from scripts.train.base import main as train_main
from scripts.train.finetune import load_litert_weights, vgg_filters
from scripts.train.heads import __main__ as heads_command
from scripts.train.heads import search
from scripts.train.networks import dense_head, folded, vgg_backbone
from tests.scripts.conftest import SMALL_VGG

HEADS = ("fer2013", "ferplus", "mixed")


@pytest.fixture(scope="module")
def finished(prepared, configured, tmp_path_factory):
    """A run of two epochs, stopped after the first stage's end by its configuration and then gone on with."""
    folder = tmp_path_factory.mktemp("run")
    config = folder / "config.toml"
    for last in (0, 1):
        config.write_text(configured(prepared, last))
        train_main(["--config", str(config), "--run", str(folder / "run")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "DESIGNS", ("linear",))
        patch.setattr(search, "MIXTURES", (0.5,))
        heads_command.main(["--run", str(folder / "run")])
    return folder / "run"


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The folder that the run was exported to, as version 9.9.9."""
    folder = tmp_path_factory.mktemp("exported")
    export.export(finished, "9.9.9", folder)
    return folder


@pytest.mark.slow
def test_an_interrupted_run_resumes(finished):
    with open(finished / "history.csv") as stream:
        epochs = [int(row["epoch"]) for row in csv.DictReader(stream)]
    assert epochs == [0, 1]  # the second call did not repeat the first epoch
    assert json.loads((finished / "config.json").read_text())["optimiser"]["peak"] == 0.01


@pytest.mark.slow
def test_export_serves_what_was_trained(finished, exported, prepared, tmp_path):
    names = {path.name for path in exported.iterdir()}
    beside = {entry.file for role in ("detector", "landmarks") for entry in ModelRegistry().entries(role)} | set(export.NOTICES)
    assert names - beside == {
        "manifest.json",
        "evaluation.json",
        "vgg16-9.9.9.tflite",
        *(f"vgg16-{head}-9.9.9.tflite" for head in HEADS),
    }
    validation = Faces.load(prepared).split("validation")
    served = ExpressionClassifier(ModelRegistry(exported), "mixed")
    base = folded(keras.saving.load_model(finished / "base.keras", compile=False), 48)
    exact = base.predict(validation.pixels[..., None], verbose=0)
    features = served.features(validation.pixels)
    assert np.corrcoef(exact.ravel(), features.ravel())[0, 1] > 0.99
    head = keras.saving.load_model(finished / "head-mixed.keras", compile=False)
    assert np.abs(served.logits(exact) - head.predict(exact, verbose=0)).max() < 0.1 * np.abs(exact).max()
    with pytest.raises(ValueError, match="raise the version"):
        export.export(_altered(finished, tmp_path), "9.9.9", exported)


@pytest.mark.slow
def test_the_temperature_of_mixed_is_fitted_on_further_tables_too(finished, prepared, tmp_path):
    run, folder = tmp_path / "run", tmp_path / "exported"
    shutil.copytree(finished, run)
    further = tmp_path / "others.npz"
    Faces.load(prepared).save(further)
    config = json.loads((run / "config.json").read_text())
    config["data"]["others"] = str(further)
    (run / "config.json").write_text(json.dumps(config))
    export.export(run, "9.9.9", folder)
    head = ExpressionClassifier(ModelRegistry(folder), "mixed")
    faces = without_copies(Faces.load(prepared)).split("validation")
    logits = head.logits(head.features(faces.pixels))
    sets = [(logits[known], ids[known]) for ids, known in (targets_and_mask(name, faces) for name in ("fer2013", "ferplus"))]
    others = Faces.load(further).split("validation")
    sets.append((head.logits(head.features(others.pixels))[others.labels >= 0], others.labels[others.labels >= 0]))
    temperature = ModelRegistry(folder).entry("expression-head", "mixed").metadata["temperature"]
    assert temperature == pytest.approx(fit_shared_temperature(sets), rel=0.02)


@pytest.mark.slow
def test_a_published_backbone_initialises_a_run(exported, prepared, configured, tmp_path, capsys):
    path = exported / "vgg16-9.9.9.tflite"
    train_faces = Faces.load(prepared).split("train").pixels
    base = vgg_backbone(16, filters=SMALL_VGG)
    load_litert_weights(base, path, train_faces)
    served = ExpressionClassifier(ModelRegistry(exported), "mixed").features(train_faces)
    again = base.predict(train_faces[..., None], verbose=0)
    assert np.corrcoef(again.ravel(), served.ravel())[0, 1] > 0.999
    assert np.allclose(np.square(base.get_layer("block3_conv2").kernel).sum(axis=(0, 1, 2)), 2, rtol=1e-4)
    with pytest.raises(ValueError, match="holds convolutions"):
        load_litert_weights(vgg_backbone(19, filters=SMALL_VGG), path, train_faces)
    config = tmp_path / "config.toml"
    config.write_text(configured(prepared, 0))
    train_main(["--config", str(config), "--run", str(tmp_path / "run"), "--init-from", str(path)])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (
        config["init_from"] == str(path) and config["parent"]["version"] == "9.9.9" and "FER2013" in config["parent"]["licence"]
    )
    assert (tmp_path / "run" / "base.keras").is_file() and len(convolutions(path)) == 13
    assert vgg_filters(path) == list(SMALL_VGG)
    with pytest.raises(DesignError, match="cannot initialise"):
        vgg_filters(tmp_path / "config.toml")


@pytest.fixture(scope="module")
def small(prepared, configured_small, tmp_path_factory):
    """A run of one epoch of a small network."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "config.toml").write_text(configured_small(prepared, 0))
    train_main(["--config", str(folder / "config.toml"), "--run", str(folder / "run")])
    return folder / "run"


def weights_of(run):
    return keras.saving.load_model(run / "base.keras", compile=False).trainable_weights


@pytest.mark.slow
def test_a_run_is_initialised_from_the_backbone_of_another(small, prepared, configured_small, tmp_path, capsys):
    config, run = tmp_path / "config.toml", tmp_path / "run"
    config.write_text(
        configured_small(prepared, 1).replace("peak = 0.01", "peak = 0.0")
    )  # a learning rate of 0: the weights stay
    begin = ["--config", str(config), "--run", str(run), "--init-from", str(small / "base.keras")]
    for epochs in ("1", "1+0", "1+two"):
        with pytest.raises(SystemExit):
            train_main([*begin, "--epochs", epochs])
        assert "one for each of 2 stages" in capsys.readouterr().err and not run.exists()
    train_main([*begin, "--epochs", "2+1"])
    recorded = json.loads((run / "config.json").read_text())
    assert [stage["epochs"] for stage in recorded["stages"]] == [2, 1]
    assert recorded["parent"]["name"] == "the run run" and "FER2013" in recorded["parent"]["licence"]
    for before, after in zip(weights_of(small), weights_of(run), strict=True):
        assert np.array_equal(before, after)
    config.write_text(config.read_text().replace("widths = [16, 16]", "widths = [16, 32]"))
    with pytest.raises(SystemExit):
        train_main([*begin[:3], str(tmp_path / "other"), *begin[4:]])
    assert "cannot initialise this backbone" in capsys.readouterr().err


@pytest.mark.slow
def test_final_weights_are_interpolated_with_the_initial_ones(small, prepared, configured_small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(optimisation, "BN_BATCHES", 5)
    config, run = tmp_path / "config.toml", tmp_path / "run"
    config.write_text(configured_small(prepared, 1))
    begin = ["--config", str(config), "--run", str(run), "--init-from", str(small / "base.keras")]
    train_main(begin)
    before, after = weights_of(small), weights_of(run)
    config.write_text(config.read_text().replace("[optimiser]", "[optimiser]\ninit_weight = 0.75"))
    train_main(begin)  # the finished run again, now interpolated
    for one, other, kept in zip(before, after, weights_of(run), strict=True):
        np.testing.assert_allclose(kept, 0.75 * np.asarray(one) + 0.25 * np.asarray(other), atol=1e-6)
    assert not np.allclose(before[0], after[0], atol=1e-5)
    with pytest.raises(SystemExit):
        train_main([*begin[:2], "--run", str(tmp_path / "other")])
    assert "init_weight needs initial weights" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_resumes_only_with_its_own_settings(finished, prepared, configured, tmp_path, capsys):
    run, config = tmp_path / "run", tmp_path / "config.toml"
    shutil.copytree(finished, run)
    config.write_text(configured(prepared, 1))
    again = ["--config", str(config), "--run", str(run)]
    for options, message in (
        (["--init-from", "models/other.tflite"], "init_from was None, now models/other.tflite"),
        (["--limit", "8"], "limit was None, now 8"),
        (["--drawn", str(prepared)], "data was"),
    ):
        with pytest.raises(SystemExit) as stop:
            train_main([*again, *options])
        assert stop.value.code == 1 and message in capsys.readouterr().err
    recorded = json.loads((run / "config.json").read_text())
    recorded |= {"init_from": "models/initial.tflite", "parent": {"name": "parent"}, "commit": "0123abc"}
    (run / "config.json").write_text(json.dumps(recorded))
    train_main(again)  # all epochs are done: it resumes and keeps its initial backbone
    assert "resumes from its checkpoint, initialised from models/initial.tflite" in capsys.readouterr().out
    kept = json.loads((run / "config.json").read_text())
    assert [kept[name] for name in ("init_from", "parent", "commit")] == ["models/initial.tflite", {"name": "parent"}, "0123abc"]
    train_main([*again, "--init-from", "./models/initial.tflite"])


def _altered(run, tmp_path):
    """The run with another backbone, which must not replace a published file."""
    other = tmp_path / "other"
    other.mkdir()
    for path in run.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    vgg_backbone(16, name="vgg16", filters=SMALL_VGG).save(other / "base.keras")
    return other


@pytest.mark.slow
def test_verify_recomputes_metrics_and_detects_a_wrong_one(finished, exported, prepared, tmp_path, capsys):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    options = ["--faces", str(prepared), "--models", str(tmp_path), "--run", str(finished)]
    accuracy.main(options)
    card = (tmp_path / "vgg16-9.9.9.md").read_text()
    published = ModelRegistry(tmp_path).entry("expression-head", "fer2013").evaluation["fer2013_test"]
    assert published["count"] == 14 and f"| 14 | {published['accuracy']:.2%} |" in card
    accuracy.main([*options, "--verify"])
    assert "as published" in capsys.readouterr().out
    evaluation = tmp_path / "evaluation.json"
    evaluation.write_text(evaluation.read_text().replace(f'"right": {published["right"]}', '"right": 9000'))
    with pytest.raises(SystemExit) as stop:
        accuracy.main([*options, "--verify"])
    assert stop.value.code == 1


def test_folding_batch_norm_changes_nothing():
    keras.utils.set_random_seed(3)
    base = vgg_backbone(16, filters=SMALL_VGG)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([np.random.default_rng(4).uniform(0.5, 1.5, shape) for shape in shapes])
    faces = np.random.default_rng(5).integers(0, 256, (3, 48, 48, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(base, 48).predict(faces, verbose=0), base.predict(faces, verbose=0), rtol=2e-3, atol=1e-4)


def test_vgg16_has_the_published_number_of_weights():
    # Keras applications' VGG16 without its top has 14,714,688 with three input channels; grey saves 2 * 9 * 64.
    assert folded(vgg_backbone(16), 48).count_params() == 14_714_688 - 2 * 9 * 64


@pytest.mark.parametrize("design", ["original", "small", "linear"])
def test_heads_give_seven_logits(design):
    head = dense_head(design)
    assert head.output_shape == (None, 7) and not isinstance(head.layers[-1].activation, keras.layers.Softmax)


def test_the_original_head_has_its_layers_in_order():
    kinds = [type(layer).__name__ for layer in dense_head("original").layers[1:]]
    assert kinds == ["Dense", "Dropout", "Dense", "Dense", "BatchNormalization", "Dense", "Dense"]


def test_augmentation_keeps_faces_and_stays_in_range():
    faces = np.tile(np.linspace(0, 255, 48, dtype=np.float32)[None, :, None, None], (16, 1, 48, 1))
    augment = Augment(crop=40)
    out = keras.ops.convert_to_numpy(augment(faces, training=True))
    assert out.shape == (16, 40, 40, 1) and out.min() >= 0 and out.max() <= 255
    assert np.abs(out[0] - out[1]).max() > 5  # each face is treated in its own way
    assert np.array_equal(keras.ops.convert_to_numpy(augment(faces, training=False)), faces)
    still = Augment(shift=0.0, rotation=0.0, scale=0.0, brightness=0.0, erase=0.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(still(faces, training=True)), faces, atol=0.01)  # or its mirror image
