"""FER2013 and FER+ in all published forms, and errors for other files."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import SPLITS, DatasetError, Faces
from scripts.data.readers.fer2013 import read_fer2013
from scripts.data.readers.ferplus import COLUMNS, OTHERS, add_ferplus_votes
from scripts.data.readers.files import Files
from scripts.data.readers.folders import list_folders

SHARED = Path(__file__).parents[4] / "shared" / "data" / "faces"
ORDER = ["anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
USAGES = ["Training", "PublicTest", "PrivateTest", "Training", "Training", "Training", "Training"]


def rows(header: str = "emotion,pixels,Usage") -> bytes:
    """Seven faces, one an emotion; face n is all of grey level n."""
    lines = [header]
    for number, usage in enumerate(USAGES):
        cells = {"emotion": str(number), "pixels": " ".join([str(number)] * 2304), "Usage": usage}
        lines.append(",".join(cells[name.strip()] for name in header.split(",")))
    return "\n".join(lines).encode() + b"\n"


def tar(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member, data in (("fer2013/README", b"text"), (name, content)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def put(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


FORMS = {
    "fer2013.csv": lambda path: path.write_bytes(rows()),
    "icml_face_data.csv": lambda path: path.write_bytes(rows("emotion, Usage, pixels")),
    "fer2013.csv.gz": lambda path: path.write_bytes(gzip.compress(rows())),
    "fer2013.tar.gz": lambda path: path.write_bytes(tar("fer2013/fer2013.csv", rows())),
    "icml.zip": lambda path: put(path, **{"icml_face_data.csv": rows("emotion, Usage, pixels"), "train.csv": b"emotion\n"}),
    "challenge.zip": lambda path: put(path, **{"fer2013.tar.gz": tar("fer2013/fer2013.csv", rows()), "test.csv": b"pixels\n"}),
    "a zip by the name of.csv": lambda path: put(path, **{"fer2013.csv": rows()}),
    "folder": lambda path: (path.mkdir(), (path / "fer2013.csv").write_bytes(rows())),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_table_gives_the_same_faces(tmp_path, name, capsys):
    FORMS[name](tmp_path / name)
    faces, counts = read_fer2013(tmp_path / name)
    assert [EMOTIONS[label] for label in faces.labels] == ORDER  # Kaggle's order of classes, not ours
    assert faces.splits.tolist()[:4] == ["train", "validation", "test", "train"]
    assert np.array_equal(faces.pixels[:, 5, 40], np.arange(7)) and counts == {"rows": 7}
    assert "7 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "no column 'emotion' and none 'pixels' and none 'Usage'; found a, b"),
        (b"emotion,pixels\n0,1 2\n", "no column 'Usage'; found emotion, pixels"),
        (b"emotion,pixels,Usage\n0,1 2 3,Training\n", "line 2: 3 pixels instead of 2304"),
        (b"emotion,pixels,Usage\n0,1 2\n", "line 2: 2 pixels"),
        (b"emotion,pixels,Usage\n0,1 x 3,Training\n", "line 2: pixels that are not whole numbers"),
        (b"emotion,pixels,Usage\n0,1 300 3,Training\n", "line 2: pixels that are not whole numbers"),
        (rows().replace(b"\n6,", b"\n7,"), "line 8: emotion '7' is none of 0 to 6"),
        (rows().replace(b"PrivateTest", b"Secret"), "line 4: Usage 'Secret' is none of"),
        (b"emotion,pixels,Usage\n", "no row in it"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"", "found none"),
    ],
)
def test_an_invalid_table_raises_a_dataset_error(tmp_path, content, message):
    (tmp_path / "fer2013.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_fer2013(tmp_path / "fer2013.csv")


@pytest.mark.parametrize("name", ["fer2013.csv.gz", "fer2013.tar.gz", "icml.zip", "challenge.zip"])
def test_damaged_archives_are_named(tmp_path, name):
    FORMS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=f"{name}.*cut short"):
        read_fer2013(tmp_path / name)
    turned = bytearray(whole)
    turned[len(whole) // 3 : len(whole) // 3 + 16] = bytes(16)
    (tmp_path / name).write_bytes(turned)
    with pytest.raises(DatasetError, match=f"{name}.*(cut short|found|not text)"):
        read_fer2013(tmp_path / name)


def test_kaggles_training_table_alone_is_rejected(tmp_path):
    put(tmp_path / "challenge.zip", **{"train.csv": b"emotion,pixels\n", "test.csv": b"pixels\n"})
    with pytest.raises(DatasetError, match="train.csv has training faces only"):
        read_fer2013(tmp_path / "challenge.zip")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere.zip is not there"):
        read_fer2013(tmp_path / "nowhere.zip")


def test_class_folders_and_votes(prepared):
    faces = Faces.load(prepared)
    assert faces.pixels.shape == (84, 48, 48) and faces.pixels.dtype == np.uint8
    assert [len(faces.split(name)) for name in ("train", "validation", "test")] == [56, 14, 14]
    assert np.array_equal(np.bincount(faces.labels), [12] * 7)
    assert np.array_equal(faces.votes.argmax(axis=1), faces.labels) and set(faces.raters) == {10.0}


def test_public_and_private_test_in_one_folder_are_separated(tmp_path, published):
    with zipfile.ZipFile(published[0]) as archive:
        face = archive.read(archive.namelist()[0])
    put(tmp_path / "archive.zip", **{
        "train/happy/Training_1.jpg": face, "test/happy/PublicTest_2.jpg": face, "test/sad/PrivateTest_3.jpg": face,
    })  # fmt: skip
    faces, _ = read_fer2013(tmp_path / "archive.zip")
    assert dict(zip(faces.names.tolist(), faces.splits.tolist(), strict=True)) == {
        "Training_1.jpg": "train", "PublicTest_2.jpg": "validation", "PrivateTest_3.jpg": "test",
    }  # fmt: skip


def test_class_folders_get_a_validation_split_and_unique_names(tmp_path, published):
    with zipfile.ZipFile(published[0]) as archive:
        images = [archive.read(name) for name in archive.namelist() if name.startswith("train/")]
    folders = {f"{split}/{name}/im{number}.png": images[number]
               for split in ("train", "test") for name in ("happy", "sad") for number in range(40)}  # fmt: skip
    put(tmp_path / "archive.zip", **folders)
    faces, _ = read_fer2013(tmp_path / "archive.zip")
    assert set(faces.names) == set(folders) and len(faces.split("test")) == 80
    cut = faces.split("validation")
    assert 4 <= len(cut) <= 40 and all(name.startswith("train/") for name in cut.names)


def ferplus(path: Path, names: list[str], usages: list[str] = USAGES) -> Path:
    """FER+'s table with eight votes for sadness in each row that has a name."""
    with open(path, "w", newline="") as stream:
        table = csv.DictWriter(stream, ("Usage", "Image name", *COLUMNS.values(), *OTHERS), restval=0)
        table.writeheader()
        for usage, name in zip(usages, names, strict=True):
            table.writerow({"Usage": usage, "Image name": name, **({"sadness": 8, "unknown": 2} if name else {"NF": 10})})
    return path


def test_votes_are_joined_by_row(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(rows())
    faces, _ = read_fer2013(tmp_path / "fer2013.csv")
    names = ["fer0000000.png", "", *(f"fer{number:07d}.png" for number in range(1, 6))]  # a nameless row takes no number
    voted = add_ferplus_votes(faces, ferplus(tmp_path / "fer2013new.csv", names))
    assert voted.raters.tolist() == [10] * 6 and (voted.votes[:, 5] == 8).all()  # and its row, no face to FER+, is left out
    assert voted.names.tolist() == ["fer0000000.png", *names[2:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "no column 'Usage' and none 'Image name'"),
        (lambda path: path.write_text(path.read_text().replace("sadness", "grief")), "no column 'sadness'"),
        (lambda path: path.write_text(path.read_text().replace(",8,", ",x,")), "not numbers"),
        (lambda path: ferplus(path, [f"fer{n}.png" for n in range(7)], USAGES[::-1]), "not the same order"),
        (lambda path: ferplus(path, [""] * 7), "no vote on any of these faces, the first of which is called row0000000"),
    ],
)
def test_votes_of_other_faces_are_rejected(tmp_path, change, message):
    (tmp_path / "fer2013.csv").write_bytes(rows())
    faces, _ = read_fer2013(tmp_path / "fer2013.csv")
    path = ferplus(tmp_path / "fer2013new.csv", [f"fer{number:07d}.png" for number in range(7)])
    change(path)
    with pytest.raises(DatasetError, match=message):
        add_ferplus_votes(faces, path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the FER2013 archive is not beside the project")
def test_the_real_archive():
    with Files(SHARED / "fer2013.zip") as files:
        listed = list_folders(files)
    counts = Counter((entry.splits[0], EMOTIONS[entry.label]) for entry in listed)
    assert [sum(counts[split, emotion] for emotion in EMOTIONS) for split in SPLITS] == [28558, 3579, 3573]
    assert [counts["test", emotion] for emotion in EMOTIONS] == [489, 55, 527, 876, 624, 588, 414]
