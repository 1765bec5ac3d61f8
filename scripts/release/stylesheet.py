"""Reduce a style sheet to the rules that are used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import tinycss2
from tinycss2.ast import AtRule, LiteralToken, Node, QualifiedRule


def reduce(css: str, classes: Collection[str]) -> str:
    """Return a style sheet without the selectors that need another class, and without variables that no rule reads.

    Args:
        css: Style sheet.
        classes: Names of classes that are used. Selectors without a class are kept, those with an attribute other than `type`,
            `disabled`, `href` or `hidden` are not.
    """
    rules = tinycss2.parse_stylesheet(css, skip_whitespace=True)
    comments = [rule.serialize() for rule in rules if rule.type == "comment"][:1]  # the licence
    kept = "".join(_kept(rules, classes))
    while (fewer := _without_unread_variables(kept)) != kept:
        kept = fewer
    return "".join(f"{line}\n" for line in (*comments, kept))


def _kept(rules: list[Node], classes: Collection[str]) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            selectors = [selector for selector in _selectors(rule.prelude) if _is_used(selector, classes)]
            if selectors:
                yield f"{','.join(selectors)}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif isinstance(rule, AtRule) and rule.content is not None and rule.lower_at_keyword in ("media", "supports"):
            inner = "".join(_kept(tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True), classes))
            if inner:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}"


def _selectors(prelude: list[Node]) -> Iterator[str]:
    """Split the selectors of a rule at the commas that stand in no parenthesis."""
    start = 0
    for index, token in enumerate([*prelude, LiteralToken(0, 0, ",")]):
        if token == ",":
            yield tinycss2.serialize(prelude[start:index]).strip()
            start = index + 1


def _is_used(selector: str, classes: Collection[str]) -> bool:
    attributes = set(re.findall(r"\[\s*([\w-]+)", selector))
    return set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", selector)) <= set(classes) and attributes <= {
        "type", "disabled", "href", "hidden",
    }  # fmt: skip


def _without_unread_variables(css: str) -> str:
    read = set(re.findall(r"var\(\s*(--[\w-]+)", css))
    css = re.sub(r"(--[\w-]+):[^;{}]*(?:;|(?=\}))", lambda found: found[0] if found[1] in read else "", css)
    return re.sub(r"[^{}]+\{\}", "", css)
