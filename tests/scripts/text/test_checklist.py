"""Behavior tests of the text model: the cases, how they are judged, and the published pass rates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emotions.runtime.manifest import ModelRegistry
from emotions.text.classifier import TextClassifier
from scripts.text.checklist import Case, pass_rates, passes, read_cases, run


def test_cases_are_500_different_ones():
    cases = read_cases()
    assert len(cases) == len(set(cases)) >= 500
    assert all("{}" not in case.text + case.value for case in cases)
    assert {case.kind for case in cases} == {"expect", "avoid", "same", "up"}


def test_published_pass_rates_are_those_of_the_shipped_model():
    published = ModelRegistry().entry("text").metadata["behavior"]
    measured = pass_rates(run(TextClassifier(), read_cases()))
    assert measured.keys() == published.keys()
    for name, (passed, count) in measured.items():
        assert count == published[name][1] and abs(passed - published[name][0]) <= 2, name  # kernels round differently


def test_judgment():
    classifier = TextClassifier()
    happy, sad = classifier.predict_many(["I love it!", "I am so sad."])
    case = Case("words", "I love it!", "expect", "happy")
    assert passes(case, happy, None) and not passes(case, sad, None)
    assert not passes(replace(case, kind="avoid"), happy, None) and passes(replace(case, kind="avoid"), sad, None)
    same = Case("spelling", "I love it!", "same", "i love it")
    assert passes(same, happy, happy) and not passes(same, happy, sad)
    up = Case("intensifiers", "I love it!", "up", "happy", "I love it")
    assert passes(up, happy, sad) and not passes(up, sad, happy)


@pytest.mark.parametrize(
    "group", ['{ expect = "joy", templates = ["{}"], words = ["a"] }', '{ templates = ["{}"], words = ["a"] }']
)
def test_wrong_cases_are_refused(tmp_path, group):
    path = tmp_path / "cases.toml"
    path.write_text(f'[[capability]]\nname = "words"\ncases = [\n{group}\n]\n', encoding="utf-8")
    with pytest.raises(ValueError, match="expected one of"):
        read_cases(path)
