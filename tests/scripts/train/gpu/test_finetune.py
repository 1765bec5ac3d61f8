"""Tests of fine-tuning, at toy size on a CPU; they need PyTorch (requirements-gpu.txt)."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is in the environment of the GPU training alone")
from emotions.face.analyzer import FaceAnalyzer  # noqa: E402
from emotions.runtime.manifest import BUNDLED  # noqa: E402
from scripts.train.gpu import arrays, data, finetune, networks, published, steps, train  # noqa: E402
from tests.scripts.train.gpu.test_train import CPU, PLAIN, SIZE, packed  # noqa: E402, F401  # a fixture

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
    assert results["validation"] == best
    assert set(arrays.read_arrays(out, "tiny")) == set(arrays.read_arrays(folder, "tiny"))
    with pytest.raises(SystemExit):
        finetune.main([*command, "--batch", "8", "--cpu"])  # the checkpoint is of other batches


@pytest.mark.parametrize(("options", "share"), [([], 1.0), (["--untaught", "1"], 0.0)])
def test_the_share_is_chosen_without_untaught_tables(options, share, exported, packed, tmp_path, monkeypatch):  # noqa: F811
    folder, _, _ = exported
    shares, found = iter((0.0, 0.0, 1.0)), []  # the initial weights are measured before

    def measured(*_):
        tuned = next(shares)  # the fine-tuned weights lose on labeled photographs and gain more on the further table
        labels = 60.0 - 10 * tuned
        found.append({"label aligned": labels, "recall aligned": labels, "table 1": 50 + 40 * tuned, "recall 1": 50 + 40 * tuned})
        return found[-1]

    monkeypatch.setattr(finetune, "measure", measured)
    command = ["--data", str(packed[0]), "--from", str(folder), "--name", "tiny", "--out", str(tmp_path / "out")]
    training = ["--epochs", "1", "--batch", "16", "--shares", "0", "1", "--precision", "float32", "--cpu"]
    finetune.main([*command, *training, *options])
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["networks"]["tiny"]
    assert results["share"] == share and results["untaught_tables"] == [1] * bool(options)
    assert results["validation"] == found[1 + int(share)]


def test_tables_that_teachers_do_not_teach_do_not_count_for_the_choice():
    found = {
        "label aligned": 70,
        "recall aligned": 60,
        "votes aligned": 90,
        "table 1": 80,
        "recall 1": 60,
        "table 2": 10,
        "recall 2": 0,
    }
    assert finetune.criterion(found, [2]) == pytest.approx((65 + 70 + 90) / 3)
    assert finetune.criterion(found) == pytest.approx((65 + 70 + 5 + 90) / 4)


@pytest.fixture(scope="module")
def backbone():
    """The published backbone, its heads beside it."""
    [path] = BUNDLED.glob("vgg16-?.?.?.tflite")
    return path


@pytest.fixture(scope="module")
def published_net(packed, backbone):  # noqa: F811
    torch.manual_seed(0)
    return published.restore_published(backbone, data.load(packed[0], CPU), PLAIN).eval().requires_grad_(False)


def test_a_published_backbone_keeps_its_features_and_gets_heads(packed, backbone, published_net):  # noqa: F811
    faces = data.load(packed[0], CPU)
    x = faces.pixels[:16][:, None].float()
    expected = published._run(published.PublishedModel(backbone, ["fer2013"]).backbone, x.permute(0, 2, 3, 1).numpy())
    found = published_net.features(x).numpy()
    # LiteRT also quantizes activations; the features of these blank faces are up to 3.
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    norms = [module for module in published_net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all((norm.running_var > 0).any() for norm in norms)
    labels = faces.labels[:64]
    right = published_net(faces.pixels[:64][:, None].float())[:, : data.CLASSES].argmax(dim=1) == labels
    assert float(right.float().mean()) > 0.5  # the brightness tells the label
    with pytest.raises(ValueError, match="does not hold the convolutions"):
        published.restore_published(BUNDLED / "blazeface-full-range-1.tflite", faces, PLAIN)


def test_published_teachers_say_what_the_library_says(backbone):
    crops = np.random.default_rng(0).integers(0, 255, (70, SIZE, SIZE)).astype(np.uint8)
    teacher = published.PublishedModel(backbone, ["fer2013", "ferplus"])
    logits = teacher(torch.from_numpy(crops)[:, None].float())
    classifier = FaceAnalyzer(head="fer2013").classifier
    expected = classifier.logits(classifier.features(crops))
    assert logits.shape == (70, 14) and np.allclose(logits[:, :7], expected, atol=1e-3)
    with pytest.raises(FileNotFoundError, match="vgg16-nothing-"):
        published.PublishedModel(backbone, ["nothing"])
    with pytest.raises(ValueError, match="aligned is neither"):
        finetune.teacher_of(f"{backbone}:aligned", [])


def test_unaligned_teachers_see_the_same_augmentation_of_the_face_as_it_lies(packed):  # noqa: F811
    faces, seen = data.load(packed[0], CPU), {}

    def teacher(name, **options):
        def network(x):
            seen[name] = x
            return torch.full((len(x), 14), float(len(seen)))

        return steps.Teacher(network, **options)

    recipe = replace(PLAIN, aligned=1.0, shift=3.0, brightness=0.3, mixup=0.3)
    teachers = [teacher("aligned"), teacher("lying", unaligned=True)]
    step = steps.TrainingStep([networks.ExpressionNet("vgg16", 0.0, WIDTH)], faces, recipe, lambda text: None, teachers)
    step.rows.copy_(torch.arange(16))
    step.total_loss()
    assert not torch.allclose(seen["aligned"], seen["lying"])
    step.rows.copy_(torch.arange(80, 96))  # without alignments
    step.total_loss()
    assert torch.equal(seen["aligned"], seen["lying"])


def test_teachers_of_the_first_table_teach_no_other(packed):  # noqa: F811
    faces = data.load(packed[0], CPU)
    first = steps.Teacher(lambda x: torch.eye(14)[0].expand(len(x), 14) * 50, first_table=True)
    every = steps.Teacher(lambda x: torch.eye(14)[1].expand(len(x), 14) * 50)
    net, x, known = networks.ExpressionNet("vgg16", 0.0, WIDTH), torch.zeros(2, 1, SIZE, SIZE), torch.tensor([True, False])
    step = steps.TrainingStep([net], faces, PLAIN, lambda text: None, [first, every])
    soft = step._soft_labels(x, x, known)[:, 0]
    assert torch.allclose(soft[:, :2], torch.tensor([[0.5, 0.5], [0.0, 1.0]]), atol=1e-4)
    step.teachers = [first]
    assert step._soft_labels(x, x, known)[1].abs().sum() == 0


def test_faces_of_untaught_tables_have_their_own_targets_alone(packed):  # noqa: F811
    faces = data.load(packed[0], CPU)
    wrong = steps.Teacher(lambda x: torch.eye(14)[6].expand(len(x), 14) * 50)
    net = networks.ExpressionNet("vgg16", 0.0, WIDTH)

    def loss(rows, teachers, untaught=()):
        torch.manual_seed(0)  # of the mirror images
        step = steps.TrainingStep([net], faces, replace(PLAIN, batch=16), lambda text: None, teachers, untaught=untaught)
        step.rows.copy_(rows)
        return float(step.total_loss().detach())

    first, second = torch.arange(16), torch.arange(64, 80)
    assert loss(second, [wrong], [1]) == pytest.approx(loss(second, []), rel=1e-4)
    assert loss(second, [wrong]) != pytest.approx(loss(second, []), rel=1e-2)
    assert loss(first, [wrong], [1]) == pytest.approx(loss(first, [wrong]), rel=1e-4)


def test_folded_blocks_compute_what_the_network_does(published_net, packed):  # noqa: F811
    x = data.load(packed[0], CPU).pixels[:8][:, None].float()
    frozen = copy.deepcopy(published_net).freeze(2)
    assert frozen.frozen == 6 and torch.allclose(frozen.features(x), published_net.features(x), atol=1e-4)
    assert frozen.state_dict().keys() == published_net.state_dict().keys()


def test_frozen_blocks_keep_weights_and_statistics(packed, backbone, published_net, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    command = ["--data", str(packed[0]), "--from", str(backbone), "--name", "tuned", "--out", str(out), "--epochs", "1"]
    command += ["--batch", "16", "--limit", "24", "--frozen-blocks", "2", "--weights", "1", "0.5", "--shares", "1"]
    finetune.main([*command, "--precision", "float32", "--cpu"])
    before, after = (arrays.read_arrays(out, name) for name in ("tuned-initial", "tuned"))
    same = {key for key in after if key[0].isdigit() and np.array_equal(before[key], after[key])}
    assert same == {key for key in after if key[0].isdigit() and int(key[:2]) < 4}
    facts = json.loads((out / "results.json").read_text(encoding="utf-8"))["networks"]["tuned"]
    assert facts["initial"] == str(backbone) and facts["frozen_blocks"] == 2 and facts["width"] == 0.75
