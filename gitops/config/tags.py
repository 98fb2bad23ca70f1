"""`images[].tags` of `gitops.yaml`: which tags are builds of which branch; rules and values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from gitops.config.patterns import BRANCH
from gitops.config.shapes import Key, ListOf, Problems, Shape, Table, Text, Value, shown
from gitops.core.environments.tag_rules import (
    TagOrder,
    TagRow,
    TagRule,
    wrong_match,
    wrong_order,
)

_MATCH = r"[A-Za-z0-9._{}*-]{1,128}"
_BRANCH = r"(?!refs/)[^\s~^:?*\[\]\\\u0000-\u0020\u007f]{1,200}"
_VERSION = "{version}"


def tags_shape() -> Shape:
    """Return the shape of the list."""
    return ListOf(
        Table(
            {
                "match": Key(
                    Text(_MATCH, _explain_match),
                    "The tags: * stands for any text, {number} for digits (of a build, or a time), "
                    "{version} for numbers with dots, {commit} for the source commit.",
                    required=True,
                ),
                "branch": Key(
                    Text(_BRANCH, _explain_branch),
                    "The source branch that they are built from; {version} is what stands in the "
                    "tag.",
                    required=True,
                ),
            }
        ),
        least=1,
    )


def check_tags(rows: Sequence[Value], problems: Problems) -> None:
    """Add what is wrong with patterns, branches and orders of images that have `tags`."""
    for row in rows:
        _check_keys(row, problems)
        order, branches = row.get("order", "created"), dict[str, Value]()
        for one in row.list("tags"):
            match, branch = one.keys.get("match"), one.keys.get("branch")
            if match is None or branch is None:
                continue
            wrong = wrong_match(match.text)
            if wrong is not None:
                problems.add(match.place, match.path, f"{shown(match.text)}: {wrong}")
                continue
            if _VERSION in branch.text and _VERSION not in match.text:
                what = "{version} is what stands in the tag, and `match` has none"
                problems.add(branch.place, branch.path, what)
            if re.fullmatch(BRANCH.pattern, branch.text.replace(_VERSION, "1.0")) is None:
                problems.add(branch.place, branch.path, _explain_branch(branch.text))
            if order != "version":
                continue
            wrong = wrong_order(TagRow(match.text, branch.text))
            if wrong is not None:
                problems.add(match.place, match.path, f"{shown(match.text)} {wrong}")
            first = branches.setdefault(branch.text, one)
            if first is not one:
                what = f"numbers of two rows do not compare: {branch.text} has one on line "
                problems.add(branch.place, branch.path, f"{what}{first.place[0]}")


def _check_keys(row: Value, problems: Problems) -> None:
    """A rule without a switch, or a switch without a rule, would be passed over in silence."""
    has_tags = "tags" in row.keys or problems.has(f"{row.path}.tags")
    if row.get("on") == "push" and not has_tags:
        on = row.keys["on"]
        problems.add(on.place, on.path, "push needs `tags`: which are builds of which branch")
    if "on" not in row.keys and row.list("tags") and not problems.has(f"{row.path}.on"):
        tags = row.keys["tags"]
        what = "says which tags there are, and nothing whether they are deployed: `on: push`, or "
        problems.add(tags.place, tags.path, f"{what}`on: never`")
    if "order" in row.keys and not has_tags:
        order = row.keys["order"]
        problems.add(order.place, order.path, "is about `tags`, and there are none")


def make_tag_rules(rows: Sequence[Value]) -> dict[str, TagRule]:
    """Return image -> its rule, of a file without problems."""
    return {
        row.get("name"): TagRule(
            tuple(TagRow(one.get("match"), one.get("branch")) for one in row.list("tags")),
            cast(TagOrder, row.get("order", "created")),
            row.get("on", "never") == "push",
        )
        for row in rows
        if row.list("tags")
    }


def _explain_match(text: str) -> str:
    return f"{shown(text)} is no pattern of tags, like main-* or release-{{version}}-{{number}}"


def _explain_branch(text: str) -> str:
    if text.startswith("refs/"):
        return f"write the short name, {shown(text.removeprefix('refs/heads/'))}"
    return f"{shown(text)} is no source branch, like main or release/{{version}}"
