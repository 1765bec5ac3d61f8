"""Recipes of expressions: their table, variation, strength and limits."""

from __future__ import annotations

import numpy as np
import pytest

from emotions.labels import EMOTIONS
from scripts.data.dataset import DatasetError
from scripts.synthetic.heads import expressions
from scripts.synthetic.heads.expressions import LABEL_STRENGTH, Expression, exaggerate, sample_expression
from scripts.synthetic.heads.facs import MIDDLE, SIDED, TABLE, load_table, recipes_markdown, units_markdown
from scripts.synthetic.heads.geometry.model import LANDMARKS, HeadModel

RECIPES = [(recipe.emotion, recipe.name) for recipe in load_table().recipes.values()]
EMOTIONAL = [pair for pair in RECIPES if pair[0] != "neutral"]


def drawn(emotion: str, strength: float, seed: int, recipe: str | None = None) -> Expression:
    return sample_expression(emotion, strength, np.random.default_rng(seed), recipe)


def unspoken(emotion: str, recipe: str | None = None, count: int = 3) -> list[int]:
    """Seeds whose expressions have neither a mouth of speech nor eyes that look aside."""
    found = []
    for seed in range(500):
        expression = drawn(emotion, 1.0, seed, recipe)
        if not expression.speech and abs(expression.gaze[0]) < 8:
            found.append(seed)
        if len(found) == count:
            break
    return found


def lips(head: HeadModel, expression: Expression) -> float:
    """Opening between the lips' middles in cm."""
    points = (head.vertices + head.expression(expression.shapes))[LANDMARKS]
    return float(points[62, 1] - points[66, 1])


def test_every_emotion_has_several_recipes():
    for emotion in EMOTIONS:
        assert len(load_table().of_emotion(emotion)) >= 3
    assert len(load_table().of_emotion("happy")) >= 6


def test_shapes_are_those_of_the_head_model(head_model):
    names = {*MIDDLE, *(f"{shape}_{side}" for shape in SIDED for side in "LR")}
    assert names == set(head_model.shapes)


@pytest.mark.parametrize(("emotion", "recipe"), RECIPES)
def test_weights_are_known_and_within_limits(emotion, recipe):
    table = load_table()
    names = {*MIDDLE, *(f"{shape}_{side}" for shape in SIDED for side in "LR")}
    for seed in range(40):
        expression = drawn(emotion, 1.0, seed, recipe)
        assert expression.recipe == recipe and set(expression.action_units) <= set(table.units)
        for shape, weight in expression.shapes.items():
            assert shape in names
            assert weight == pytest.approx(table.limit(shape, weight), abs=1e-4)


@pytest.mark.parametrize(("emotion", "recipe"), EMOTIONAL)
def test_displacement_grows_with_strength(head_model, emotion, recipe):
    for seed in unspoken(emotion, recipe):
        rest = head_model.expression(drawn(emotion, 0.0, seed, recipe).shapes)
        moved = [
            float(np.linalg.norm(head_model.expression(drawn(emotion, strength, seed, recipe).shapes) - rest))
            for strength in (0.1, 0.25, 0.5, 0.75, 1.0)
        ]
        assert moved[0] > 0
        assert all(later > earlier for earlier, later in zip(moved, moved[1:], strict=False)), moved


def test_recipes_of_an_emotion_differ(head_model):
    for emotion in EMOTIONS:
        full = [
            head_model.expression(drawn(emotion, 1.0, unspoken(emotion, recipe.name, 1)[0], recipe.name).shapes)
            for recipe in load_table().of_emotion(emotion)
        ]
        distances = [np.abs(one - other).max() for i, one in enumerate(full) for other in full[:i]]
        assert min(distances) > 0.05  # cm


def test_the_same_random_state_gives_the_same_expression():
    for emotion in EMOTIONS:
        assert drawn(emotion, 0.7, 11) == drawn(emotion, 0.7, 11)
    assert len({str(drawn("happy", 1.0, seed).shapes) for seed in range(30)}) == 30


def test_strength_does_not_change_what_is_drawn():
    for seed in range(50):
        weak, full = drawn("sad", 0.3, seed), drawn("sad", 1.0, seed)
        assert (weak.recipe, weak.speech) == (full.recipe, full.speech)
        for unit in load_table().recipes[full.recipe].units:
            if unit != "AU43":
                assert weak.action_units[unit] == pytest.approx(0.3 * full.action_units[unit], abs=1e-3)


def test_all_recipes_are_drawn_about_as_often_as_their_shares():
    recipes = load_table().of_emotion("happy")
    names = [drawn("happy", 1.0, seed).recipe for seed in range(2000)]
    total = sum(recipe.share for recipe in recipes)
    for recipe in recipes:
        assert names.count(recipe.name) / 2000 == pytest.approx(recipe.share / total, abs=0.03)


def test_intensities_stay_near_the_recipe():
    recipe = load_table().recipes["anger-pressed"]
    drawings = [drawn("anger", 1.0, seed, recipe.name).action_units for seed in range(300)]
    values = np.array([[units[unit] for unit in recipe.units] for units in drawings])
    ratios = values / list(recipe.units.values())
    assert 0.749 < ratios.min() < 0.8 and 1.2 < ratios.max() < 1.251


def test_optional_units_come_with_their_probability():
    present = ["AU7" in drawn("fear", 1.0, seed, "fear-jaw").action_units for seed in range(1000)]
    assert np.mean(present) == pytest.approx(load_table().recipes["fear-jaw"].optional["AU7"][0], abs=0.05)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_smile_is_a_smirk(emotion):
    for seed in range(300):
        shapes = drawn(emotion, 1.0, seed).shapes
        for shape in ("mouthSmile", "mouthDimple"):
            left, right = shapes.get(f"{shape}_L", 0.0), shapes.get(f"{shape}_R", 0.0)
            assert min(left, right) >= 0.85 * max(left, right) - 1e-4


def test_sides_differ_a_little():
    differences = []
    for seed in range(100):
        shapes = drawn("sad", 1.0, seed, "sad-corners").shapes
        differences.append(abs(shapes["mouthFrown_L"] / shapes["mouthFrown_R"] - 1))
    assert 0.02 < np.median(differences) < 0.15 and max(differences) < 0.36


def test_fear_draws_the_brows_together_and_surprise_does_not(head_model):
    def brows(emotion: str, seed: int) -> tuple[float, float]:
        """Rise of the inner less that of the outer ends, and change of their distance, in cm."""
        offsets = head_model.expression(drawn(emotion, 1.0, seed).shapes)[LANDMARKS]
        inner, outer = offsets[[20, 21, 22, 23]], offsets[[17, 18, 25, 26]]
        return float(inner[:, 1].mean() - outer[:, 1].mean()), float(offsets[23, 0] - offsets[20, 0])

    for seed in range(40):
        slant, together = brows("fear", seed)
        assert slant > 0.15 and together < -0.1
        assert brows("surprise", seed)[1] > 0
        assert "AU4" in drawn("fear", 1.0, seed).action_units
        assert "AU4" not in drawn("surprise", 1.0, seed).action_units


def test_sad_brows_rise_and_angry_ones_fall_at_the_inner_ends(head_model):
    inner = LANDMARKS[[21, 22]]
    for seed in range(40):
        assert head_model.expression(drawn("sad", 1.0, seed).shapes)[inner, 1].min() > 0.15
        assert head_model.expression(drawn("anger", 1.0, seed).shapes)[inner, 1].max() < -0.3


def test_exaggeration_stays_within_limits(head_model):
    table = load_table()
    for emotion, recipe in EMOTIONAL:
        expression = drawn(emotion, 1.0, unspoken(emotion, recipe, 1)[0], recipe)
        larger = exaggerate(expression.shapes, 1.25)
        assert exaggerate(expression.shapes, 1.0) == pytest.approx(expression.shapes, abs=2e-5)
        assert np.linalg.norm(head_model.expression(larger)) > np.linalg.norm(head_model.expression(expression.shapes))
        for shape, weight in larger.items():
            assert weight == pytest.approx(table.limit(shape, weight), abs=1e-4)
        assert larger.get("jawOpen") == expression.shapes.get("jawOpen")


def test_wide_eyes_do_not_close(head_model):
    for emotion in ("fear", "surprise"):
        for seed in range(200):
            assert "AU43" not in drawn(emotion, 1.0, seed).action_units


def test_lids_never_close_further_than_each_other(head_model):
    upper, lower = LANDMARKS[[43, 44, 37, 38]], LANDMARKS[[47, 46, 41, 40]]
    closed = 0  # lids overlap a little at some of their points when others meet
    for emotion in EMOTIONS:
        for seed in range(150):
            posed = head_model.vertices + head_model.expression(drawn(emotion, 1.0, seed).shapes)
            opening = posed[upper, 1] - posed[lower, 1]
            closed += opening.min() < 0.15
            assert opening.min() > -0.15, (emotion, seed)
    assert closed > 0  # laughs and blinks


def test_closed_lips_meet_although_the_jaw_drops(head_model):
    found = 0
    for seed in range(60):
        expression = drawn("surprise", 1.0, seed, "surprise-closed")
        if expression.shapes.get("jawOpen", 0) > 0.05 and not expression.speech:
            found += 1
            assert abs(lips(head_model, expression)) < 0.12
    assert found > 5


def test_mouthclose_never_exceeds_the_jaw():
    for emotion in EMOTIONS:
        for seed in range(200):
            shapes = drawn(emotion, 1.0, seed).shapes
            assert shapes.get("mouthClose", 0) <= shapes.get("jawOpen", 0)


def test_closed_and_open_smiles(head_model):
    for seed in unspoken("happy", "happy-closed"):
        assert lips(head_model, drawn("happy", 1.0, seed, "happy-closed")) < 0.2
    for seed in unspoken("happy", "happy-laugh"):
        assert lips(head_model, drawn("happy", 1.0, seed, "happy-laugh")) > 1


def test_label_needs_strength_except_for_neutral():
    below, at = LABEL_STRENGTH - 0.01, LABEL_STRENGTH
    for index, emotion in enumerate(EMOTIONS):
        assert drawn(emotion, at, 0).label == index
        assert drawn(emotion, below, 0).label == (index if emotion == "neutral" else -1)


def test_neutral_faces_vary_below_any_emotion(head_model):
    table = load_table()
    moved = []
    for seed in range(200):
        expression = drawn("neutral", 1.0, seed)
        for unit, value in expression.action_units.items():
            fixed = max(recipe.units.get(unit, 0) for recipe in table.of_emotion("neutral"))
            if unit != "AU43":
                assert value <= table.traces.get(unit, 0) + 1.25 * (fixed + 0.15 * (unit == "AU26")) + 1e-4
        moved.append(str(expression.shapes))
    assert len(set(moved)) == 200


def test_speech_is_added_without_destroying_the_emotion():
    spoken = [drawn("happy", 1.0, seed) for seed in range(300)]
    spoken = [expression for expression in spoken if expression.speech]
    assert 20 < len(spoken) < 80
    assert {expression.speech for expression in spoken} == set(load_table().visemes)
    for expression in spoken:
        assert min(expression.shapes["mouthSmile_L"], expression.shapes["mouthSmile_R"]) > 0.35
        assert expression.shapes.get("mouthPucker", 0) < 0.4
    assert not any(drawn("anger", 1.0, seed, "anger-pressed").speech for seed in range(100))


def test_eyes_are_cast_down_where_the_recipe_says_so(head_model):
    down = [drawn("sad", 1.0, seed, "sad-downcast") for seed in unspoken("sad", "sad-downcast", 20)]
    assert np.mean([expression.gaze[1] for expression in down]) < -14
    assert all(expression.shapes["eyeLookDown_L"] == expression.shapes["eyeLookDown_R"] > 0.3 for expression in down)


def test_lids_follow_the_gaze_to_both_sides():
    for seed in range(50):
        expression = drawn("neutral", 1.0, seed)
        toward, away = ("Out", "In") if expression.gaze[0] > 0 else ("In", "Out")
        assert expression.shapes[f"eyeLook{toward}_L"] > 0 and f"eyeLook{away}_L" not in expression.shapes
        assert expression.shapes[f"eyeLook{away}_R"] > 0


def test_unknown_names_and_strengths_are_refused():
    random = np.random.default_rng(0)
    with pytest.raises(DatasetError, match="unknown emotion 'contempt'"):
        sample_expression("contempt", 1.0, random)
    with pytest.raises(DatasetError, match="no recipe 'smirk' of happy: one of happy-closed"):
        sample_expression("happy", 1.0, random, "smirk")
    with pytest.raises(DatasetError, match="no recipe 'sad-chin' of happy"):
        sample_expression("happy", 1.0, random, "sad-chin")
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"outside 0\.\.1"):
            sample_expression("happy", strength, random)


def test_units_at_rest_translate_to_nothing():
    table = load_table()
    assert table.translate({"AU12": 0.0}, {}) == {}
    with pytest.raises(DatasetError, match="unknown action unit 'AU99'"):
        table.translate({"AU99": 1.0}, {})


def test_combined_units_do_not_add_up():
    table = load_table()
    alone = table.translate({"AU4": 1.0}, {})
    both = table.translate({"AU1": 1.0, "AU4": 1.0}, {})
    assert alone["browInnerUp_L"] < 0 < both["browInnerUp_L"]
    assert both["browDown_L"] < alone["browDown_L"]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("browInnerUp = 1.5 }", "browUp = 1.5 }", "unit AU1: unknown browUp"),
        ("browInnerUp = 1.5 }", "browInnerUp = 9 }", "unit AU1, browInnerUp: 9 is not a number from -2 to 2"),
        ("browInnerUp = 1.5 }", 'browInnerUp = "much" }', "unit AU1, browInnerUp: 'much' is not a number"),
        ("units = { AU12 = 0.85, AU6 = 0.3 }", "units = { AU99 = 0.85 }", "recipe 'happy-closed': unknown AU99"),
        ("units = { AU12 = 0.85, AU6 = 0.3 }", "units = { AU12 = 1.5 }", "recipe 'happy-closed', AU12: 1.5 is not"),
        ("optional = { AU14 = [0.2, 0.25]", "optional = { AU14 = 0.2", "optional AU14: 0.2 is not a pair"),
        ('emotion = "disgust"', 'emotion = "contempt"', "unknown emotion 'contempt'"),
        ('name = "sad-chin"', 'name = "sad-corners"', "two recipes are named 'sad-corners'"),
        ("lids = false", "lids = 0", "lids is true or false, not 0"),
        ("lids = false", "lashes = false", "unknown lashes"),
        ('units = ["AU1", "AU4"]', 'units = ["AU1"]', "is not a pair of units"),
        ("eyeWide = [0.0, 1.3]", "eyeWide = [0.5, 1.3]", "limits of eyeWide: .* must enclose 0"),
        ("[traces]\nAU1", "[traces]\nAU0", "traces: unknown AU0"),
        ("[visemes]\na = { jawOpen", "[visemes]\na = { jaw", "viseme a: unknown jaw"),
        ("[limits]", "[bounds]", "unknown bounds"),
        ("[limits]", "[limits", "is not a table of expressions"),
    ],
)
def test_invalid_tables_give_clear_errors(tmp_path, before, after, message):
    content = TABLE.read_text(encoding="utf-8")
    assert before in content
    path = tmp_path / "facs.toml"
    path.write_text(content.replace(before, after), encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        load_table(path)


def test_missing_tables_and_emotions_are_named(tmp_path):
    with pytest.raises(DatasetError, match="is not a table of expressions"):
        load_table(tmp_path / "none.toml")
    empty = tmp_path / "empty.toml"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match="has no recipe for anger, disgust"):
        load_table(empty)


def test_tables_in_markdown_name_every_unit_and_recipe():
    table = load_table()
    units, recipes = units_markdown(table).splitlines(), recipes_markdown(table).splitlines()
    assert len(units) == 2 + len(table.units) + len(table.combinations)
    assert "| AU5 | upper lid raiser | eyeWide 1.2 |" in units
    assert len(recipes) == 2 + len(EMOTIONS)
    happy = next(line for line in recipes if line.startswith("| happy |"))
    assert all(recipe.name.removeprefix("happy-") in happy for recipe in table.of_emotion("happy"))
    assert "laugh 6+12+25+27+(1)+(2)+(7)+(43)" in happy


def test_a_table_of_ones_own_is_used(tmp_path):
    path = tmp_path / "facs.toml"
    path.write_text(TABLE.read_text(encoding="utf-8").replace('"happy-', '"glad-'), encoding="utf-8")
    table = load_table(path)
    assert sample_expression("happy", 1.0, np.random.default_rng(0), table=table).recipe.startswith("glad-")
    assert expressions.load_table().recipes.keys() != table.recipes.keys()
