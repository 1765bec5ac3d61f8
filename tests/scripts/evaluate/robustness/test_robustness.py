"""Measurement, figures and report of the robustness table, and the command."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.evaluate.robustness.__main__ import main
from scripts.evaluate.robustness.corruptions import BY_NAME, STRENGTHS
from scripts.evaluate.robustness.measure import Answers, measure
from scripts.evaluate.robustness.pictures import PictureSet
from scripts.evaluate.robustness.report import ALL_SETS, Report, write_report
from scripts.evaluate.robustness.summary import Shares, balanced_weights, resampled_weights, summarize
from scripts.evaluate.robustness.systems import FER_PYTHON, MISSED, face_at
from tests.scripts.evaluate.robustness.test_pictures import write_london
from tests.scripts.rendered import write_heads

ROOT = Path(__file__).resolve().parents[4]
CHOSEN = [BY_NAME["darker"], BY_NAME["occlusion"]]


class Checksum:
    """Reader whose answer is a number that no two pictures share."""

    def __init__(self, start: int) -> None:
        self.start = start

    def of(self, pixels: np.ndarray) -> int:
        """Answer to a picture (H, W, 3) uint8 RGB."""
        return zlib.crc32(pixels.tobytes(), self.start)

    def read(self, picture: bytes) -> int:
        decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        return self.of(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def picture_sets() -> list[PictureSet]:
    random = np.random.default_rng(0)
    sizes = {"a": 3, "b": 2}
    return [
        PictureSet(name, f"set {name}", random.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count) + 3)
        for name, count in sizes.items()
    ]


def test_every_system_gets_the_same_pictures_and_answers_are_in_order():
    sets, readers = picture_sets(), [Checksum(0), Checksum(1)]
    answers = measure(readers, sets, CHOSEN, seed=7)
    assert answers.labels.tolist() == [3, 4, 5, 3, 4] and answers.sets.tolist() == [0, 0, 0, 1, 1]
    for place, reader in enumerate(readers):
        for row, (number, index) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]):
            pixels = sets[number].pixels[index]
            assert answers.clean[place, row] == reader.of(pixels)
            for way, corruption in enumerate(CHOSEN):
                for strength in STRENGTHS:
                    expected = reader.of(corruption.apply(pixels, strength, (7, number, index)))
                    assert answers.corrupted[place, way, strength - 1, row] == expected


def test_the_largest_face_that_holds_the_middle_counts():
    def face(left: int, top: int, side: int, **probabilities: float) -> dict:
        return {"box": {"left": left, "top": top, "width": side, "height": side}, "probabilities": probabilities}

    elsewhere, small = face(0, 0, 90, anger=0.9, happy=0.1), face(90, 90, 30, happy=0.8, sad=0.2)
    large = face(60, 60, 80, disgust=0.4, angry=0.6)  # fer's name for anger
    assert face_at([], (100, 100)) == MISSED and face_at([elsewhere], (100, 100)) == MISSED
    assert face_at([elsewhere, small], (100, 100)) == EMOTIONS.index("happy")
    assert face_at([elsewhere, small, large], (100, 100)) == EMOTIONS.index("anger")


def test_weights_balance_sets_and_classes():
    labels, sets = np.array([3, 3, 3, 4, 0]), np.array([0, 0, 0, 0, 1])
    weights = balanced_weights(labels, sets)
    assert weights == pytest.approx([1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 2])
    samples = resampled_weights(labels, sets, 50, seed=0)
    assert samples.sum(axis=1) == pytest.approx(np.ones(50))
    assert samples[:, 3:] == pytest.approx(np.tile(weights[3:], (50, 1)))  # alone in their classes
    assert len(np.unique(samples[:, 0].round(6))) > 2


def answers_of(ours: list[list[int]], fer: list[list[int]], labels: list[int]) -> Answers:
    """Answers with one corruption: the clean answers, then those to the strengths 1 to 5, of each system."""
    both = np.array([ours, fer])
    return Answers(both[:, 0], both[:, None, 1:], np.array(labels), np.zeros(len(labels), int))


def test_figures_of_known_answers():
    # Two happy and two neutral pictures: of ours one happy one is lost from strength 3 on, of fer's three of four at once.
    right, lost, little = [3, 3, 4, 4], [3, MISSED, 4, 4], [3, 0, 0, MISSED]
    summary = summarize(answers_of([right, right, right, lost, lost, lost], [right, *[little] * 5], [3, 3, 4, 4]))
    assert summary.right.clean.tolist() == [1, 1]
    assert summary.right.corrupted[:, 0].tolist() == [[1, 1, 0.75, 0.75, 0.75], [0.25] * 5]
    assert summary.found.means[:, 0] == pytest.approx([0.85, 0.75])
    assert summary.right.drops[:, 0] == pytest.approx([0.15, 0.75])
    assert summary.right.mean_drops == pytest.approx([0.15, 0.75])
    assert summary.right.errors == pytest.approx([0.15 / 0.75])
    assert summary.right.mean_error == pytest.approx(0.2)
    low, high = summary.interval(lambda shares: shares.means[..., 0])
    assert (low < [0.85, 0.25]).all() and (high > [0.85, 0.25]).all()


def test_equal_systems_have_an_error_of_one_and_a_perfect_reference_has_none():
    half, right = [3, 3, 0, 0], [3, 3, 4, 4]
    summary = summarize(answers_of([half] * 6, [half] * 6, right))
    assert summary.right.mean_error == pytest.approx(1) and summary.right.mean_drops == pytest.approx([0, 0])
    assert summary.interval(lambda shares: shares.mean_error) == (pytest.approx(1), pytest.approx(1))
    assert np.isnan(summarize(answers_of([half] * 6, [right] * 6, right)).right.mean_error)


def test_masks_keep_their_order():
    mask = np.arange(2 * 11 * 1).reshape(2, 11, 1) % 3 == 0
    shares = Shares.of(mask, np.ones(1))
    assert (shares.clean == mask[:, 0, 0]).all()
    assert (shares.corrupted.reshape(2, 10) == mask[:, 1:, 0]).all()


def test_report_and_chart(tmp_path: Path):
    perfect = [3, 3, 4, 4]
    summary = summarize(answers_of([perfect] * 6, [perfect] * 6, perfect))  # errors of 0: quotients are dashes
    report = Report(
        "python -m it", "2026-01-02", "abc", [("ours", "m 1"), ("fer", "f 2")], {"set a": 4}, CHOSEN[:1], {ALL_SETS: summary}
    )
    text = write_report(report, tmp_path / "robustness.md")
    assert (tmp_path / "robustness.md").read_text(encoding="utf-8") == text
    assert "python -m it" in text and "2026-01-02" in text and "- pictures: set a 4;" in text
    assert f"| {ALL_SETS} | ours | 100% | 100% (100 to 100) | 100% | 100% (100 to 100) | 0% (0 to 0) | – (– to –) |" in text
    assert (
        "| underexposure | fer | 100 / 100 |" in text and "| underexposure | factor | 0.5 | 0.35 | 0.25 | 0.15 | 0.08 |" in text
    )
    assert "nan" not in text and "ours: found" in (tmp_path / "robustness.svg").read_text(encoding="utf-8")


def test_errors_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = str(write_london(tmp_path / "london", 1))
    for arguments, status, message in (
        (["--sets", "london", "--london", str(tmp_path)], 1, "labels.csv"),
        (["--sets", "london", "--london", folder, "--fer-python", str(tmp_path / "python")], 1, "make .venv-bench/.installed"),
        (["--per-set", "0"], 2, "--per-set is at least 1"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == status and message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / FER_PYTHON).is_file(), reason=f"{FER_PYTHON} is not installed: make .venv-bench/.installed")
def test_the_command_with_both_systems(tmp_path: Path, prepared: Path):
    folder, heads, out = write_london(tmp_path / "london", 1), write_heads(tmp_path / "heads.npz"), tmp_path / "out.md"
    options = {"london": folder, "rendered": heads, "fer2013": prepared, "fer-python": ROOT / FER_PYTHON, "out": out}
    paths = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    main([*paths, "--per-set", "2", "--corruptions", "jpeg", "contrast"])
    text = out.read_text(encoding="utf-8")
    assert "London (photographs) 2, rendered heads 2, FER2013 (enlarged) 7" in text
    # Both photographs show the same smile and one is labelled neutral: half of them is right.
    assert "| London (photographs) | this project | 100% | 50% (50 to 50) | 100% |" in text
