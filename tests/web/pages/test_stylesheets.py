"""Classes of the pages are those of the style sheets."""

from __future__ import annotations

import re

from scripts.release.stylesheet import reduce
from web.app import ROOT

HOOKS = {"head-pose", "per-emotion", "pitch", "text-result"}
"""Classes without a rule of their own, by which tests and scripts find elements."""


def classes_of_pages() -> set[str]:
    """Return the classes that templates and scripts write; of `heat-{{ n }}` the part before the number."""
    found: set[str] = set()
    for path in (ROOT / "templates").glob("*.html"):
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found.update(*(names.split() for names in re.findall(r'class="([^"]*)"', text)))
    for path in (ROOT / "static/js").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        found.update(*(names.split() for names in re.findall(r'(?:className = |class=)"([^"$]*)"', text)))
    return {name for name in found if not name.endswith("-")}


def test_every_class_has_a_rule():
    """A class of Bootstrap that is not in BOOTSTRAP_CLASSES of scripts/release/vendor.py has none: its rules were left out."""
    sheets = [*(ROOT / "static/css").glob("*.css"), *(ROOT / "static/vendor").glob("*/*.css")]
    rules = " ".join(path.read_text(encoding="utf-8") for path in sheets)
    assert classes_of_pages() - set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", rules)) <= HOOKS


def test_reduction_keeps_what_is_used():
    sheet = """@charset "UTF-8";/*! Licence */:root{--used:1px;--inner:var(--deep);--deep:2px;--unused:3px}
        .btn,.alert{border:var(--used)}.alert .btn{color:red}.btn:not(.alert){color:blue}p{margin:var(--inner)}
        [data-theme=dark] .btn{color:black}input[type=file]{width:1px}
        @media (min-width:9px){.btn{top:0}.alert{top:1px}}@media print{.alert{top:2px}}@keyframes turn{to{top:0}}"""
    reduced = reduce(sheet, ["btn"])
    assert reduced.startswith("/*! Licence */\n")
    for kept in (
        "--used:1px",
        "--deep:2px",
        ".btn{border:var(--used)}",
        "p{margin",
        "input[type=file]",
        "(min-width:9px){.btn{top:0}}",
    ):
        assert kept in reduced, kept
    for dropped in ("alert", "--unused", "dark", "print", "turn"):
        assert dropped not in reduced, dropped
    assert reduce(reduced, ["btn"]) == reduced
