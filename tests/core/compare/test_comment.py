"""The comment of a pull request: what stands in it, what must not, and how long it gets."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gitops.core.audit.affected import AffectedPath
from gitops.core.compare.comment import LONGEST, MARK, render_comment
from gitops.core.compare.comparison import (
    Comparison,
    EnvironmentDifference,
    ImageDifference,
    PolicyResult,
    Rendering,
    image_differences,
)
from gitops.core.compare.manifest_diff import ObjectDiff
from gitops.core.kustomization.image import ImageValue

OLD, NEW = ImageValue(tag="1"), ImageValue(tag="2")
PROD = EnvironmentDifference(
    label="prod",
    status="changed",
    protected=True,
    path="overlays/prod/kustomization.yaml",
    images=(ImageDifference("shop/api", OLD, NEW),),
    files=(AffectedPath("base/a.yaml", "prod is built from it"),),
    judged=True,
)
WHOLE = Comparison("b" * 40, "a" * 40, "t" * 40, "kustomize", (PROD,))


def rendered(*objects: ObjectDiff, **more: object) -> Comparison:
    """A comparison in which prod builds other objects."""
    rendering = Rendering("changed", objects, **more)  # type: ignore[arg-type]
    return replace(WHOLE, environments=(replace(PROD, rendering=rendering),))


def test_all_of_it() -> None:
    """The mark, the commits, the images, policy, files and problems."""
    text = render_comment(WHOLE, [("error", "gitops.yaml:3", "is wrong")])

    assert [MARK, "", "**gitops:** `ttttttt` against `aaaaaaa` changes `prod` (protected)."] == (
        text.splitlines()[:3]
    )
    assert "| `prod` | `shop/api` | `1` | `2` |" in text
    assert "Policy lets these images into `prod`." in text
    assert "| `base/a.yaml` | `prod` |" in text
    assert "**1 problem:**\n\n- error: `gitops.yaml:3` `is wrong`" in text


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ((PolicyResult("held"),), "**Policy keeps them out of `prod`:**\n\n- `held`"),
        ((PolicyResult("held", True),), "was overridden for `prod`:**\n\n- `held` (overridden)"),
    ],
)
def test_policy(policy: tuple[PolicyResult, ...], words: str) -> None:
    """Reasons are told, and which of them were overridden."""
    text = render_comment(replace(WHOLE, environments=(replace(PROD, policy=policy),)), [])

    assert words in text


@pytest.mark.parametrize(
    ("rendering", "words"),
    [
        (Rendering("same"), "`prod` builds the same manifests as before."),
        (Rendering("failed", problem="no x"), "`prod` does not build: `no x`"),
        (Rendering("skipped", problem="a URL"), "`prod` was not rendered: `a URL`"),
    ],
)
def test_builds_without_a_difference(rendering: Rendering, words: str) -> None:
    """What there is no difference of is said in a line."""
    text = render_comment(replace(WHOLE, environments=(replace(PROD, rendering=rendering),)), [])

    assert words in text


def test_difference_is_a_block_of_its_own() -> None:
    """The indent of lines stays, and no fence in them ends the block."""
    lines = ("@@ -1 +1 @@", "+  a: ````", "   b: 1")
    text = render_comment(rendered(ObjectDiff("ConfigMap x", "changed", lines, cut=3)), [])

    assert "`````diff\nchanged ConfigMap x\n@@ -1 +1 @@\n+  a: ````\n   b: 1\n`````" in text
    assert "3 lines more not shown" in text
    assert "1 object of <code>prod</code> as built" in text


def test_words_of_others() -> None:
    """Names from files are code, in a table and in HTML, and never HTML themselves."""
    evil = replace(PROD, label="<b>@x", images=(ImageDifference("a|b`c", None, NEW),))
    rendering = Rendering("changed", (ObjectDiff("x", "added", ("+a",)),))
    text = render_comment(
        replace(WHOLE, environments=(replace(evil, rendering=rendering),), warnings=("@all",)), []
    )

    assert "<code>&lt;b&gt;@x</code>" in text
    assert "| `<b>@x` | ``a¦b`c`` | - | `2` |" in text
    assert "- `@all`" in text


@pytest.mark.parametrize("count", [1, 30])
def test_length(count: int) -> None:
    """It stays below what forges take, however many environments there are."""
    lines = tuple(f"+{'x' * 250}" for _ in range(500))
    one = replace(PROD, rendering=Rendering("changed", (ObjectDiff("C x", "changed", lines),)))
    environments = tuple(replace(one, label=f"e{number}") for number in range(count))
    text = render_comment(replace(WHOLE, environments=environments), [])

    assert len(text) <= LONGEST
    assert text.count("<details>") == text.count("</details>") >= 1


def test_crowd_of_images() -> None:
    """Hundreds of images in many environments are cut, and it is said by how many."""
    images = tuple(ImageDifference(f"i{number}", OLD, NEW) for number in range(300))
    policy = tuple(PolicyResult(f"reason {'x' * 300} {number}") for number in range(40))
    one = replace(PROD, images=images, policy=policy)
    environments = tuple(replace(one, label=f"e{number}") for number in range(40))
    text = render_comment(replace(WHOLE, environments=environments), [])

    assert "and 11900 images more" in text
    assert "The rest has no room in a comment." in text
    assert len(text) <= LONGEST


def test_image_differences() -> None:
    """Images that differ, came or went, in the order of the newer overlay."""
    found = image_differences(
        {"a": OLD, "gone": OLD, "same": OLD}, {"b": NEW, "a": NEW, "same": OLD}
    )

    assert [("b", None, NEW), ("a", OLD, NEW), ("gone", OLD, None)] == [
        (one.image, one.before, one.after) for one in found
    ]
