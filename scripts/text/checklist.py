"""Behavior tests of the text model, in the manner of CheckList (Ribeiro et al., ACL 2020).

    python -m scripts.text.checklist               # pass rate of each capability, and the cases that fail

`evaluate` puts the pass rates into the manifest and the card. The cases are in checklist.toml.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emotions.labels import EMOTIONS
from emotions.runtime.manifest import BUNDLED, ModelRegistry
from emotions.text.classifier import TextClassifier
from emotions.text.results import TextResult

CASES = Path(__file__).with_suffix(".toml")
MAX_DROP = 0.05
"""Drop of a probability that counts as none in tests of direction."""


@dataclass(frozen=True)
class Case:
    """A text with what is expected of its prediction.

    Attributes:
        capability: Name of the capability.
        text: The text.
        kind: `expect`, `avoid`, `same` or `up`.
        value: The emotion that is expected, avoided or must not become less probable; the unchanged text for `same`.
        base: The unchanged text for `up`.
    """

    capability: str
    text: str
    kind: str
    value: str
    base: str = ""


def read_cases(path: Path = CASES) -> list[Case]:
    """Read the cases of a TOML file. Raises ValueError for a case without exactly one kind, or of an unknown emotion."""
    return list(_cases(tomllib.loads(path.read_text(encoding="utf-8"))))


def _cases(content: dict) -> Iterator[Case]:
    for capability in content["capability"]:
        for group in capability["cases"]:
            kinds = [kind for kind in ("expect", "avoid", "same", "up") if kind in group]
            if len(kinds) != 1 or (kinds[0] != "same" and group[kinds[0]] not in EMOTIONS):
                raise ValueError(f"{capability['name']}: expected one of expect, avoid, same and up, with an emotion: {group}")
            for template in group["templates"]:
                for word in group["words"]:
                    value = group[kinds[0]].replace("{}", word)
                    yield Case(capability["name"], template.replace("{}", word), kinds[0], value, group.get("base", ""))


def passes(case: Case, result: TextResult, base: TextResult | None) -> bool:
    """Return True if a prediction is as the case demands.

    Args:
        case: The case.
        result: Prediction of its text.
        base: Prediction of the unchanged text, for `same` and `up`.
    """
    if case.kind == "expect":
        return result.emotion == case.value
    if case.kind == "avoid":
        return result.emotion != case.value
    assert base is not None
    if case.kind == "same":
        return result.emotion == base.emotion
    index = EMOTIONS.index(case.value)
    return result.whole.probabilities[index] >= base.whole.probabilities[index] - MAX_DROP


def run(classifier: TextClassifier, cases: list[Case]) -> dict[Case, bool]:
    """Return whether each case passes."""
    unchanged = sorted({base for case in cases if (base := case.value if case.kind == "same" else case.base)})
    bases = dict(zip(unchanged, classifier.predict_many(unchanged), strict=True))
    results = classifier.predict_many([case.text for case in cases])
    return {
        case: passes(case, result, bases.get(case.value if case.kind == "same" else case.base))
        for case, result in zip(cases, results, strict=True)
    }


def pass_rates(passed: dict[Case, bool]) -> dict[str, tuple[int, int]]:
    """Return the numbers of cases that pass and of all, by capability, and under `all`."""
    rates: dict[str, tuple[int, int]] = {}
    for case, right in passed.items():
        for name in (case.capability, "all"):
            good, count = rates.get(name, (0, 0))
            rates[name] = good + right, count + 1
    return {name: rates[name] for name in [*(name for name in rates if name != "all"), "all"]}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=BUNDLED)
    options = parser.parse_args(arguments)
    classifier = TextClassifier(ModelRegistry(options.models))
    passed = run(classifier, read_cases())
    for case, right in passed.items():
        if not right:
            result = classifier.predict(case.text)
            found = f"{result.emotion} {max(result.whole.probabilities):.2f}"
            print(f"{case.capability}: {case.text!r}: {case.kind} {case.value!r}, but {found}")
    for name, (good, count) in pass_rates(passed).items():
        print(f"{name}: {good} of {count} ({good / count:.0%})")


if __name__ == "__main__":
    main()
