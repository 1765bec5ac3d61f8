"""Data sets of images: facial_expressions, FERG-DB and folders of one's own, as tiny look-alikes of real faces."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotions.image.loading import encode_jpeg, open_image
from emotions.labels import EMOTIONS
from scripts.data.dataset import DatasetError, Faces
from scripts.data.prepare import main
from scripts.data.readers.facial_expressions import list_images, person, read_facial_expressions
from scripts.data.readers.ferg import CHARACTERS, LOOKALIKE, read_ferg
from scripts.data.readers.files import Files
from scripts.data.readers.folders import read_folders, read_label_map
from scripts.data.readers.images import Cropper

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data" / "faces"
SAMPLES = ROOT / "static" / "samples"
WHOLE = Cropper(how="whole")


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """(H, W, 3) RGB: Eileen Collins, reduced as the images of the data sets are."""
    return open_image(SAMPLES / "collins.jpg", max_side=160).pixels


@pytest.fixture(scope="module")
def face(portrait) -> bytes:
    return encode_jpeg(portrait)


WALL = encode_jpeg(np.full((96, 96, 3), 120, np.uint8))


def archive(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as stream:
        for name, data in members.items():
            stream.writestr(name, data)
    return path


def legend(*rows: str) -> str:
    return "\n".join(("user.id,image,emotion", *rows)) + "\n"


# facial_expressions


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Colin_Powell_0001.jpg", "Colin_Powell"), ("Dwarakish_12.jpg", "Dwarakish"),
        ("George_HW_Bush_0003.jpg", "George_HW_Bush"), ("facial-expressions_2868582k.jpg", "facial-expressions"),
        ("Lin_Yi-fu_0001.jpg", "Lin_Yi-fu"), ("photo.jpg", "photo"),
    ],
)  # fmt: skip
def test_the_person_is_parsed_from_the_file_name(file, name):
    assert person(file) == name


def test_legend_rows_are_cleaned_and_counted(tmp_path, face):
    rows = legend(
        "1,Ann_0001.jpg,happiness", "2,Ann_0001.jpg,HAPPINESS", "1,Ann_0002.jpg,SURPRISE", "1,Bob_0001.jpg,sadness",
        "2,Bob_0001.jpg,NEUTRAL", "1,Bob_0002.jpg,contempt", "1,Cy_0001.jpg,Anger", "1,Cy_0002.jpg,fear",
        "1,Cy_0003.jpg,disgust",
    )  # fmt: skip
    names = ["Ann_0001", "Ann_0002", "Bob_0001", "Bob_0002", "Cy_0001", "Dan_0001"]
    images = {f"set/images/{name}.jpg": face for name in names}
    images |= {"set/images/Cy_0002.jpg": WALL, "set/images/Cy_0003.jpg": b"no picture"}
    path = archive(tmp_path / "set.zip", {"set/data/legend.csv": rows, "set/copies/Ann_0001.jpg": WALL, **images})
    faces, counts = read_facial_expressions(path)
    found = dict(zip(faces.names.tolist(), (EMOTIONS[label] for label in faces.labels), strict=True))
    assert found == {"Ann_0001.jpg": "happy", "Ann_0002.jpg": "surprise", "Cy_0001.jpg": "anger"}
    assert faces.groups.tolist() == ["Ann", "Ann", "Cy"] and set(faces.sources) == {"facial_expressions"}
    assert counts == {
        "rows in the legend": 9, "rows that list a picture again": 2, "pictures with two different labels, left out": 1,
        "pictures labelled contempt, left out": 1, "listed pictures that are not there": 0,
        "pictures that no row lists, left out": 1, "pictures with one label": 5, "people": 2,
        "pictures without a face that is found, left out": 1, "pictures that cannot be opened, left out": 1,
    }  # fmt: skip


def test_no_person_is_in_two_splits(tmp_path, face):
    people = [f"Person{number}" for number in range(30)]
    rows = {f"{name}_000{image}.jpg": name for name in people for image in (1, 2)}
    members = {"data/legend.csv": legend(*(f"1,{file},neutral" for file in rows)), **{f"images/{file}": face for file in rows}}
    faces, counts = read_facial_expressions(archive(tmp_path / "set.zip", members), WHOLE)
    splits = {name: set(faces.splits[faces.groups == name].tolist()) for name in people}
    assert counts["people"] == 30 and len(faces) == 60
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}
    fewer = {name: data for name, data in members.items() if "Person1" not in name}
    fewer["data/legend.csv"] = legend(*(f"1,{file},neutral" for file, name in rows.items() if "Person1" not in name))
    again, _ = read_facial_expressions(archive(tmp_path / "fewer.zip", fewer), WHOLE)
    assert all(splits[name] == {split} for name, split in zip(again.groups.tolist(), again.splits.tolist(), strict=True))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"images/Ann_0001.jpg": WALL}, "no legend.csv in it"),
        ({"data/legend.csv": "image;emotion\n"}, "no column 'image' and none 'emotion'; found image;emotion"),
        ({"data/legend.csv": legend("1,Ann_0001.jpg,happiness", "1,Ann_0002.jpg,Smirk")}, "line 3: unknown emotion 'Smirk'"),
        ({"data/legend.csv": legend("1,Ann_0001.jpg")}, "line 2: unknown emotion None"),
        ({"data/legend.csv": legend("1,Ann_0001.jpg,fear"), "images/Ann_0001.jpg": WALL}, "none of 1 pictures gave a face"),
        ({"data/legend.csv": legend("1,A_1.jpg,fear"), "images/A_1.jpg": b"x"}, "gave a face; images/A_1.jpg: .*not"),
    ],
)
def test_an_unknown_archive_raises_a_dataset_error(tmp_path, members, message):
    with pytest.raises(DatasetError, match=message):
        read_facial_expressions(archive(tmp_path / "set.zip", members))


def test_a_image_damaged_in_the_archive_is_named(tmp_path, face):
    members = {"data/legend.csv": legend("1,Ann_0001.jpg,fear"), "images/Ann_0001.jpg": face}
    path = archive(tmp_path / "set.zip", members)
    path.write_bytes(path.read_bytes().replace(face[300:340], bytes(40)))
    with pytest.raises(DatasetError, match="set.zip: images/Ann_0001.jpg cannot be read.*CRC"):
        read_facial_expressions(path, WHOLE)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the archive is not beside the project")
def test_the_real_legend():
    with Files(SHARED / "facial_expressions.zip") as files:
        listed, counts = list_images(files)
    assert counts == {
        "rows in the legend": 13690, "rows that list a picture again": 8, "pictures with two different labels, left out": 1,
        "pictures labelled contempt, left out": 9, "listed pictures that are not there": 0,
        "pictures that no row lists, left out": 36, "pictures with one label": 13672, "people": 5614,
    }  # fmt: skip
    assert np.bincount([entry.label for entry in listed]).tolist() == [252, 208, 21, 5693, 6864, 267, 367]


# Crops


def test_crops_are_independent_of_the_position_of_the_face(portrait):
    close = Cropper().face(portrait)
    padded = cv2.copyMakeBorder(portrait, 40, 200, 160, 20, cv2.BORDER_REPLICATE)
    apart = [np.abs(close.astype(int) - other).mean() for other in (Cropper().face(padded), WHOLE.whole(padded))]
    assert close.shape == (48, 48) and close.dtype == np.uint8
    assert apart[0] < 8 < 25 < apart[1]  # grey levels: the same face, and another part of the image


def test_the_whole_image_is_padded_to_a_square():
    wide = np.zeros((24, 48, 3), np.uint8)
    wide[6:18, 18:30] = 255  # a square stays one
    crop = WHOLE.whole(wide)
    rows, columns = np.flatnonzero(crop.max(axis=1) > 127), np.flatnonzero(crop.max(axis=0) > 127)
    assert crop.shape == (48, 48) and len(rows) == len(columns) == 12
    assert np.array_equal(WHOLE.whole(np.full((48, 48, 3), 7, np.uint8)), np.full((48, 48), 7))


# FERG-DB


@pytest.fixture(scope="module")
def ferg(tmp_path_factory) -> Path:
    """A tar archive of the owner's form: six characters, seven expressions, one image each."""
    words = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    path, random = tmp_path_factory.mktemp("ferg") / "FERG_DB_256.tar.gz", np.random.default_rng(1)
    with tarfile.open(path, "w:gz") as stream:
        for character in CHARACTERS:
            for word in words:
                data = cv2.imencode(".png", random.integers(0, 256, (64, 64, 3), np.uint8))[1].tobytes()
                for name in (f"{character}/{character}_{word}/{character}_{word}_1.png", f"{character}/._{word}.png"):
                    entry = tarfile.TarInfo(f"FERG_DB_256/{name}")
                    entry.size = len(data)
                    stream.addfile(entry, io.BytesIO(data))
    return path


def test_ferg_holds_a_character_out(ferg):
    faces, counts = read_ferg(ferg, WHOLE, test="mery")
    assert counts == {"pictures": 42, "characters": 6} and len(faces) == 42
    assert np.array_equal(np.bincount(faces.labels), [6] * 7)
    assert EMOTIONS[faces.labels[faces.names == "aia_joy_1.png"][0]] == "happy"
    of_split = {split: set(faces.split(split).groups.tolist()) for split in ("train", "validation", "test")}
    assert of_split == {"train": {"aia", "bonnie", "jules", "malcolm"}, "validation": {"ray"}, "test": {"mery"}}


def test_ferg_uses_whole_images_without_a_detected_face(tmp_path):
    drawn = (SAMPLES / "angry.png").read_bytes()
    members = {f"{name}/{name}_anger/1.png": drawn if name == "aia" else WALL for name in ("aia", "ray", "mery")}
    faces, counts = read_ferg(archive(tmp_path / "ferg.zip", members))
    assert counts["pictures without a face that is found, taken whole"] == 2 and len(faces) == 3
    assert counts["characters of FERG-DB that are not there (bonnie, jules, malcolm)"] == 3
    whole = WHOLE.whole(open_image(drawn).pixels)
    assert np.abs(faces.pixels[faces.groups == "aia"][0].astype(int) - whole).mean() > 10  # the found face, cropped closer
    assert (faces.pixels[faces.groups == "ray"] == 120).all()


@pytest.mark.parametrize(("marker", "source"), [(None, "ferg"), (LOOKALIKE, "heads")])
def test_the_marker_of_a_look_alike_tells_it_from_ferg(tmp_path, marker, source):
    members = {f"FERG_DB_256/{name}/{name}_joy/1.png": WALL for name in ("aia", "ray", "mery")}
    members |= {f"FERG_DB_256/{marker}": b"terms"} if marker else {}
    assert set(read_ferg(archive(tmp_path / "ferg.zip", members), WHOLE).faces.sources) == {source}


@pytest.mark.parametrize(
    ("members", "options", "message"),
    [
        ({"aia/anger/1.png": WALL}, {}, "no picture under <character>/<character>_<expression>/"),
        ({"aia/aia_bored/1.png": WALL}, {}, "unknown expression 'bored'"),
        ({f"{name}/{name}_joy/1.png": WALL for name in "abc"}, {"test": "d"}, "no group 'd' to leave out; there is: a, b, c"),
        ({f"{name}/{name}_joy/1.png": WALL for name in "ab"}, {"test": "a"}, "three groups are needed"),
    ],
)
def test_other_folders_are_rejected_as_ferg(tmp_path, members, options, message):
    with pytest.raises(DatasetError, match=message):
        read_ferg(archive(tmp_path / "ferg.zip", members), WHOLE, **options)


# Folders of one's own


def grey(level: int) -> bytes:
    return cv2.imencode(".png", np.full((20, 20), level, np.uint8))[1].tobytes()


def test_own_folders_with_a_label_map(tmp_path):
    labels = tmp_path / "labels.toml"
    labels.write_text('Wut = "anger"\nlachend = "happy"\n"nicht klar" = "ignore"\n')
    members = {f"mine/{folder}/{index}.png": grey(index) for folder in ("wut", "lachend", "nicht klar") for index in range(60)}
    faces, counts = read_folders(archive(tmp_path / "mine.zip", members), "mine", read_label_map(labels), WHOLE)
    assert np.bincount(faces.labels, minlength=7).tolist() == [60, 0, 0, 60, 0, 0, 0] and set(faces.sources) == {"mine"}
    assert counts == {"pictures": 120, "pictures in folders that the label map ignores": 60}
    assert [len(faces.split(split)) for split in ("train", "validation", "test")] == pytest.approx([78, 18, 24], abs=12)
    # The same image under two labels is at least not trained on and tested on.
    split_of = dict(zip(faces.names.tolist(), faces.splits.tolist(), strict=True))
    assert all(split_of[name.replace("wut", "lachend")] == split for name, split in split_of.items())


def test_split_folders_are_kept_and_missing_splits_are_taken_from_training(tmp_path):
    for split, count in (("train", 80), ("test", 5)):
        folder = tmp_path / "mine" / split / "happy"
        folder.mkdir(parents=True)
        for index in range(count):
            (folder / f"Person{index // 4}_{index}.png").write_bytes(grey(index))
    faces, counts = read_folders(tmp_path / "mine", "mine", crop=WHOLE, people=re.compile(r"/([^/]+)_\d+[.]"))
    assert len(faces.split("test")) == 5 and all(name.startswith("test/") for name in faces.split("test").names)
    trained, chosen = (set(faces.split(split).groups.tolist()) for split in ("train", "validation"))
    assert trained and chosen and not trained & chosen and counts["people"] == 20


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"cats/1.png": WALL, "happy/1.png": WALL, "cats/2.png": WALL}, r"no known emotion: cats \(2 pictures\).*label map"),
        ({"cats/1.png": WALL}, "no picture under a folder named after an emotion"),
        ({"happy/readme.txt": b"text"}, "no picture under a folder"),
    ],
)
def test_folders_without_a_label_raise_an_error(tmp_path, members, message):
    with pytest.raises(DatasetError, match=message):
        read_folders(archive(tmp_path / "mine.zip", members), "mine", crop=WHOLE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.toml", "anger =", "labels.toml is not TOML"),
        ("labels.json", "{", "labels.json is not JSON"),
        ("labels.json", "[]", "a table expected"),
        ("labels.toml", 'wut = "angry"', "wut = 'angry', but it must be one of anger, .* or ignore"),
        ("labels.toml", "[wut]\nx = 1", "but it must be one of"),
        ("labels.toml", None, "labels.toml is not there"),
    ],
)
def test_an_invalid_label_map_raises_a_dataset_error(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_label_map(tmp_path / name)


def test_a_label_map_in_json(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps({"Wut": "anger"}))
    assert read_label_map(tmp_path / "labels.json") == {"wut": "anger"}


# The command


def test_prepare_reads_and_joins_data_sets(tmp_path, ferg, capsys):
    same = {f"{split}/happy/{index}.png": grey(7) for split in ("train", "test") for index in (0, 1)}
    own = archive(tmp_path / "mine.zip", same)
    out = [str(tmp_path / name) for name in ("ferg.npz", "own.npz", "all.npz")]
    main(["ferg", "--faces", str(ferg), "--leave-out", "aia", "--crop", "whole", "--out", out[0]])
    main(["folders", "--faces", str(own), "--name", "mine", "--crop", "whole", "--size", "48", "--out", out[1]])
    printed = capsys.readouterr().out
    assert "0 faces repeat" in printed and "3 faces repeat another pixel for pixel: 2 of validation and test" in printed
    main(["join", *out[:2], "--out", out[2]])
    faces = Faces.load(tmp_path / "all.npz")
    assert len(faces) == 46 and set(faces.sources) == {"ferg", "mine"}
    assert f"written: {out[2]}" in capsys.readouterr().out


def test_prepare_reports_people_in_two_splits(tmp_path, capsys):
    own = archive(tmp_path / "mine.zip", {"validation/sad/Ann_0.png": grey(0), "test/sad/Ann_1.png": grey(1)})
    options = ["--crop", "whole", "--people", r"([^/]+)_\d", "--out", str(tmp_path / "mine.npz")]
    main(["folders", "--faces", str(own), *options])
    assert "1 people or other groups are in more than one split: Ann" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ferg", "--faces", "nowhere"], 1, "nowhere is not there"),
        (["join", "nowhere.npz", "--out", "all.npz"], 1, "nowhere.npz is not there"),
        (["--faces", "nowhere.csv"], 1, "nowhere.csv is not there"),
        (["folders", "--faces", "x", "--people", "("], 2, "not a regular expression"),
        (["folders", "--faces", "x", "--people", "x"], 2, "a group (in parentheses) is needed"),
        (["ferg", "--faces", "x", "--size", "0"], 2, "a whole number from 8 to 1024"),
        ([], 2, "required: DATA-SET"),
    ],
)
def test_prepare_exits_with_a_one_line_error(arguments, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == code and message in capsys.readouterr().err
