"""Which tags are builds of which branch, and patterns that nobody could read."""

from __future__ import annotations

import time

import pytest

from gitops.core.environments.tag_rules import (
    FittingTag,
    TagRow,
    TagRule,
    fit,
    wrong_match,
    wrong_order,
)

RULE = TagRule(
    (
        TagRow("main-{number}-{commit}", "main"),
        TagRow("main-*", "main"),
        TagRow("release-{version}-*", "release/{version}"),
        TagRow("v{version}.{number}", "release/{version}"),
        TagRow("edge", "main"),
    )
)


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("main-41-5f2c5f2", FittingTag("main-41-5f2c5f2", 0, "main", ((41,),), "5f2c5f2")),
        ("main-41", FittingTag("main-41", 1, "main")),
        (
            "main-1234567-1234567",
            FittingTag("main-1234567-1234567", 0, "main", ((1234567,),), "1234567"),
        ),
        ("release-1.4-rc.2", FittingTag("release-1.4-rc.2", 2, "release/1.4", ((1, 4),))),
        ("release-1.4.0-x", FittingTag("release-1.4.0-x", 2, "release/1.4.0", ((1, 4),))),
        ("v1.4.12", FittingTag("v1.4.12", 3, "release/1.4", ((1, 4), (12,)))),
        ("edge", FittingTag("edge", 4, "main")),
    ],
)
def test_the_first_row_that_fits_counts(tag: str, wanted: FittingTag) -> None:
    """It says the branch, the numbers in the tag, and the commit."""
    assert wanted == fit(RULE, tag)


@pytest.mark.parametrize("tag", ["Main-1", "release-x-1", "v1", "v1.4.x", "edge2", "", "main"])
def test_other_tags_fit_nothing(tag: str) -> None:
    """A pattern is of the whole tag."""
    assert fit(RULE, tag) is None


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("main-{build}", "unknown '{build}'"),
        ("main-{number", "unknown '{number'"),
        ("main*{number}", "side by side"),
        ("*.{version}.*.{number}.{commit}", "more than 4"),
        ("*a*b*", "stands more than that often"),
        ("{version}-{version}", "more than once"),
        ("a/b", "letters, digits"),
    ],
)
def test_patterns_that_nobody_can_read(match: str, why: str) -> None:
    """Each is refused with what is wrong."""
    assert why in (wrong_match(match) or "")


def test_numbers_must_tell_the_newest() -> None:
    """`order: version` needs something to go by; of one release branch {version} is none."""
    assert "neither" in (wrong_order(TagRow("main-*", "main")) or "")
    assert "needs {number}" in (wrong_order(TagRow("r-{version}-*", "release/{version}")) or "")
    for match, branch in (
        ("main-{number}-*", "main"),
        ("{version}.{number}", "release/{version}"),
        ("{version}-*", "main"),
        ("{version}", "release/{version}"),
    ):
        assert wrong_order(TagRow(match, branch)) is None


def test_no_tag_takes_long() -> None:
    """The worst pattern that is taken, against what a registry can name: milliseconds."""
    rule = TagRule((TagRow("*.{version}.*.{number}x", "main"),))
    assert wrong_match(rule.rows[0].match) is None
    begun = time.process_time()
    for _ in range(10):
        assert fit(rule, "1." * 63 + "1") is None
    assert time.process_time() - begun < 2
