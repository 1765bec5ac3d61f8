"""Tests of fine-tuning, at toy size on a CPU; they need PyTorch (requirements-gpu.txt)."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is in the environment of the GPU training alone")
from scripts.train.gpu import arrays, data, finetune, networks, steps, train  # noqa: E402
from tests.scripts.train.gpu.test_train import CPU, PLAIN, packed  # noqa: E402, F401  # a fixture

WIDTH = 0.125


@pytest.fixture
def exported(packed, tmp_path):  # noqa: F811
    """A folder of an exported network, the faces and the network."""
    faces = data.load(packed[0], CPU)
    torch.manual_seed(3)
    net = networks.ExpressionNet("vgg16", 0.0, WIDTH).eval()
    networks.export(net, faces, tmp_path / "exported", "tiny")
    return tmp_path / "exported", faces, net


def test_an_exported_network_is_restored(exported):
    folder, faces, net = exported
    restored = networks.restore(arrays.read_arrays(folder, "tiny"))
    x = faces.pixels[:4][:, None].float()
    with torch.no_grad():
        assert torch.allclose(restored(x), net(x), atol=0.02)  # float16 kernels
    wrong = arrays.read_arrays(folder, "tiny") | {"05-kernel": np.zeros((3, 3, 8, 8), np.float16)}
    with pytest.raises(ValueError, match="has shape"):
        networks.restore(wrong)


def test_an_interrupted_training_resumes_where_it_was(exported, tmp_path):
    folder, faces, _ = exported
    stored, recipe = arrays.read_arrays(folder, "tiny"), replace(PLAIN, epochs=3, peak=0.02, mixup=0.2, shift=2.0)

    def training(path):
        torch.manual_seed(5)
        net = networks.restore(stored).placed(CPU).train()
        step = steps.TrainingStep([net], faces, recipe, lambda text: None)
        return net, step, train.Sampler(faces, recipe.batch), finetune.Checkpoint(path, step)

    whole, *rest = training(tmp_path / "whole.pt")
    finetune.fit(*rest, lambda text: None)

    _, step, sampler, checkpoint = training(tmp_path / "parts.pt")

    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune.fit(step, sampler, checkpoint, interrupted)
    resumed, *rest = training(tmp_path / "parts.pt")
    lines: list[str] = []
    finetune.fit(*rest, lines.append)
    assert [line.split(":")[0] for line in lines] == ["epoch 2 of 3", "epoch 3 of 3"]
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-5)
    _, step, _, _ = training(tmp_path / "other.pt")
    step.recipe = replace(recipe, batch=4)
    with pytest.raises(ValueError, match="batches of 16"):
        finetune.Checkpoint(tmp_path / "parts.pt", step).restore()


def test_soft_labels_are_mixed_into_the_targets_of_the_faces_they_know(exported, tmp_path):
    _, faces, _ = exported
    known, uniform = faces.keys[:10], np.full((10, 7), 1 / 7, np.float16)
    arrays.write_arrays(tmp_path / "soft.npz", {"sample_keys": known, "one": uniform, "ferplus": uniform})
    before, votes = faces.label_targets(0.0), faces.votes.clone()
    assert faces.add_soft_labels(tmp_path / "soft.npz", 0.5) == 10
    after = faces.label_targets(0.0)
    assert torch.allclose(after[:10], before[:10] / 2 + 1 / 14, atol=1e-3) and torch.equal(after[10:], before[10:])
    assert torch.allclose(faces.votes.sum(1), votes.sum(1), atol=1e-3) and torch.equal(faces.votes[10:], votes[10:])


def test_the_best_interpolation_is_exported(exported, packed, tmp_path):  # noqa: F811
    folder, _, _ = exported
    out = tmp_path / "out"
    command = ["--data", str(packed[0]), "--from", str(folder), "--name", "tiny", "--out", str(out), "--epochs", "2"]
    finetune.main([*command, "--batch", "16", "--precision", "float32", "--cpu"])
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["networks"]["tiny"]
    assert results["width"] == WIDTH and len(results["shares"]) == len(finetune.SHARES)
    best = max(results["shares"].values(), key=finetune.criterion)
    assert results["validation"] == best and set(arrays.read_arrays(out, "tiny")) == set(arrays.read_arrays(folder, "tiny"))
    with pytest.raises(SystemExit):
        finetune.main([*command, "--batch", "8", "--cpu"])  # the checkpoint is of other batches
