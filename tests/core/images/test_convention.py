"""What builds are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops.core.images.convention import read_tag, slug_of, tag_for
from gitops.core.images.manifest import Platform
from gitops.core.images.name import is_tag
from gitops.core.images.pinning import lacking, nearest_tags


@given(st.text(min_size=1, max_size=300))
def test_every_branch_has_a_tag_that_says_it(branch: str) -> None:
    """Whatever a branch is called: registries take it, and it is read back."""
    tag = tag_for(f"refs/heads/{branch}", "5f2c5f2ab")
    assert is_tag(tag)
    found = read_tag(tag)
    assert found is not None
    assert (found.slug, found.commit) == (slug_of(branch), "5f2c5f2")


def test_long_names_stay_two() -> None:
    """What is cut gets a mark."""
    one, other = ("feature/" + "x" * 200 + end for end in "ab")
    assert slug_of(one) != slug_of(other)


def test_the_nearest_tags() -> None:
    """Numbers count as numbers, words as words."""
    tags = ["1.4.0", "1.4.8", "11.4.9", "latest", "main-5f2c5f2"]
    assert nearest_tags("1.4.9", tags)[:2] == ("1.4.8", "1.4.0")
    assert nearest_tags("zzz", tags) == ()


def test_platforms_that_lack() -> None:
    """A variant counts where it is asked for."""
    there = [Platform("linux", "arm64", "v8"), Platform("linux", "arm", "v6")]
    assert lacking(["linux/arm64", "linux/arm64/v8"], there) == ()
    assert lacking(["linux/arm/v7", "linux/amd64"], there) == ("linux/arm/v7", "linux/amd64")
