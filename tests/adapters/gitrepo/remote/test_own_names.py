"""Which branches of our own there are: one listing serves many questions, also when asked again."""

from __future__ import annotations

from collections.abc import Mapping

from gitops.adapters.gitrepo.remote.own_branches import OwnBranches


def test_a_call_that_is_planned_again_lists_once_more() -> None:
    """Not a fetch for each of a thousand overlays."""
    names, listings = OwnBranches(), []

    def refs(pattern: str) -> Mapping[str, str]:
        listings.append(pattern)
        return {"refs/heads/gitops/a7/prod": "c" * 40}

    for tries in (1, 2):
        found = [names.find(f"gitops/a{number}/prod", refs) for number in range(1000)]
        assert (2, tries) == (found.count(None), len(listings))
        assert "c" * 40 == found[7]
