"""Avatars from style definitions and tables of drawn faces: on two tiny styles of our own, and on the real ones."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotions.face.analyzer import FaceAnalyzer
from emotions.face.detector import FaceDetector
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from scripts.data.dataset import DatasetError, Faces
from scripts.evaluate import drawn_faces, frozen_features
from scripts.synthetic import framing, generate, patches
from scripts.synthetic.catalogue import (
    Style,
    attribution,
    choose_colours,
    choose_parts,
    choose_transforms,
    load_styles,
    rasterise,
    to_svg,
)
from scripts.synthetic.renderer import AvatarRenderer, load_renderer, shift_hue
from scripts.train import binary_head, drawn_face_verifier

SHARED = Path(__file__).parents[4] / "shared" / "data" / "stylised"


def element(name: str, **attributes) -> dict:
    return {"name": name, "type": "element", "attributes": {key.replace("_", "-"): value for key, value in attributes.items()}}


def place(name: str, x: int, y: int) -> dict:
    return {"name": name, "type": "component", "attributes": {"transform": f"translate({x} {y})"}}


def component(variants: dict, **more) -> dict:
    return {"width": 40, "height": 20, "variants": {name: {"elements": parts} for name, parts in variants.items()}, **more}


def colour(name: str) -> dict:
    return {"type": "color", "name": name}


def mouth(d: str) -> list[dict]:
    return [element("path", d=d, fill="none", stroke=colour("ink"), stroke_width="4")]


def definition() -> dict:
    """A round head of 100 units with two eyes and a mouth; the eyes are placed by the head, a veil may cover the mouth."""
    ink = colour("ink")
    eyes = {name: [element("circle", cx="8", cy="8", r=r, fill=ink), element("circle", cx="32", cy="8", r=r, fill=ink)]
            for name, r in (("small", "3"), ("wide", "6"))}  # fmt: skip
    veil = [element("rect", x="0", y="55", width="100", height="45", fill=colour("skin"))]
    head = [element("circle", cx="50", cy="50", r="45", fill=colour("skin")), place("eyes", 30, 30)]
    return {
        "meta": {"license": {"name": "CC0 1.0", "text": "Blob, CC0 1.0"}, "creator": {"name": "Nobody"}},
        "canvas": {"width": 100, "height": 100, "elements": [place("head", 0, 0), place("mouth", 30, 60), place("veil", 0, 0)]},
        "attributes": {"fill": "none"},
        "components": {
            "head": component({"round": head}),
            "eyes": component(eyes),
            "mouth": component({"smile": mouth("M0 4 Q20 22 40 4"), "frown": mouth("M0 18 Q20 0 40 18")},
                               translate={"y": {"min": -10, "max": 10}}),
            "veil": component({"none": [], "cloth": veil}),
            "glasses": component({"round": [element("rect", x="0", y="0", width="100", height="100", fill="#000000")]}),
        },
        "colors": {"skin": {"values": ["#ffcc99", "#663311"]},
                   "ink": {"values": ["#000000", "#ffcc99"], "notEqualTo": ["skin"]}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Definitions of two families, their recipes, and an emoji with its label."""
    root = tmp_path_factory.mktemp("stylised")
    (root / "src").mkdir()
    for name in ("blob", "orb"):
        (root / "src" / f"{name}.json").write_text(json.dumps(definition()), encoding="utf-8")
    with open(root / "recipes.csv", "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["style", "expression", "components"])
        for style in ("blob", "blob-neutral", "orb"):
            rows.writerow([style, "happy", "eyes=small|wide;mouth=smile"])
            rows.writerow([style, "sad", "eyes=small;mouth=frown"])
    (root / "emoji").mkdir()
    Image.fromarray(np.full((64, 64, 4), 200, np.uint8)).save(root / "emoji" / "1.png")
    (root / "labels.csv").write_text("file,label,set\nemoji/1.png,happy,plain\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def renderer(folder) -> AvatarRenderer:
    return load_renderer(folder, folder / "recipes.csv")


STYLE = Style("blob", definition())
PARTS = {"head": "round", "eyes": "small", "mouth": "smile"}
COLOURS = {"skin": "#ffcc99", "ink": "#000000"}


def test_components_have_their_position_and_colour():
    pixels = rasterise(to_svg(STYLE, PARTS, COLOURS), 100)
    assert pixels.shape == (100, 100, 4) and pixels[2, 2, 3] == 0
    assert tuple(pixels[50, 12]) == (255, 204, 153, 255)  # skin
    assert tuple(pixels[38, 38]) == tuple(pixels[38, 62]) == (0, 0, 0, 255)  # eyes, which the head places
    assert tuple(pixels[73, 50, :3]) == (0, 0, 0)  # the bend of the smile: 60 + 13
    frown = rasterise(to_svg(STYLE, PARTS | {"mouth": "frown"}, COLOURS), 100)
    assert tuple(frown[73, 50, :3]) == (255, 204, 153) and tuple(frown[69, 50, :3]) == (0, 0, 0)


def test_components_can_be_omitted_moved_widened_or_isolated():
    whole, none = (rasterise(to_svg(STYLE, PARTS | {"mouth": name}, COLOURS), 100) for name in ("smile", None))
    assert (whole[58:84] != none[58:84]).any() and np.array_equal(whole[:58], none[:58])
    moved = rasterise(to_svg(STYLE, PARTS, COLOURS, {"mouth": "translate(0 5)"}), 100)
    assert tuple(moved[78, 50, :3]) == (0, 0, 0) and tuple(moved[72, 50, :3]) == (255, 204, 153)
    alone = rasterise(to_svg(STYLE, PARTS, COLOURS, only={"eyes", "mouth"}), 100)
    assert alone[12, 50, 3] == 0 and alone[38, 38, 3] == 255 and alone[73, 50, 3] == 255
    wide = rasterise(to_svg(STYLE, PARTS, COLOURS, only={"mouth"}, stroke_scale=2.0), 100)
    assert (wide[..., 3] > 0).sum() > 1.6 * (alone[55:, :, 3] > 0).sum()


def test_choices_follow_the_definition():
    changed = definition()
    changed["components"]["mouth"]["variants"]["frown"]["weight"] = 0
    changed["components"]["veil"]["probability"] = 0
    style = Style("blob", changed)
    for seed in range(30):
        random = np.random.default_rng(seed)
        parts = choose_parts(style, random, {"eyes": {"wide"}, "glasses": {"round"}})
        assert parts == {"head": "round", "eyes": "small", "mouth": "smile", "veil": None, "glasses": None}
        colours = choose_colours(style, random)
        assert colours["skin"] != colours["ink"]
        (move,) = choose_transforms(style, random).items()
        assert move[0] == "mouth" and abs(float(move[1].split()[1].rstrip(")"))) <= 2  # 10 per cent of a height of 20
    assert {choose_colours(style, np.random.default_rng(seed))["skin"] for seed in range(30)} == {"#ffcc99", "#663311"}


def test_a_shifted_colour_keeps_its_lightness():
    lightness = {name: [sum(bytes.fromhex(shift_hue(name, np.random.default_rng(seed))[1:])) for seed in range(40)]
                 for name in ("#ffcc99", "#331100")}  # fmt: skip
    assert min(lightness["#ffcc99"]) > max(lightness["#331100"]) and len(set(lightness["#ffcc99"])) > 10


def test_variants_that_hide_the_face_are_excluded(renderer):
    assert renderer._occluding_variants["blob"]["veil"] == {"cloth"}
    for seed in range(20):
        image, mask = renderer.render("blob", "happy", 100, np.random.default_rng(seed))
        inner = image[30:48, 30:70].reshape(-1, 3).astype(int)
        assert np.ptp(inner, axis=0).max() > 60  # eyes are seen: neither glasses nor veil are over them
        assert mask[37:40, 37:40].all() and not mask[:28].any() and mask[60:].any()


def test_neutral_style_shows_features_on_plain_skin(renderer):
    image, mask = renderer.render("blob-neutral", "sad", 80, np.random.default_rng(3))
    corners = {tuple(image[row, column]) for row in (0, 79) for column in (0, 79)}
    assert corners <= {(255, 204, 153), (102, 51, 17)} and len(corners) == 1
    width = np.ptp(np.nonzero(mask)[1]) / 80
    assert 0.45 < width < 0.85


def test_visible_fraction_of_a_crop():
    mask = np.zeros((100, 100), bool)
    mask[40:60, 20:80] = True
    assert framing.visible_fraction(mask, np.eye(2, 3)) == 1
    left_half = np.array([[0.5, 0, 0], [0, 1, 0]])
    assert framing.visible_fraction(mask, left_half) == pytest.approx(0.5)
    assert framing.visible_fraction(np.zeros((9, 9), bool), np.eye(2, 3)) == 0


def test_crops_follow_their_matrix(monkeypatch):
    for name in ("ROTATION_SD", "SCALE_SD", "SHIFT_SD"):
        monkeypatch.setattr(framing, name, 0.0)
    image = np.zeros((96, 96, 3), np.uint8)
    image[:48, 48:] = 255
    for seed in range(4):  # on a canvas or not
        quarter = framing.jittered_crop(image, np.array([[0.5, 0, 0.25], [0, 0.5, 0.25]]), 48, np.random.default_rng(seed))
        assert quarter.shape == (48, 48) and quarter[:23, 25:].min() == 255 and quarter[25:].max() == quarter[:, :23].max() == 0


def test_plan_is_balanced_and_families_stay_in_one_split(renderer):
    chosen = generate.sample_plan(renderer, 24, np.random.default_rng(0))
    counts = {cell: chosen.count(cell) for cell in set(chosen)}
    assert counts == {("blob", "happy"): 3, ("blob", "sad"): 3, ("blob-neutral", "happy"): 3, ("blob-neutral", "sad"): 3,
                      ("orb", "happy"): 6, ("orb", "sad"): 6}  # fmt: skip
    assert [generate.split_of(name) for name in ("notionists-neutral", "toon-head", "micah", "lorelei")] == [
        "test", "test", "validation", "train",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "drawn.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "PROBE_IMAGES", 2)
        patch.setattr(generate, "VALIDATION_FAMILIES", ("orb",))
        recipes = ["--recipes", str(folder / "recipes.csv")]
        generate.main(["--styles", str(folder), *recipes, "--count", "40", "--out", str(out), "--seed", "1"])
    return out


def test_generated_table_and_attribution(made, renderer, monkeypatch):
    faces = Faces.load(made)
    assert faces.pixels.shape == (40, 48, 48) and set(faces.sources) == {"dicebear"} and set(faces.groups) == {"blob", "orb"}
    for name, label, group, split in zip(faces.names, faces.labels, faces.groups, faces.splits, strict=True):
        style, expression, _ = name.split("/")
        assert EMOTIONS[label] == expression and style.startswith(group)
        assert split == ("validation" if group == "orb" else "train")
    assert faces.pixels.std(axis=(1, 2)).mean() > 10
    text = made.with_name("drawn-ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "- **blob** (Nobody; CC0 1.0): Blob, CC0 1.0" in text and text.count("- **") == 2
    monkeypatch.setattr(generate, "PROBE_IMAGES", 2)
    again = generate.render_table(renderer, FaceDetector(ModelRegistry()), 40, 1)
    assert np.array_equal(again.pixels, faces.pixels) and np.array_equal(again.names, faces.names)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("src/blob.json", "{}", "not a style definition"),
        ("recipes.csv", "a,b\n1,2\n", "columns style, expression and components"),
        ("recipes.csv", "style,expression,components\nblob,smug,eyes=small\n", "'smug' is none of"),
        ("recipes.csv", "style,expression,components\nblob,happy,eyes=huge\n", "blob has no eyes huge"),
        ("recipes.csv", "style,expression,components\nother,happy,eyes=small\n", "no definition of the styles other"),
    ],
)
def test_invalid_files_are_rejected(tmp_path, capsys, file, content, message):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "blob.json").write_text(json.dumps(definition()), encoding="utf-8")
    (tmp_path / "recipes.csv").write_text("style,expression,components\nblob,happy,eyes=small\n", encoding="utf-8")
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        generate.main(["--styles", str(tmp_path), "--recipes", str(tmp_path / "recipes.csv"), "--out", str(tmp_path / "out.npz")])
    assert stop.value.code == 1 and message in capsys.readouterr().err and not (tmp_path / "out.npz").exists()
    with pytest.raises(DatasetError, match="no style definition"):
        load_styles(tmp_path / "nowhere")


@pytest.mark.slow
def test_evaluation_on_held_out_families(made, folder, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_features, "EPOCHS", 1)
    monkeypatch.setattr(generate, "VALIDATION_FAMILIES", ("orb",))
    out = tmp_path / "drawn.md"
    tables = ["--drawn", str(made), "--faces", str(prepared)]
    styles = ["--styles", str(folder), "--recipes", str(folder / "recipes.csv"), "--emoji", str(folder)]
    drawn_faces.main([*styles, *tables, "--each", "2", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert "12 pictures of 2 style families" in text and "| blob | 2 |" in text and "| plain |" in text
    assert "| orb (validation) | 2 |" in text and "| **mean, validation** |" in text
    assert "| original, human + drawn |" in text
    kept = sorted(path.name.split("-")[1] for path in made.parent.glob("features-*.npz"))
    assert kept == ["drawn", "faces"]


@pytest.mark.slow
def test_a_family_is_classified_by_heads_that_were_not_trained_on_it(made, monkeypatch):
    monkeypatch.setattr(frozen_features, "EPOCHS", 300)
    drawings = Faces.load(made)
    happy, sad = EMOTIONS.index("happy"), EMOTIONS.index("sad")
    swapped = np.where(drawings.groups == "orb", happy + sad - drawings.labels, drawings.labels)
    features = 5 * np.eye(512, dtype=np.float32)[swapped]  # an orb's happy face looks as a blob's sad one
    views = drawn_faces.Views(np.zeros((2, 1)), np.ones((2, 1), bool), np.array([happy, sad]), np.array(["orb", "orb"]))
    views.features = 5 * np.eye(512, dtype=np.float32)[[sad, happy]][:, None]
    predicted = drawn_faces.leave_one_family_out("linear", drawings, features, [], views)
    assert predicted[:, 0].tolist() == [sad, happy]  # as predicted by a head trained on blobs alone


def test_patches_of_drawings_are_labelled(renderer, monkeypatch):
    monkeypatch.setattr(generate, "VALIDATION_FAMILIES", ("orb",))
    table = patches.labelled_patches(renderer, 2, 5, 48, 1)
    drawings = len(renderer.subjects) * 2
    assert len(table.crops) == drawings * 8 + 40 and table.faces.sum() == drawings * 3
    assert set(table.splits[table.faces]) == {"train", "validation"}
    assert table.crops.shape[1:] == (48, 48) and table.crops[table.faces].std(axis=(1, 2)).min() > 3


def test_face_patches_frame_the_face_and_others_do_not():
    random, area = np.random.default_rng(1), np.array([60.0, 80.0, 160.0, 150.0])
    for _ in range(200):
        x, y, side = patches.face_square(area, random)
        assert x - side / 2 < 70 and x + side / 2 > 150 and y - side / 2 < 90 and y + side / 2 > 140 and side < 201
        assert not patches._could_be_face(area, patches.other_square(area, (256, 256), random))


@pytest.mark.slow
def test_drawn_face_verifier_is_trained_for_its_backbone(folder, tmp_path, monkeypatch):
    """Trained on two styles and a few charts, it separates their faces from the rest."""
    models = tmp_path / "models"
    shutil.copytree(BUNDLED, models)
    monkeypatch.setattr(binary_head, "EPOCHS", 40)
    styles = ["--styles", str(folder), "--recipes", str(folder / "recipes.csv"), "--models", str(models)]
    drawn_face_verifier.main([*styles, "--pictures", "6", "--graphics", "20"])
    before, (entry,) = ModelRegistry(BUNDLED).entries("face-check"), ModelRegistry(models).entries("face-check")
    assert before[0].file == entry.file and before[0].sha256 != entry.sha256 and entry.base == "vgg16"
    ModelRegistry(models).verify()
    table = patches.labelled_patches(load_renderer(folder, folder / "recipes.csv"), 3, 5, 48, 9)
    model = FaceAnalyzer(ModelRegistry(models)).classifier
    logits = ModelRegistry(models).model(entry)(model.features(table.crops))[0][:, 0]
    assert logits[table.faces].mean() > 1 > -1 > logits[~table.faces].mean()


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the DiceBear styles are not beside the project")
def test_the_real_styles():
    renderer = load_renderer(SHARED / "dicebear_styles")
    styles = renderer.definitions
    assert len(styles) == 19 and len(renderer.subjects) == 125
    assert len(attribution(styles).splitlines()) == 19 and "Lisa Wischofsky" in attribution(styles)
    for style, expression in renderer.subjects[::6]:
        image, mask = renderer.render(style, expression, 64, np.random.default_rng(1))
        assert image.shape == (64, 64, 3) and 0.003 < mask.mean() < 0.5, style
    artists = [style.definition["meta"]["creator"]["name"] for style in styles.values()]
    held = [
        styles[name].definition["meta"]["creator"]["name"] for name in (*generate.TEST_FAMILIES, *generate.VALIDATION_FAMILIES)
    ]
    assert all(artists.count(name) == 1 for name in held)  # the rule by which they were chosen
