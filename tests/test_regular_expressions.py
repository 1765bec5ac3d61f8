"""Regular expressions and text functions take linear time: measured on growing texts that repeat one or two pieces."""

from __future__ import annotations

import ast
import gc
import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import emotions
import web
from emotions.text.classifier import TextClassifier
from emotions.text.language import is_empty, is_english, letter_words
from emotions.text.tokenizer import chunk, sentence_spans

ROOT = Path(__file__).parents[1]
SMALL, LARGE = 500, 4000
MAX_GROWTH = 24.0
"""Time of a text 8 times as long, relative; linear is 8, quadratic 64."""
MAX_CHARACTERS = 10
"""Characters of a pattern from which texts are made."""
GENERAL = (" ", "\n", "a", "1")


def compiled() -> dict[str, re.Pattern]:
    """Patterns that are attributes of the modules of emotions and web, by name."""
    found = {}
    for package in (emotions, web):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                attributes = vars(importlib.import_module(module.name))
                found |= {f"{module.name}.{name}": value for name, value in attributes.items() if isinstance(value, re.Pattern)}
    return found


def written(folder: Path) -> dict[str, tuple[re.Pattern, str]]:
    """Patterns that are literals in calls such as re.sub("...", ...), by file and line, with the name of the function."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args):
                continue
            if isinstance(node.args[0], ast.Constant):
                names = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)} & re.RegexFlag.__members__.keys()
                pattern = re.compile(node.args[0].value, re.RegexFlag(sum(re.RegexFlag[name] for name in names)))
                found[f"{path.relative_to(ROOT)}:{node.lineno}"] = pattern, ast.unparse(node.func)
    return found


def pieces(pattern: re.Pattern) -> list[str]:
    """Characters and words of a pattern's source, and some general ones."""
    source = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    source = re.sub(r"\\[A-Za-z]|\(\?P[<=]\w+[>)]", "", source)
    words = re.findall(r"[A-Za-z]{2,}[:/.]*", source)[:4]
    characters = [one for one in dict.fromkeys(source) if one not in "\\"]
    return list(dict.fromkeys([*GENERAL, *words, *characters[:: len(characters) // MAX_CHARACTERS + 1]]))


def repetitions(of: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (start, repeated piece, end) of texts."""
    for first, second in itertools.product(of, ["", *of]):
        for end in ("", "\0"):
            yield "", first + second, end
    for start, repeated in itertools.product(of, of):
        yield start, repeated, "\0"


def seconds(call: Callable[[str], object], text: str, runs: int) -> float:
    """Shortest processor time of a call, without garbage collection, whose time depends on what other tests left."""
    found = []
    gc.disable()
    try:
        for _ in range(runs):
            start = time.thread_time()
            call(text)
            found.append(time.thread_time() - start)
    finally:
        gc.enable()
    return min(found)


def growth(call: Callable[[str], object], start: str, repeated: str, end: str, small: int, large: int) -> float:
    """Time of a text of `large` characters relative to one of `small`; measured again where it seems too much."""

    def text(size: int) -> str:
        return start + repeated * (size // len(repeated)) + end

    for size in (8, 12, 24):  # what is exponential would never end with a longer text
        if all(seconds(call, text(2 * size), runs) > MAX_GROWTH * seconds(call, text(size), runs) for runs in (3, 9)):
            return float("inf")
    for runs in (1, 3, 9):
        found = seconds(call, text(large), runs) / seconds(call, text(small), runs)
        if found <= MAX_GROWTH or (runs > 1 and found > 3 * MAX_GROWTH):
            break
    return found


def worst(pattern: re.Pattern, function: str = "re.finditer") -> tuple[float, tuple[str, str, str] | None]:
    """Largest growth that exceeds MAX_GROWTH, with its text; (0.0, None) where the pattern is linear."""
    calls = {"re.match": pattern.match, "re.fullmatch": pattern.fullmatch}
    call = calls.get(function, lambda text: sum(1 for _ in pattern.finditer(text)))
    if isinstance(pattern.pattern, bytes):
        of_bytes = call
        call = lambda text: of_bytes(text.encode("latin-1"))  # noqa: E731
    for text in repetitions(pieces(pattern)):
        if (found := growth(call, *text, SMALL, LARGE)) > MAX_GROWTH:
            return found, text
    return 0.0, None


COMPILED = compiled()
WRITTEN = written(ROOT / "emotions") | written(ROOT / "web")
READERS = written(ROOT / "scripts" / "data" / "readers") | written(ROOT / "scripts" / "batch")


def test_patterns_are_found():
    assert {"emotions.text.tokenizer.WORD", "emotions.runtime.gcs.ADDRESS", "web.http.logging.REQUEST_ID"} <= COMPILED.keys()
    assert len(WRITTEN) >= 15 and READERS
    sources = {pattern.pattern for pattern in COMPILED.values()}
    assert sources & {pattern.pattern for pattern, _ in WRITTEN.values()}


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.slow
def test_compiled_patterns_are_linear(name):
    assert worst(COMPILED[name]) == (0.0, None)


@pytest.mark.parametrize("place", sorted(place for place, (_, function) in WRITTEN.items() if function != "re.compile"))
def test_patterns_within_functions_are_linear(place):
    assert worst(*WRITTEN[place]) == (0.0, None)


@pytest.mark.parametrize("place", READERS)
def test_patterns_of_readers_are_linear(place):
    assert worst(READERS[place][0], "re.match") == (0.0, None)


@pytest.mark.parametrize("source", [r"(?<=[.!?])['\")]*\s+|\s*\n\s*", r"\[[^\]]*\]", r"(a+)+$", r"(?:a|a)*b", r"1+2"])
def test_other_patterns_are_found_out(source):
    assert worst(re.compile(source))[0] > MAX_GROWTH


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    return TextClassifier()


CLASSES = (" ", "\n", ".", '"', "'", "\u2019", "a", "Z", "1", "_", "-", ":", "\u0301", "\u0323", "\u00e9", "\u4f60", "\u200b",
           "\U0001f62d", "\ud800", "\ufb01", "\u0130", "http://", "www.", "[NAME]", "aaab", "Mr. ")  # fmt: skip
"""A character of each class that the tokenizer tells apart, and its special words."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "sentences", "empty", "english"])
def test_text_functions_are_linear(classifier, name):
    vocabulary, english = classifier.vocabulary, classifier._english_words

    def words(text: str) -> object:
        vocabulary._cache.clear()
        return list(chunk(vocabulary.words(text), 126))

    call = {
        "words": words,
        "sentences": lambda text: list(sentence_spans(text)),
        "empty": is_empty,
        "english": lambda text: is_english(letter_words(text), english),
    }[name]
    slow = [
        (first + second, found)
        for first, second in itertools.product(CLASSES, ["", *CLASSES[:: 1 if name != "words" else 3]])
        if (found := growth(call, "", first + second, "", 400, 3200)) > MAX_GROWTH
    ]
    assert slow == []
