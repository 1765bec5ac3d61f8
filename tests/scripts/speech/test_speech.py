"""Speech pipeline from archives to a published model, with tiny data."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
import wave
from pathlib import Path

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from emotions.runtime.manifest import ModelRegistry
from emotions.speech.classifier import SpeechClassifier
from emotions.speech.features import extract
from emotions.speech.spectrogram import log_mel
from scripts.common.metrics import fit_temperature
from scripts.speech import evaluate, export, prepare, speech_check, train
from scripts.speech.clips import ANALOG, DIGITAL, Clips, window_features
from scripts.speech.conditions import FAMILIES, random_condition
from scripts.speech.metrics import TEMPERATURES, clip_means, clip_metrics
from scripts.speech.non_speech import SYNTHESIZERS, synthesize
from scripts.speech.rbf import RBFNetwork, fit_rbf, to_keras
from tests.scripts.speech_clips import tiny_clips

ROOT = Path(__file__).resolve().parents[3]


def write_archive(folder: Path, speakers: tuple[str, ...]) -> Path:
    """Write ravdess.tar with a WAV file for each emotion and speaker, and its manifest."""
    random = np.random.default_rng(1)
    with tarfile.open(folder / "ravdess.tar", "w") as packed, (folder / "ravdess.manifest.csv").open("w", newline="") as stream:
        rows = csv.DictWriter(stream, ("file", "label7", "speaker", "emobox_fold"))
        rows.writeheader()
        for number, speaker in enumerate(speakers):
            for emotion in (*EMOTIONS, ""):
                file = io.BytesIO()
                with wave.open(file, "wb") as sound:
                    sound.setnchannels(1)
                    sound.setsampwidth(2)
                    sound.setframerate(16_000)
                    sound.writeframes((synthesize("melody", random, 1.2) * 30_000).astype("<i2").tobytes())
                member = tarfile.TarInfo(f"{speaker}-{emotion}.wav")
                member.size = len(file.getvalue())
                packed.addfile(member, io.BytesIO(file.getvalue()))
                row = {"file": member.name, "label7": emotion, "speaker": speaker, "emobox_fold": str(number % 2 + 1)}
                rows.writerow(row)
    return folder / "ravdess.tar"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run on tiny clips of all three corpora."""
    folder = tmp_path_factory.mktemp("speech")
    tiny_clips(3, ("ravdess", "tess", "emodb")).save(folder / "table.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "TEST_SOUNDS", 5)
        patch.setitem(train.CONFIG, "components", 64)
        train.main(["--table", str(folder / "table.npz"), "--run", str(folder / "run"), "--each", "4"])
    return folder / "run"


def test_prepare_reads_archives(tmp_path):
    archive = write_archive(tmp_path, ("01", "21"))
    prepare.main(["--corpora", str(archive), "--out", str(tmp_path / "table.npz")])
    both = Clips.load(tmp_path / "table.npz")
    clips, copies = both.select(both.conditions == ""), both.select(both.conditions != "")
    assert len(clips) == 16 and list(clips.labels[:8]) == [0, 1, 2, 3, 4, 5, 6, -1]
    assert set(clips.speakers) == {"ravdess-01", "ravdess-21"} and set(clips.folds) == {"1", "2"}
    assert all(len(frames) == 59 for frames in clips.frames)
    for column in ("labels", "corpora", "speakers", "folds", "names"):  # each clip has one copy, with the same speaker and fold
        assert (getattr(clips, column) == getattr(copies, column)).all()
    assert set(copies.conditions) <= set(FAMILIES) and len(set(copies.conditions)) > 2
    assert all(len(copy) != len(one) or (copy != one).any() for copy, one in zip(copies.frames, clips.frames, strict=True))


def test_random_conditions_of_every_family_change_the_sound():
    random = np.random.default_rng(0)
    voices = [synthesize("melody", random, 1.5) for _ in range(3)]
    drawn = dict(random_condition(random) for _ in range(80))
    assert set(drawn) == set(FAMILIES) and sum(FAMILIES.values()) == pytest.approx(1)
    for condition in drawn.values():
        changed = condition(voices[0], random, voices)
        assert changed.ndim == 1 and np.isfinite(changed).all() and abs(len(changed) - len(voices[0])) < 2000
        size = min(len(changed), len(voices[0]))
        assert np.abs(changed[:size] - voices[0][:size]).max() > 1e-3


def test_copies_of_a_telephone_have_no_other_bands():
    clips = tiny_clips(1)
    rows = window_features(clips, {"ravdess": (1, DIGITAL, ANALOG)})
    assert set(rows.copies) == {0, 1, DIGITAL, ANALOG} and np.isfinite(rows.features).all()
    by_copy = {copy: rows.features[rows.copies == copy] for copy in set(rows.copies)}
    assert all(np.abs(by_copy[0] - by_copy[copy]).max() > 0.1 for copy in (1, DIGITAL, ANALOG))
    clips.conditions[:] = "hum"
    assert set(window_features(clips, {"ravdess": (1, DIGITAL)}).copies) == {0}  # a copy has no copies


@pytest.mark.slow
def test_clips_under_conditions_are_learnt_and_measured_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "TEST_SOUNDS", 2)
    clips = tiny_clips(2)
    copies = tiny_clips(2)
    copies.conditions[:] = "babble"
    for number, frames in enumerate(copies.frames):
        copies.frames[number] = (frames + np.random.default_rng(number).normal(0, 3, frames.shape)).astype(np.float16)
    Clips.concatenate([clips, copies]).save(tmp_path / "table.npz")
    config = train.CONFIG | {"components": 32, "copies": [DIGITAL]}
    found = train.train(tmp_path / "table.npz", tmp_path / "run", config, each=2)
    assert found["evaluation"]["ravdess_cross_validated"]["count"] == found["families"]["babble"]["count"] == len(clips)
    assert found["table"]["used"] == {"ravdess": len(clips)}
    fitted_on = ~np.isin(clips.speakers, train.HELD_OUT_SPEAKERS[:4]).astype(bool)
    assert len(RBFNetwork.load(tmp_path / "run" / "emotion.npz").centres) == 3 * fitted_on.sum()  # clip, telephone, babble


def test_missing_data_is_reported(tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepare.main(["--corpora", str(tmp_path / "none.tar")])
    with pytest.raises(SystemExit):
        train.main(["--table", str(tmp_path / "none.npz"), "--run", str(tmp_path / "run")])
    assert capsys.readouterr().err.count("is not there") == 2


@pytest.mark.slow
def test_cross_validation_holds_out_speakers(run, monkeypatch):
    clips, training_speakers = tiny_clips(2), []
    rows = window_features(clips, {})
    original = train.fit_emotion

    def recording(clips, rows, chosen, config, main="ravdess"):
        training_speakers.append(set(clips.speakers[chosen]))
        return original(clips, rows, chosen, config | {"components": 8}, main)

    monkeypatch.setattr(train, "fit_emotion", recording)
    _, owners = train.cross_validate(clips, rows, "ravdess", clips.folds, True, train.CONFIG)
    assert sorted(set(owners)) == list(range(len(clips)))
    assert len(training_speakers) == 2 and not training_speakers[0] & training_speakers[1]


@pytest.mark.slow
def test_training_writes_metrics(run):
    metrics = json.loads((run / "figures.json").read_text(encoding="utf-8"))
    assert set(metrics["evaluation"]) == {"ravdess_cross_validated", "emodb_speakers_out", "tess_across_speakers"}
    assert metrics["evaluation"]["ravdess_cross_validated"]["count"] == 84
    assert metrics["evaluation"]["ravdess_cross_validated"]["recall"] > 0.3  # each emotion has its colour
    assert set(metrics["refused"]["others"]) == set(SYNTHESIZERS)


def test_clip_metrics():
    probabilities = np.eye(7)[[0, 0, 1, 1]] * 0.7 + 0.3 / 7
    row = clip_metrics(probabilities, np.array([0, 1, 1, 1]), np.array(["a", "a", "b", "b"]))
    assert row["recall"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4) and row["by_speaker"]["b"] == 1.0
    assert row["interval"][0] <= row["recall"] <= row["interval"][1]
    means, ids = clip_means(np.array([[0.0, 1], [1, 0], [0, 4]]), np.array([5, 5, 9]))
    assert means.tolist() == [[0.5, 0.5], [0, 4]] and ids.tolist() == [5, 9]
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(4000, 7))
    labels = (logits + random.gumbel(size=(4000, 7))).argmax(axis=1)  # sampled with the probabilities of softmax
    assert fit_temperature(3 * logits, labels, TEMPERATURES) == pytest.approx(3, rel=0.1)


@pytest.mark.slow
def test_exported_file_predicts_as_the_fitted_network(run, tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("speech-*"))
    export.main(["--run", str(run), "--version", "9.0.0", "--models", str(tmp_path / "models")])
    registry = ModelRegistry(tmp_path / "models")
    entry, model = registry.entry("speech"), RBFNetwork.load(run / "emotion.npz")
    features = np.stack([extract(log_mel(synthesize("melody", np.random.default_rng(seed), 2.0))) for seed in range(8)])
    assert np.abs(registry.model(entry)(features)[0] - model.logits(features)).max() < 0.02
    assert "non-commercial" in entry.licence and entry.version == "9.0.0"
    archive = write_archive(tmp_path, ("21", "22"))
    evaluate.main(["--corpora", str(archive), "--models", str(tmp_path / "models")])
    card = (tmp_path / "models" / "speech-rbf-9.0.0.md").read_text(encoding="utf-8")
    assert "actors 21 to 24" in card and "| **anger** |" in card
    evaluate.main(["--corpora", str(archive), "--models", str(tmp_path / "models"), "--verify"])
    assert SpeechClassifier(registry).segments(log_mel(synthesize("melody", np.random.default_rng(0), 2.0)))


def test_rbf_network_fits_a_nonlinear_target():
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 20)).astype(np.float32)
    targets = np.sign(features[:, :1] * features[:, 1:2])  # not linearly separable
    model = fit_rbf(features[:200], targets[:200], np.ones(200), 20, gamma=2.0, ridge=0.1)
    assert (np.sign(model.logits(features[200:])) == targets[200:]).mean() > 0.65
    assert np.abs(to_keras(model).predict(features, verbose=0) - model.logits(features)).max() < 1e-3


@pytest.mark.parametrize("kind", SYNTHESIZERS)
def test_synthesized_sounds(kind):
    sound = synthesize(kind, np.random.default_rng(5), 1.5)
    assert sound.dtype == np.float32 and np.isfinite(sound).all() and np.abs(sound).max() == pytest.approx(0.5, abs=1e-4)
    assert np.isfinite(speech_check.non_speech_features([kind], 2)).all()
