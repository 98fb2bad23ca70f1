"""Which branches a pattern accepts, and how long that may take."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.environments.branch_patterns import BranchMatch, match_branch

_WORDS = {"**": ".+", "*": "[^/]+", "{version}": "(?P<version>[^/]+)"}


@pytest.mark.parametrize(
    ("pattern", "branch", "version"),
    [
        ("release/{version}", "release/1.4", "1.4"),
        ("release/*/{version}-*-*", "release/a/1-2-3-4", "1-2"),
        ("**/{version}/*/*", "a/b/c/d/e", "c"),
    ],
)
def test_versions(pattern: str, branch: str, version: str) -> None:
    """Each word takes as much as it can, from the left."""
    assert BranchMatch(pattern, version) == match_branch((pattern,), branch)


@given(
    parts=st.lists(st.sampled_from(["a", "/", "-", "*", "{version}"]), min_size=1, max_size=8),
    branch=st.text("a-/b", max_size=9),
)
def test_as_a_regular_expression_would(parts: list[str], branch: str) -> None:
    """The same branches, and the same version."""
    pattern = "".join(parts).replace("{version}", "*", max(parts.count("{version}") - 1, 0))
    split = re.split(r"(\*\*|\*|\{version\})", pattern)
    wanted = re.fullmatch("".join(_WORDS.get(one) or re.escape(one) for one in split), branch)
    found = match_branch((pattern,), branch)
    assert (wanted is None) == (found is None)
    if wanted is not None and found is not None:
        assert wanted.groupdict().get("version") == found.version


def test_no_name_of_a_branch_takes_long() -> None:
    """Whoever may push to a source repository chooses it, and one writer is there for all."""
    begun = time.process_time()
    assert match_branch(("release/*-*-*-*-*-*x",), "release/" + "-" * 240) is None
    assert time.process_time() - begun < 1
