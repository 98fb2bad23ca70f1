"""What a pull request and its comments say of a proposal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from gitops.core.environments.environment import Environment, Overlay
from gitops.core.git.commit import Identity
from gitops.core.git.message import ChangeLine, CommitMessage
from gitops.core.kustomization.image import ImageChange, ImageValue, parse_image
from gitops.core.ledger.verdicts import CountedVerdict, JudgedSet, LatestVerdicts
from gitops.core.policy.promotion import Upstream
from gitops.core.policy.reasons import Reason
from gitops.core.proposals.commands import asking, image_argument
from gitops.core.proposals.comments import render_closed, render_replaced, render_rolled_back
from gitops.core.proposals.pull_request import (
    ProposalImage,
    PullRequestText,
    Review,
    action_told,
    head_told,
    render_pull_request,
)
from gitops.core.releases.release import Release
from gitops.core.releases.selection import Choice

READER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
PROD = Overlay(Environment("prod", "overlays/prod"))
SHOP_PROD = Overlay(Environment("prod", "apps/{app}/overlays/prod"), "shop")
WHEN = datetime(2026, 3, 5, 14, 2, tzinfo=UTC)
HEAD, OLD, NEW, GOOD = "1" * 40, "a" * 40, "b" * 40, "9" * 40
API = ImageChange("shop/api", ImageValue(tag="1.4.1"), ImageValue(tag="1.5.0"))
WEB = ImageChange("shop/web", ImageValue(tag="2.0"), ImageValue(name="reg/web", tag="2.1"))
RELEASE = Release(GOOD, WHEN, Identity("Ana", "a@x"), "prod: shop/api 1.4.0 -> 1.4.1", None, {})
EVIL = "[x](https://evil.example) <img src=x> @ana closes #1 | `y` ```"


def rendered(one: Review) -> PullRequestText:
    """What the pull request of one overlay's proposal says."""
    return render_pull_request([one], "prod")


def message(action: str = "promote", **more: object) -> str:
    """Return the message of a proposal's head."""
    lines = [ChangeLine("prod", change) for change in (API, WEB)]
    made: dict[str, object] = {"reason": "the spring release", "source": ("release/1.5", NEW)}
    return CommitMessage(
        action=action, environments=["prod"], changes=lines, intent="77", **(made | more)
    ).render()


def review(**more: object) -> Review:
    """Return a promotion of two images, the API with its source, asked for by Mona."""
    passed = CountedVerdict("qa-passed", WHEN, "Ben", "all green", 0)
    images = {"shop/api": API.after, "shop/web": WEB.after}
    judged = JudgedSet(frozenset(images.items()), LatestVerdicts(quality=passed))
    made: dict[str, object] = {
        "overlay": PROD,
        "head": HEAD,
        "message": message(),
        "by": "Mona",
        "since": WHEN,
        "rows": (
            ProposalImage(
                API, f"release/1.5@sha1:{NEW}", OLD, "https://git.example.com/shop/api.git"
            ),
            ProposalImage(WEB),
        ),
        "befores": (Upstream("stage", images, images, (judged,)),),
        "way_back": Choice(RELEASE, stability="it was seen stable", passed_over=1),
    }
    return Review(**(made | more))  # type: ignore[arg-type]


def test_all_that_an_approver_wants_to_know() -> None:
    """Images, source, comparison, verdicts, way back, who asked, commands and trailers."""
    text = rendered(review(warnings=("web has no source",)))

    assert "prod: 2 images" == text.title
    assert (
        text.body
        == f"""\
**Promotion** for `prod`, asked for by `Mona` on 2026-03-05 14:02 UTC, at `1111111`.

Reason: `the spring release`

| image | old | new | source | changes |
| --- | --- | --- | --- | --- |
| `shop/api` | `1.4.1` | `1.5.0` | [`release/1.5@bbbbbbb`](<https://git.example.com/shop/api/commit/\
{NEW}>) | [`aaaaaaa...bbbbbbb`](<https://git.example.com/shop/api/compare/{OLD}...{NEW}>) |
| `shop/web` | `2.0` | `reg/web:2.1` | (none) | (none) |

**Before it goes in**

- `stage`: `qa-passed` by `Ben`, 2026-03-05 14:02 UTC: `all green`
- `stage`: nobody recorded its health
- policy has nothing against it

**Warnings**

- `web has no source`

**Way back**: `gitops rollback prod` would restore `9999999 (prod: shop/api 1.4.0 -> 1.4.1, \
2026-03-05)`: it was seen stable, passing over 1 that nobody judged.

To ask for the same, and to merge exactly this:

```sh
gitops promote --to prod --reason 'the spring release' shop/api shop/web
gitops approve prod --head {HEAD}
```

```
Gitops-Action: promote
Gitops-Environment: prod
Gitops-Id: 77
Source-Revision: release/1.5@sha1:{NEW}
Argocd-reference-commit-sha: {NEW}
```"""
    )


def test_what_stands_against_it_is_said() -> None:
    """A hold since then, a freeze, an override that it brings: each in its line."""
    told = review(
        reasons=(Reason("hold", "prod", "held by ana: INC-42"),),
        message=message(overrides=["INC-43 is worse (passed: prod: frozen by nights)"]),
        way_back=None,
    )
    body = rendered(told).body

    assert "- stands against it: `prod: held by ana: INC-42`" in body
    assert "nothing against it" not in body
    assert "**Passed over**\n\n- `INC-43 is worse (passed: prod: frozen by nights)`" in body
    assert "`gitops rollback prod` finds no earlier release to go back to." in body


def test_a_rollback_says_so() -> None:
    """What a rollback restores and its hold; no policy is asked of the way back."""
    text = message("rollback", restores=GOOD, rolled_back=OLD, source=None)
    told = review(
        message=text, befores=(), brings_hold=True, restored=(RELEASE, "it was seen stable")
    )
    body = rendered(told).body

    assert body.startswith("**Rollback** of `prod`, ")
    assert f"gitops rollback prod --to {GOOD} --reason 'the spring release'\n" in body
    assert "It restores `9999999 (prod: shop/api 1.4.0 -> 1.4.1, 2026-03-05)`: it was seen" in body
    assert "It brings a hold along: automation leaves `prod` alone until `gitops resume" in body
    assert "policy" not in body
    assert ("rollback", HEAD) == (action_told(body), head_told(body))


def test_words_about_some_images_name_them() -> None:
    """Where the environments before say different things of the images, each line says of which."""
    degraded = CountedVerdict("degraded", WHEN, "gitops wait", None, 1)
    judged = JudgedSet(frozenset({("shop/api", API.after)}), LatestVerdicts(health=degraded))
    told = review(
        befores=(Upstream("stage", {}, (), (judged,)), Upstream("eu", {}, (), problem="?"))
    )
    body = rendered(told).body

    assert "- `stage`: no word of QA\n" in body
    assert "- `stage`: `degraded` by `gitops wait`, 2026-03-05 14:02 UTC (`shop/api`)\n" in body
    assert "- `stage`: nobody recorded its health (`shop/web`)\n" in body
    assert "- `eu` cannot be asked: `?`\n" in body


TEXT = st.one_of(st.just(EVIL), st.text(st.sampled_from("ab`\\|<>[]()@#!*_~ \n-"), min_size=1))


@given(TEXT, TEXT, TEXT)
def test_nobody_slips_markdown_in(reason: str, person: str, image: str) -> None:
    """Names and reasons make no link, no HTML, no cell, no heading: the page keeps its shape."""
    change = ImageChange(image, API.before, API.after)
    plain = review(
        rows=(ProposalImage(API),),
        by="Mona",
        message=message(reason="why", overrides=["why"]),
        reasons=(),
    )
    told = replace(
        plain,
        by=person,
        rows=(ProposalImage(change),),
        message=message(reason=f"x{reason}", overrides=[f"x{reason}"]),
        warnings=(reason,),
        befores=(Upstream(person, {}, (), problem=reason),),
    )
    plain = replace(plain, warnings=("w",), befores=(Upstream("b", {}, (), (), "p"),))

    def shape(body: str) -> list[tuple[str, str]]:
        tokens = READER.parse(body)
        parts = [part for token in tokens for part in (token, *(token.children or ()))]
        return [
            (part.type, part.info) for part in parts if part.type not in ("text", "code_inline")
        ]

    assert shape(rendered(plain).body) == shape(rendered(told).body)
    assert head_told(rendered(told).body) == HEAD


@given(TEXT, TEXT)
def test_comments_keep_their_shape_too(reason: str, person: str) -> None:
    """The comments of a replaced, closed or rolled back proposal hold words of others as code."""
    texts = [
        render_closed(PROD, person, reason),
        render_rolled_back(PROD, person, restores=GOOD, commit=NEW, reason=reason),
        render_replaced(OLD, NEW, person, {reason: API.before}, {reason: API.after}),
    ]
    for text in texts:
        tokens = READER.parse(text)
        kinds = {part.type for token in tokens for part in token.children or ()}
        assert kinds <= {"text", "code_inline", "softbreak"}


def test_a_replaced_proposal_shows_what_differs() -> None:
    """The comment has the images that differ only, also one that came in."""
    was = {"shop/api": API.after, "shop/web": WEB.before}
    now = {"shop/api": ImageValue(tag="1.5.1"), "shop/web": WEB.before, "shop/db": API.before}
    text = render_replaced(OLD, NEW, "Ben", was, now)

    assert text.startswith("`Ben` replaced `aaaaaaa` by `bbbbbbb`. ")
    assert "| `shop/api` | `1.5.0` | `1.5.1` |\n| `shop/db` | (none) | `1.4.1` |" in text
    assert "shop/web" not in text


def test_many_images_fit() -> None:
    """A body stays below what forges take; rows that do not fit are counted."""
    rows = tuple(
        ProposalImage(replace(API, image=f"shop/{'x' * 200}{number}")) for number in range(400)
    )
    body = rendered(review(rows=rows)).body
    listed = body.count("| `shop/x")

    assert f"| and {400 - listed} more | (none) | (none) |" in body
    assert 0 < listed < 400


def test_the_command_asks_for_the_same() -> None:
    """deploy names source, app and --add; rollback without a hold says so; names are no options."""
    text = message("deploy")
    odd = replace(API, image="--override")

    assert (
        f"gitops deploy --to prod --ref release/1.5 --commit {NEW} --add --app shop "
        "--reason 'the spring release' shop/api:1.5.0 shop/web=reg/web:2.1"
    ) == asking(SHOP_PROD, [API, WEB], text, adds=True, hold=False)
    assert asking(PROD, [odd], message(), adds=False, hold=False).endswith("-- --override")
    back = message("rollback", restores=GOOD, reason=None)
    assert f"gitops rollback prod --to {GOOD} --no-hold" == asking(
        PROD, [API], back, adds=False, hold=False
    )


VALUE = st.builds(
    ImageValue,
    name=st.sampled_from([None, "reg.example.com/shop/api", "other"]),
    tag=st.sampled_from([None, "1.4.1", "latest"]),
    digest=st.sampled_from([None, f"sha256:{'0' * 64}"]),
)


@given(VALUE, VALUE)
def test_an_image_argument_makes_the_change(before: ImageValue, after: ImageValue) -> None:
    """Typed again, the argument turns the old value into exactly the new one."""
    if after.name is not None and after.tag is None and after.digest is None:
        return  # `NAME=NEWNAME` is all there is to say
    argument = image_argument(ImageChange("shop/api", before, after))

    assert after == parse_image(argument).apply(before)


@pytest.mark.parametrize("body", ["", "a text by hand", "xGitops-Action: deploy"])
def test_other_bodies_tell_nothing(body: str) -> None:
    """A text that is not ours names neither an action nor a head."""
    assert (None, None) == (action_told(body), head_told(body))


def test_where_images_were_built_from_is_told() -> None:
    """What was proved when it was proposed, with who signed it."""
    proof = f"shop/api git.example.com/shop/api@{'5f2c' * 10} (annotation, signed)"
    body = rendered(review(message=message(proofs=[proof]))).body
    assert "Built from" in body
    assert f"`{proof}`" in body
    assert "Built from" not in rendered(review()).body
