"""Tests of the training on a GPU, at toy size on a CPU; they need PyTorch (requirements-gpu.txt)."""

from __future__ import annotations

import argparse
import io
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="PyTorch is in the environment of the GPU training alone")
from scripts.train.gpu import augment, config, data, metrics, networks, steps, train  # noqa: E402

SIZE, COUNT = 48, 96
CPU = torch.device("cpu")
PLAIN = config.Recipe(
    peak=0.05, batch=16, epochs=4, dropout=0.0, smoothing=0.0, aligned=0.0, shift=0.0, rotation=0.0, scale=0.0, brightness=0.0,
    erase=0.0, blur=0.0, gradient=0.0, noise=0.0, jpeg=0.0,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Toy networks are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_sheet(pixels: np.ndarray, path) -> None:
    rows = -(-len(pixels) // data.COLUMNS)
    full = np.zeros((rows * data.COLUMNS, SIZE, SIZE), np.uint8)
    full[: len(pixels)] = pixels
    sheet = full.reshape(rows, data.COLUMNS, SIZE, SIZE).swapaxes(1, 2).reshape(rows * SIZE, data.COLUMNS * SIZE)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "WEBP", lossless=True)
    path.write_bytes(stream.getvalue())


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder as pack writes it: the brightness of a face tells its label; the second table has labels alone."""
    folder, rng = tmp_path_factory.mktemp("packed"), np.random.default_rng(0)
    labels = np.arange(COUNT) % 7
    pixels = (30 * labels[:, None, None] + 20 + rng.integers(0, 8, (COUNT, SIZE, SIZE))).astype(np.uint8)
    splits = np.where(np.arange(COUNT) % 4, "train", "validation")
    tables = (np.arange(COUNT) >= 64).astype(np.uint8)
    votes = np.where(tables[:, None] == 0, np.eye(7)[labels] * 0.9, 0).astype(np.float16)
    align = np.full((COUNT, 2, 3), np.nan, np.float16)
    align[:32] = [[0.9, -0.1, 4.0], [0.1, 0.9, 1.0]]
    write_sheet(pixels[splits == "train"], folder / "train-000.webp")
    write_sheet(pixels[splits != "train"], folder / "held-out-000.webp")
    np.savez(
        folder / "columns.npz", size=SIZE, align=align, labels=labels.astype(np.int8), votes=votes, splits=splits, tables=tables,
        weights=np.where(tables, 0.5, 1.0).astype(np.float16), keys=np.array([f"one/{row}" for row in range(COUNT)]),
        label_sets=np.array(["one", "ferplus"]),
    )  # fmt: skip
    return folder, pixels


def test_packed_faces_are_read_back(packed):
    folder, pixels = packed
    faces = data.load(folder, CPU)
    assert np.array_equal(faces.pixels.numpy(), pixels) and faces.label_sets == ["one", "ferplus"]
    assert faces.votes[70].argmax() == faces.labels[70] and float(faces.votes[70].sum()) == pytest.approx(1)
    assert torch.equal(faces.theta[40], torch.eye(2, 3)) and not torch.equal(faces.theta[0], torch.eye(2, 3))


def test_without_augmentation_a_face_stays_as_it_is_or_mirrored(packed):
    faces = data.load(packed[0], CPU)
    x = faces.pixels[:8][:, None].float()
    shown = augment.Augment(PLAIN, SIZE, CPU)(x, faces.theta[:8])
    for face, view in zip(x, shown, strict=True):
        assert min((view - face).abs().max(), (view - face.flip(2)).abs().max()) < 0.01


def test_every_augmentation_changes_faces_and_keeps_their_range(packed):
    x = data.load(packed[0], CPU).pixels[:16][:, None].float()
    theta = torch.eye(2, 3).repeat(16, 1, 1)
    for name, value in dict(shift=4.0, scale=0.3, brightness=0.3, erase=1.0, gradient=1.0, noise=1.0, jpeg=1.0).items():
        torch.manual_seed(1)
        recipe = config.Recipe(**{**PLAIN.__dict__, name: value})
        shown = augment.Augment(recipe, SIZE, CPU)(x, theta)
        assert float(shown.min()) >= 0 and float(shown.max()) <= 255 and (shown - x).abs().mean() > 0.01, name


def test_targets_that_sum_to_zero_have_no_gradient():
    logits = torch.randn(2, 7, requires_grad=True)
    targets = torch.tensor([[0.2, 0.3, 0, 0, 0, 0, 0], [0.0] * 7])
    steps.cross_entropy(logits, targets).backward()
    expected = (targets.sum(1, keepdim=True) * logits.softmax(1) - targets) / 2
    assert torch.allclose(logits.grad, expected, atol=1e-6) and not logits.grad[1].any()


def test_faces_of_low_weight_occur_less_often(packed):
    faces = data.load(packed[0], CPU)
    sampler = train.Sampler(faces, batch=4)
    rows = torch.cat([sampler.epoch().flatten() for _ in range(200)])
    counts = torch.bincount(rows, minlength=COUNT)[faces.rows("train")].float() / 200
    second = torch.from_numpy(faces.tables[faces.rows("train").numpy()] == 1)
    assert 0.45 < float(counts[second].mean()) < 0.75 < 0.85 < float(counts[~second].mean()) <= 1.0


def test_networks_of_several_widths_learn_at_once(packed):
    faces = data.load(packed[0], CPU)
    torch.manual_seed(0)
    nets = [networks.ExpressionNet("vgg16", 0.0, width, divisor=8) for width in (1.0, 0.5)]
    recipe = config.Recipe(**{**PLAIN.__dict__, "epochs": 40, "ema": 0.8})
    nets, facts = train.fit(nets, faces, recipe, until=float("inf"), log=lambda text: None)
    assert facts["epochs"] == 40
    for net in nets:
        assert metrics.measure([net], faces, "validation")["label plain"] > 60


def test_a_run_resumes_after_its_teachers_and_exports_its_students(packed, tmp_path, monkeypatch):
    quick = config.Recipe(**{**PLAIN.__dict__, "epochs": 2})
    monkeypatch.setattr(train, "TEACHERS", {"t": config.Stage("resnet18", {"t": 1.0}, 0.5, quick)})
    students = config.Stage("vgg16", {"wide": 1.0, "narrow": 0.5}, 0.9, quick, distilled=True)
    monkeypatch.setattr(train, "STUDENTS", {"students": students})
    out, work = tmp_path / "out", tmp_path / "work"
    command = ["--data", str(packed[0]), "--out", str(out), "--work", str(work), "--seconds", "120", "--divisor", "32", "--cpu"]
    train.main([*command, "--teachers"])
    kept = (work / "t.pt").stat().st_mtime_ns
    train.main(command)
    assert (work / "t.pt").stat().st_mtime_ns == kept
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert set(results["networks"]) == {"t", "wide", "narrow"} and "label plain" in results["ensemble"]
    with np.load(out / "soft.npz") as soft:
        assert soft["one"].shape == (int((data.load(packed[0], CPU).splits == "train").sum()), 7) and "sample_keys" in soft
    with np.load(out / "narrow-0.npz") as arrays:
        assert {f"{number:02}-kernel" for number in range(13)} <= set(arrays.files)


def test_a_student_starts_from_the_weights_of_the_teacher_of_its_width(packed, tmp_path, monkeypatch):
    still = config.Recipe(**{**PLAIN.__dict__, "epochs": 1, "peak": 0.0})
    monkeypatch.setattr(train, "TEACHERS", {"teachers": config.Stage("vgg16", {"t1": 1.0, "t2": 1.0}, 0.5, still)})
    students = config.Stage("vgg16", {"wide": 1.0, "narrow": 0.5}, 0.9, still, distilled=True, initial="t2")
    monkeypatch.setattr(train, "STUDENTS", {"students": students})
    out, work = tmp_path / "out", tmp_path / "work"
    command = ["--data", str(packed[0]), "--out", str(out), "--work", str(work), "--seconds", "120", "--divisor", "8", "--cpu"]
    train.main([*command, "--only", "wide"])
    assert not (work / "narrow.pt").exists() and (out / "wide-0.npz").is_file()
    kernels = {name: torch.load(work / f"{name}.pt", weights_only=True)["net"]["heads.weight"] for name in ("t1", "t2", "wide")}
    assert torch.allclose(kernels["wide"], kernels["t2"]) and not torch.allclose(kernels["wide"], kernels["t1"])
    train.main(command)
    assert (work / "narrow.pt").is_file()


def test_students_learn_from_the_teachers_that_an_earlier_call_exported(packed, tmp_path, monkeypatch):
    still = config.Recipe(**{**PLAIN.__dict__, "epochs": 1, "peak": 0.0})
    monkeypatch.setattr(train, "TEACHERS", {"teachers": config.Stage("vgg16", {"teacher-1": 1 / 16}, 0.5, still)})
    students = config.Stage("vgg16", {"student": 1 / 16}, 0.9, still, distilled=True, initial="teacher-1")
    monkeypatch.setattr(train, "STUDENTS", {"students": students})
    first, second = tmp_path / "first", tmp_path / "second"
    command = ["--data", str(packed[0]), "--seconds", "120", "--cpu", "--out"]
    train.main([*command, str(first), "--teachers"])
    train.main([*command, str(second), "--earlier", str(first)])
    teacher, student = (
        np.load(folder / f"{name}-0.npz")["heads-kernel"] for folder, name in ((first, "teacher-1"), (second, "student"))
    )
    assert np.allclose(teacher, student)
    facts = json.loads((second / "results.json").read_text(encoding="utf-8"))["networks"]["student"]
    assert facts["soft_weight"] == train.SOFT_WEIGHT and facts["before"]["epochs"] == 1


@pytest.mark.parametrize("option", [["--earlier", "nowhere"], ["--only", "student-99"]])
def test_teachers_that_are_missing_and_unknown_students_are_named(packed, tmp_path, capsys, option):
    with pytest.raises(SystemExit, match="2"):
        train.main(["--data", str(packed[0]), "--out", str(tmp_path / "out"), "--cpu", *option])
    assert option[1] in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_step_that_diverges_is_tried_at_a_quarter_of_its_rate(packed, tmp_path):
    faces, log = data.load(packed[0], CPU), []
    options = argparse.Namespace(out=tmp_path, work=None, divisor=32, batch=16, teachers=True, earlier=None)
    run = train.Run(options, faces, log.append, float("inf"), None)
    stage = config.Stage("vgg16", {"x": 1.0}, 1.0, config.Recipe(**{**PLAIN.__dict__, "peak": float("nan"), "epochs": 1}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "TEACHERS", {"x": stage})
        with pytest.raises(FloatingPointError, match="quarter"):
            run._trained("x", stage, (), float("inf"))
    assert sum("loss nan" in line for line in log) == 2
