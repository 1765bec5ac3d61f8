"""Characters, views and renderings. Pictures are compared with what was asked for, never with stored pictures: drivers differ."""

import dataclasses
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from emotions.face.detector import FaceDetector
from emotions.runtime.manifest import ModelRegistry
from scripts.synthetic.heads.characters import brow_color, create_character
from scripts.synthetic.heads.expressions import sample_expression
from scripts.synthetic.heads.families import FAMILIES, TEST_FAMILIES, VALIDATION_FAMILIES
from scripts.synthetic.heads.figure import HEAD_PARTS, KINDS, Figure, toward_camera
from scripts.synthetic.heads.geometry.fitting import MeanHead
from scripts.synthetic.heads.geometry.model import LANDMARKS, VERTICES, load_head_model
from scripts.synthetic.heads.geometry.proportions import Proportions, anchors_of
from scripts.synthetic.heads.renderer import SHADERS, STYLES, HeadRenderer
from scripts.synthetic.heads.skin import FOLDS, fold_weights
from scripts.synthetic.heads.views import MAX_PITCH, MAX_ROLL, MAX_YAW, background, front_view, sample_view

from .conftest import HEADS, ROOT, renderer


def expression(emotion, strength=1.0, seed=0):
    return sample_expression(emotion, strength, np.random.default_rng(seed))


def test_held_out_families_are_families_and_disjoint():
    assert len(FAMILIES) >= 6 and len(set(TEST_FAMILIES) | set(VALIDATION_FAMILIES)) == 4
    assert set(TEST_FAMILIES) | set(VALIDATION_FAMILIES) < set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_characters_are_a_function_of_family_number_and_seed(family):
    first, again, other = (create_character(family, number) for number in (3, 3, 4))
    assert np.array_equal(first.identity, again.identity) and not np.array_equal(first.identity, other.identity)
    assert dataclasses.replace(first, identity=None) == dataclasses.replace(again, identity=None)
    assert not np.array_equal(first.identity, create_character(family, 3, seed=1).identity)


def test_an_unknown_family_is_an_error():
    with pytest.raises(ValueError, match="unknown family 'oil'"):
        create_character("oil", 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_brows_differ_from_the_skin(family):
    for number in range(100):
        character = create_character(family, number)
        assert abs(np.mean(brow_color(character)) - np.mean(character.skin.tone)) > 0.14, character.name


def test_scanned_people_keep_their_proportions():
    assert all(create_character("scan", number).proportions == Proportions() for number in range(5))
    assert len({create_character("toon", number).proportions.eyes for number in range(5)}) == 5


def test_larger_eyes_stay_spheres_in_their_sockets(head_model):
    neutral = head_model.vertices
    larger = Proportions(eyes=1.4).apply(neutral, anchors_of(neutral))
    start, end = VERTICES["eyeball_left"]
    sizes = np.ptp(larger[start:end], axis=0) / np.ptp(neutral[start:end], axis=0)
    assert np.allclose(sizes, 1.4, atol=0.02)
    far = np.linalg.norm(neutral - anchors_of(neutral).left_eye, axis=1) > 8
    far &= np.linalg.norm(neutral - anchors_of(neutral).right_eye, axis=1) > 8
    assert np.array_equal(larger[far], neutral[far])


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Proportions)])
def test_every_proportion_changes_the_head_smoothly(head_model, name):
    neutral = head_model.vertices
    changed = Proportions(**{name: 1.3}).apply(neutral, anchors_of(neutral)) - neutral
    assert np.abs(changed).max() > 0.2
    edges = head_model.triangles["face"][:, :2]
    lengths = np.linalg.norm(neutral[edges[:, 0]] - neutral[edges[:, 1]], axis=1)
    assert (np.linalg.norm(changed[edges[:, 0]] - changed[edges[:, 1]], axis=1) < 1.2 * lengths + 0.02).all()


def test_folds_follow_their_action_units():
    weights = dict(zip(FOLDS, fold_weights({"browDown_L": 1, "browDown_R": 1}, age=0.3), strict=True))
    assert weights["glabella"] > 3 * weights["marionette"] and weights["glabella"] > weights["crow_feet"]
    assert (fold_weights({}, age=1) > fold_weights({}, age=0)).all() and not fold_weights({}, age=0).any()


def test_views_stay_within_their_limits():
    character, random = create_character("scan", 0), np.random.default_rng(0)
    views = [sample_view(character, random) for _ in range(500)]
    for name, limit in (("yaw", MAX_YAW), ("pitch", MAX_PITCH), ("roll", MAX_ROLL)):
        angles = np.array([getattr(view, name) for view in views])
        assert np.abs(angles).max() <= limit and angles.min() < -0.4 * limit and angles.max() > 0.4 * limit
    assert np.median([abs(view.yaw) for view in views]) < 12
    for view in views[:40]:
        assert background(view, "scan", 64).shape == (64, 64, 3)
        for direction in (view.light.key_direction, view.light.fill_direction, view.light.rim_direction):
            assert np.isclose(np.linalg.norm(direction), 1)


@pytest.mark.slow
def test_the_mesh_is_whole(head_model):
    for family in ("scan", "lowpoly", "fantasy"):
        figure = Figure(MeanHead(head_model), create_character(family, 1))
        positions, normals, landmarks = figure.pose(expression("happy"), front_view(figure.character))
        mesh = figure.mesh
        assert len(positions) == len(normals) == len(mesh.kind) == len(mesh.rest) == len(mesh.texture) == len(mesh.tint)
        assert mesh.triangles.min() == 0 and mesh.triangles.max() < len(positions) and np.isfinite(positions).all()
        lengths = np.linalg.norm(normals[np.unique(mesh.triangles)], axis=1)
        assert np.allclose(lengths, 1, atol=1e-3) and landmarks.shape == (68, 3)
        assert set(HEAD_PARTS) <= set(head_model.triangles)


def test_shader_and_figure_number_materials_alike():
    source = (SHADERS / "head.frag").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"([A-Z]+) = (\d+)", re.search(r"const int (SKIN.*?);", source)[1]))
    assert {name.lower(): int(number) for name, number in numbers.items() if name.lower() in KINDS} == KINDS
    styles = re.search(r"const int (SCAN.*?);", source)[1]
    assert re.findall(r"([A-Z]+) = (\d+)", styles) == [(name.upper(), str(number)) for number, name in enumerate(STYLES)]


def test_facets_are_few_and_keep_the_lips_apart(head_model):
    smooth, coarse = (Figure(MeanHead(head_model), create_character(family, 0)) for family in ("scan", "lowpoly"))
    skin = [int((figure.mesh.kind[figure.mesh.triangles[:, 0]] == 0).sum()) for figure in (smooth, coarse)]
    assert skin[1] < 0.35 * skin[0]


def test_gaze_turns_the_eyeballs_alone(head_model):
    figure = Figure(MeanHead(head_model), create_character("scan", 0))
    ahead = dataclasses.replace(expression("neutral"), gaze=(0.0, 0.0))
    aside = dataclasses.replace(ahead, gaze=(20.0, 0.0))
    moved = figure.deform(aside) - figure.deform(ahead)
    start, end = VERTICES["eyeball_left"]
    front = start + int(figure.deform(ahead)[start:end, 2].argmax())
    assert moved[front, 0] > 0.4  # to the person's left
    outside = np.r_[0 : VERTICES["eyeball_left"][0], VERTICES["eyeball_right"][1] : len(moved)]
    assert not moved[outside].any()


def test_eyes_of_a_turned_head_look_back_to_the_camera():
    character = create_character("scan", 0)
    aside = dataclasses.replace(front_view(character), yaw=30.0, pitch=-10.0)
    assert toward_camera((2.0, 1.0), front_view(character)) == (2.0, 1.0)
    yaw, pitch = toward_camera((2.0, 1.0), aside)
    assert -22 < yaw < -15 and 5 < pitch < 12


@pytest.mark.slow
def test_a_picture_repeats_exactly(head_renderer):
    character = create_character("feature", 2)
    view = sample_view(character, np.random.default_rng(5))
    first = head_renderer.render(character, expression("sad"), view)
    for number in range(6):  # push the character out of those that are kept on the device
        head_renderer.render(create_character("doll", number), expression("neutral"), front_view(character))
    again = head_renderer.render(character, expression("sad"), view)
    assert np.array_equal(first.pixels, again.pixels) and np.array_equal(first.landmarks, again.landmarks)


def _render_with_two(character, shown, view):
    before = renderer().render(character, shown, view)
    with HeadRenderer(load_head_model(HEADS), side=64) as small:
        other = small.render(character, shown, view)
        between = renderer().render(character, shown, view)
    return before, other, between, renderer().render(character, shown, view)


@pytest.mark.slow
def test_two_renderers_in_one_process_do_not_disturb_each_other(head_renderer):
    character = create_character("flat", 1)
    before, other, between, after = head_renderer.call(_render_with_two, character, expression("happy"), front_view(character))
    assert np.array_equal(before.pixels, between.pixels) and np.array_equal(before.pixels, after.pixels)
    assert other.pixels.shape == (64, 64, 3) and np.allclose(other.landmarks * 4, before.landmarks, atol=0.1)


def test_a_process_with_tensorflow_is_refused(head_model):
    """Both bring LLVM, and whichever comes second crashes."""
    code = (
        "import pathlib, sys, types\nsys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "from scripts.synthetic.heads.renderer import HeadRenderer\n"
        "from scripts.synthetic.heads.geometry.model import load_head_model\n"
        f"HeadRenderer(load_head_model(pathlib.Path({str(HEADS)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "TensorFlow" in done.stderr.splitlines()[-1] or "no OpenGL" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_shows_a_face_that_moves(head_renderer, family):
    character = create_character(family, 0)
    view = front_view(character)
    shown = [expression("neutral"), sample_expression("surprise", 1.0, np.random.default_rng(0), recipe="surprise-gape")]
    neutral, surprise = (head_renderer.render(character, one, view) for one in shown)
    assert neutral.pixels.shape == (256, 256, 3) and neutral.pixels.dtype == np.uint8
    difference = np.abs(neutral.pixels.astype(int) - surprise.pixels).max(axis=2)
    mouth = surprise.landmarks[48:60].mean(axis=0).astype(int)
    near = difference[mouth[1] - 20 : mouth[1] + 20, mouth[0] - 20 : mouth[0] + 20]
    assert (near > 25).mean() > 0.08 and (difference[:20, :20] == 0).all()
    assert neutral.pixels.std() > 15


@pytest.mark.slow
def test_landmarks_are_where_the_picture_shows_them(head_renderer):
    """The iris, the darkest part of the eye, lies between the lids' landmarks."""
    character = create_character("scan", 5)
    rendering = head_renderer.render(character, expression("neutral"), front_view(character))
    grey = cv2.cvtColor(rendering.pixels, cv2.COLOR_RGB2GRAY)
    for corners in (slice(36, 42), slice(42, 48)):
        low, high = rendering.landmarks[corners].min(axis=0), rendering.landmarks[corners].max(axis=0)
        eye = grey[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1]
        middle = eye[:, eye.shape[1] // 3 : -(eye.shape[1] // 3)]
        assert middle.mean() < eye[:, : eye.shape[1] // 4].mean() or middle.min() < 60


@pytest.mark.slow
def test_the_served_detector_finds_rendered_people(head_renderer):
    detector = FaceDetector(ModelRegistry())
    for number in range(3):
        character = create_character("scan", number)
        rendering = head_renderer.render(character, expression("neutral", seed=number), front_view(character))
        faces = detector.detect(rendering.pixels)[1]
        assert len(faces) == 1
        box, nose = faces[0].box, rendering.landmarks[30]
        assert box.left < nose[0] < box.left + box.width and box.top < nose[1] < box.top + box.height


@pytest.mark.slow
def test_landmarks_follow_pose_and_shift(head_renderer):
    character = create_character("scan", 1)
    front = front_view(character)
    turned = dataclasses.replace(front, yaw=30.0)  # to the person's left, which is the picture's right
    places = [head_renderer.render(character, expression("neutral"), view).landmarks for view in (front, turned)]
    nose = [one[30, 0] - (one[0, 0] + one[16, 0]) / 2 for one in places]
    assert nose[1] > nose[0] + 5
    assert LANDMARKS.shape == (68,)
