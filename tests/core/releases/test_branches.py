"""Versions of release branches: read, compared, and the newest branch found."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.releases.branches import parse_version, release_branches
from gitops.errors import UsageError

RISING = [
    "1",
    "1.0.1-alpha",
    "1.0.1-alpha.1",
    "1.0.1-alpha.beta",
    "1.0.1-beta.2",
    "1.0.1-beta.11",
    "1.0.1-rc.1",
    "1.0.1",
    "1.2",
    "v1.4-rc.1",
    "1.4",
    "1.4.1",
    "1.9.9",
    "1.10.0",
    "2.0-0",
    "2.0",
    "2026.2",
    "2026.11",
]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(RISING)))
def test_order(older: str, newer: str) -> None:
    """Numbers compare as numbers, and a pre-release comes before its release."""
    assert parse_version(older) < parse_version(newer)
    assert not parse_version(newer) < parse_version(older)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.4", "1.4.0"),
        ("v1.4", "1.4"),
        ("1.4+a", "1.4+b"),
        ("01.4", "1.4"),
        ("1-rc.01", "1-rc.1"),
        ("0", "0.0"),
    ],
)
def test_the_same_version(one: str, other: str) -> None:
    """Two ways to write one version are equal, and hash alike."""
    assert parse_version(one) == parse_version(other)
    assert hash(parse_version(one)) == hash(parse_version(other))


@pytest.mark.parametrize(
    "text",
    ["", "next", "1.", ".1", "1..2", "1.x", "1.4-", "1.4-rc..1", "1 4", "1/4", "vv1", "v", "١.٤"],
)
def test_what_is_no_version(text: str) -> None:
    """It says so, and shows how versions look."""
    with pytest.raises(UsageError) as error:
        parse_version(text)

    assert "version" in error.value.message
    assert error.value.hint is not None
    assert "1.10.0" in error.value.hint


@pytest.mark.parametrize("text", ["1.4\n", "-1", "1.4+", "1" * 101, "1" * 5000])
def test_what_no_branch_should_be_called(text: str) -> None:
    """Signs and lengths that would harm a branch's name are refused alike."""
    with pytest.raises(UsageError, match="version"):
        parse_version(text)


def test_a_version_shows_as_it_was_written() -> None:
    """A message and a branch name hold the version that people wrote."""
    assert str(parse_version("v1.4.0-rc.01")) == "v1.4.0-rc.01"


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.integers(0, 3))
def test_zeros_at_the_end_say_nothing(numbers: list[int], zeros: int) -> None:
    """Any version is equal to itself with more zeros."""
    text = ".".join(map(str, numbers))

    assert parse_version(text) == parse_version(text + ".0" * zeros)


@given(st.permutations(RISING))
def test_any_order_sorts_alike(shuffled: list[str]) -> None:
    """Comparing is a total order."""
    assert [str(version) for version in sorted(map(parse_version, shuffled))] == RISING


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ([], None),
        (["main", "feature/9.9"], None),
        (["release/1.9", "release/1.10"], "release/1.10"),
        (["release/1.5.0-rc.1", "release/1.5.0"], "release/1.5.0"),
        (["release/next", "release/1.4"], "release/1.4"),
        (["release/1.4", "release/1.4.0"], "release/1.4.0"),
        (["release/1.4/hot"], None),
    ],
)
def test_the_newest_branch(branches: list[str], expected: str | None) -> None:
    """Of the accepted branches the one with the newest version, in whatever order they come."""
    for order in (branches, branches[::-1]):
        found = release_branches(order, ("release/{version}",))

        assert expected == (found[-1].branch if found else None)


def test_branches_without_a_version_are_left_out() -> None:
    """What cannot be compared is neither older nor newer than anything."""
    found = release_branches(
        ["release/next", "hotfix/a", "release/1.4", "main"], ("release/{version}", "hotfix/*")
    )

    assert [entry.branch for entry in found] == ["release/1.4"]
