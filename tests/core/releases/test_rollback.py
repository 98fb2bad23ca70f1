"""Which release a rollback restores: a table of histories, and what must hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.git.commit import CommitInfo
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.lineage import trace
from gitops.core.releases.release import Release, Verdicts
from gitops.core.releases.rollback import choose
from gitops.core.releases.selection import Choice, LeftOut, NeedMore
from gitops.errors import NotFound, Refused, UsageError
from stories import ANA, MOVES, START, Played, Story, commit_id, one, two, verdicts


def outcome(story: Story, *only: str, **options: Any) -> str | None:
    """The name of the release that is chosen, `unchanged`, or None when it is refused."""
    options.pop("only", None)
    try:
        release = story.choose(*only, **options).release
    except Refused:
        return None
    return release.subject if release is not None else "unchanged"


CASES: dict[str, tuple[Callable[[], Story], str | None]] = {
    "the release just before": (lambda: one("1", "2", "3"), "r2"),
    "one of two images was deployed": (two, "r2"),
    "nothing before the first release": (lambda: one("1"), None),
    "an empty history": (Story, None),
    "the second rollback goes further back": (lambda: one("1", "2", "3").rollback("x"), "r1"),
    "the third rollback has nothing left": (
        lambda: one("1", "2", "3").rollback("x").rollback("y"),
        None,
    ),
    "a deploy on top of a rollback goes back to it": (
        lambda: one("1", "2").rollback("x").deploy("r3", api="3"),
        "x",
    ),
    "back from that one too: further back than the rollback of then": (
        lambda: one("1", "2", "3").rollback("x").deploy("r4", api="4").rollback("y"),
        "r1",
    ),
    "a rollback to a rollback to a rollback is followed to its origin": (
        lambda: (
            one("0", "1", "2")
            .rollback("x")
            .deploy("r4", api="4")
            .rollback("y")
            .deploy("r5", api="5")
            .rollback("z")
        ),
        "r1",
    ),
    "taken away, then deployed again on purpose: a way back once more": (
        lambda: one("1", "2").rollback("x").deploy("r3", api="2").deploy("r4", api="3"),
        "r3",
    ),
    "deployed again on purpose, and taken away again": (
        lambda: one("1", "2").rollback("x").deploy("r3", api="2").rollback("y"),
        None,
    ),
    "an edit by hand is a release": (lambda: one("1", "2").hand("h", api="3"), "r2"),
    "an edit by hand is a way back": (
        lambda: one("1").hand("h", api="2").deploy("r3", api="3"),
        "h",
    ),
    "a revert by hand counts as a rollback": (
        lambda: one("1", "2", "3").hand("h", api="2"),
        "r1",
    ),
    "a revert by hand took the value away": (
        lambda: one("1", "2").hand("h", api="1").deploy("r3", api="3").rollback("x"),
        None,
    ),
    "a revert by hand far back: nothing between comes again": (
        lambda: one("0", "1", "2", "3").hand("h", api="1"),
        "r1",
    ),
    "a revert by hand of a rollback is a deploy: back to what was before it": (
        lambda: one("1", "2", "3").rollback("x").hand("h", api="3"),
        "x",
    ),
    "half of a release put back by hand is an edit, not a revert": (
        lambda: (
            Story().deploy("r1", api="1", web="1").deploy("r2", api="2", web="2").hand("h", api="1")
        ),
        "r2",
    ),
    "an old value deployed by gitops is on purpose": (
        lambda: one("1", "2").deploy("r3", api="1"),
        "r2",
    ),
    "a promotion is on purpose": (
        lambda: (
            one("1", "2").rollback("x").commit("p", "promote", {"api": "2"}).deploy("r4", api="3")
        ),
        "p",
    ),
    "the newest release only added an image: refused": (
        lambda: one("1", "2").deploy("add", web="1"),
        None,
    ),
    "it only added an image on top of a rollback: refused": (
        lambda: one("1", "2", "3", "4").rollback("x", to="2").deploy("add", web="1"),
        None,
    ),
    "an image removed since is ignored": (
        lambda: (
            Story()
            .deploy("r1", api="1", old="1")
            .deploy("r2", api="2", old="2")
            .deploy("gone", old=None)
            .deploy("r3", api="3")
        ),
        "gone",
    ),
    "a taken value of an image that is gone leaves nothing out": (
        lambda: (
            Story()
            .deploy("r1", api="1", old="1")
            .deploy("r2", api="2", old="2")
            .rollback("x", "old")
            .deploy("gone", old=None)
            .deploy("r3", api="3")
            .deploy("r4", api="4")
            .rollback("y")
        ),
        "gone",
    ),
    "no image of then is there now": (
        lambda: Story().deploy("r1", old="1").deploy("r2", old=None, api="1"),
        None,
    ),
    "after --image, the other image goes back too": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2", web="2")
            .deploy("r3", api="3", web="3")
            .rollback("x", "web")
        ),
        "r2",
    ),
    "after --image and a deploy, the mix of then": (
        lambda: two().rollback("x", "web").deploy("r4", api="4"),
        "x",
    ),
    "a squash-merged rollback is found by its images": (
        lambda: one("1", "2", "3").rollback("x", trailers=False),
        "r1",
    ),
    "an overlay that did not parse is passed over": (
        lambda: one("1").broken("b").hand("fix", api="2").deploy("r3", api="3"),
        "fix",
    ),
    "a repair that changes no value is no edge to go back over": (
        lambda: one("1", "2").broken("b").hand("fix"),
        "r1",
    ),
    "a repair is no revert": (
        lambda: one("1", "2", "3").broken("b").hand("fix").deploy("r4", api="4"),
        "fix",
    ),
    "a value brought back by override is no reason to refuse the rest": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2")
            .rollback("x")
            .rollback("y", to="2", override="it was the network")
            .deploy("r3", web="2")
        ),
        "y",
    ),
    "a rollback that names a commit which is gone is followed by value": (
        lambda: one("1", "2", "3", "4").pin(
            "x", "rollback", {"api": ImageValue(tag="2")}, restores="f" * 40
        ),
        "r1",
    ),
    "a rollback that names itself is followed by value": (
        lambda: one("1", "2", "3", "4").pin(
            "x", "rollback", {"api": ImageValue(tag="2")}, restores=commit_id("x")
        ),
        "r1",
    ),
    "a rollback far back: nothing between comes again": (
        lambda: one("1", "2", "3", "4", "5").rollback("x", to="1"),
        None,
    ),
    "nor after a deploy and a rollback to that rollback": (
        lambda: (
            one("1", "2", "3", "4", "5").rollback("x", to="1").deploy("r6", api="6").rollback("y")
        ),
        None,
    ),
    "the release that a rollback names counts, not a newer one with its images": (
        lambda: one("1", "2", "1", "3").rollback("x", to=commit_id("r1")),
        None,
    ),
    "taken away, its entry removed, added again on purpose": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", web="2")
            .rollback("x")
            .deploy("gone", web=None)
            .deploy("back", web="2")
            .deploy("r3", web="3")
        ),
        "back",
    ),
    "a release that lacks an image is not what an edit by hand put back": (
        lambda: (
            Story().deploy("r1", api="1").deploy("r2", api="2", web="1").hand("h", api="1", web="2")
        ),
        "r2",
    ),
}


AGAIN: dict[str, tuple[Callable[[], Story], str | None]] = {
    "a bot pushes what a rollback took away": (
        lambda: one("1", "2").rollback("x").hand("bot", api="2"),
        "x",
    ),
    "and once more after the next rollback": (
        lambda: (
            one("1", "2").rollback("x").hand("bot", api="2").rollback("y").hand("bot2", api="2")
        ),
        "y",
    ),
    "a rollback takes what the bot pushed away again": (
        lambda: one("0", "1", "2").rollback("x").hand("bot", api="2").rollback("y"),
        "r1",
    ),
    "a forge's revert of a rollback, then a new release": (
        lambda: one("1", "2").rollback("x").hand("revert", api="2").deploy("r3", api="3"),
        "revert",
    ),
    "and back from there twice": (
        lambda: (
            one("1", "2").rollback("x").hand("revert", api="2").deploy("r3", api="3").rollback("y")
        ),
        "x",
    ),
    "a mistake taken back by override, then a real incident": (
        lambda: one("1", "2", "3").rollback("x").rollback("y", to="3", override="a mistake"),
        "x",
    ),
    "an override far forth, then back to what was before it": (
        lambda: (
            one("1", "2", "3", "4").rollback("x", to="1").rollback("y", to="4", override="was fine")
        ),
        "x",
    ),
    "put back by hand, released again, and three releases on": (
        lambda: (
            Story()
            .hand("r0", api="0.9", web="0.9")
            .hand("r1", api="1.0", web="1.0")
            .hand("r2", api="2.0", web="2.0")
            .hand("back", api="1.0", web="1.0")
            .hand("take 2", api="2.0", web="2.0")
            .hand("hotfix", web="2.1")
            .hand("web", web="2.2")
            .hand("r3", api="3.0", web="3.0")
        ),
        "web",
    ),
    "released again, and that was bad as well": (
        lambda: one("1", "2").hand("back", api="1").hand("take 2", api="2"),
        "back",
    ),
    "released again by a promotion": (
        lambda: one("1", "2").rollback("x").commit("p", "promote", {"api": "2"}),
        "x",
    ),
    "one of two images is pushed again, the other moves on": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2", web="2")
            .rollback("x")
            .hand("bot", api="2", web="3")
        ),
        "x",
    ),
    "released again, and back by hand: taken away again": (
        lambda: one("0", "1", "2").rollback("x").deploy("again", api="2").hand("back", api="1"),
        "r1",
    ),
    "a cherry-picked rollback takes away what stands then": (
        lambda: (
            one("1", "2")
            .rollback("x")
            .deploy("r3", api="3")
            .pin("pick", "rollback", {"api": ImageValue(tag="1")}, restores=commit_id("r1"))
            .deploy("r4", api="4")
            .rollback("y")
        ),
        None,
    ),
    "a cherry-picked rollback that puts back what was taken away is a deploy": (
        lambda: (
            one("1", "2", "3")
            .rollback("x")
            .rollback("y")
            .pin("pick", "rollback", {"api": ImageValue(tag="2")}, restores=commit_id("r2"))
        ),
        "y",
    ),
    "a rollback that names a release with other images is followed by value": (
        lambda: one("1", "2", "3", "4").pin(
            "x", "rollback", {"api": ImageValue(tag="2")}, restores=commit_id("r1")
        ),
        "r1",
    ),
    "a deploy with the copied message of a rollback takes nothing away": (
        lambda: (
            one("1", "2", "3")
            .rollback("x")
            .deploy("r4", api="4")
            .pin("copied", "rollback", {"api": ImageValue(tag="5")}, restores=commit_id("r2"))
        ),
        "r4",
    ),
    "one that says it is a rollback, and not to what, is none": (
        lambda: one("1", "2").pin("x", "rollback", {"api": ImageValue(tag="9")}),
        "r2",
    ),
    "a rollback and a deploy merged in one are a rollback": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2")
            .deploy("r3", api="3")
            .pin(
                "merge",
                "rollback",
                {"api": ImageValue(tag="2"), "web": ImageValue(tag="2")},
                restores=commit_id("r2"),
            )
        ),
        "r2",
    ),
    "a rollback that puts there what never was": (
        lambda: one("1", "2").pin("x", "rollback", {"api": ImageValue(tag="9")}, restores="e" * 40),
        "r1",
    ),
}
CASES |= AGAIN

UNDO: dict[str, tuple[Callable[[], Story], str | None]] = {
    "a rollback that was undone has not been": (
        lambda: one("1", "2", "3").rollback("x").undo("u"),
        "r2",
    ),
    "a deploy after an undo goes back to it": (
        lambda: one("1", "2").rollback("x").undo("u").deploy("r3", api="3"),
        "r2",
    ),
    "two rollbacks, the newer one undone: further back, as if for the first time": (
        lambda: one("0", "1", "2", "3").rollback("x").rollback("y").undo("u"),
        "r2",
    ),
    "two rollbacks, both undone": (
        lambda: one("1", "2", "3").rollback("x").rollback("y").undo("u").undo("v"),
        "r2",
    ),
    "undone, and rolled back once more": (
        lambda: one("1", "2", "3").rollback("x").undo("u").rollback("y"),
        "r1",
    ),
    "an undo that puts back something else is a deploy by hand": (
        lambda: one("1", "2", "3").rollback("x").pin("u", "undo", {"api": ImageValue(tag="9")}),
        "x",
    ),
    "an undo of what is no rollback is a revert by hand": (
        lambda: one("0", "1", "2").pin("u", "undo", {"api": ImageValue(tag="1")}),
        "r1",
    ),
    "an undo with nothing before it": (
        lambda: Story().pin("u", "undo", {"api": ImageValue(tag="1")}).deploy("r2", api="2"),
        "u",
    ),
    "a rollback of one image, undone": (
        lambda: two().rollback("x", "web").undo("u"),
        "r2",
    ),
}
CASES |= UNDO

GAPS: dict[str, tuple[Callable[[], Story], str | None]] = {
    "absent for a while, then a new value": (
        lambda: one("1", "2", "3").gone("gap").deploy("r4", api="4"),
        "r3",
    ),
    "absent for a while, then the same value: nothing changed": (
        lambda: one("1", "2").gone("gap").hand("back", api="2"),
        "r1",
    ),
    "absent for a while, then an older value by hand: a rollback": (
        lambda: one("1", "2", "3").gone("gap").hand("back", api="2"),
        "r1",
    ),
    "taken away, absent, then there again: given back": (
        lambda: one("1", "2").rollback("x").gone("gap").hand("back", api="2"),
        "x",
    ),
    "taken away, absent, then another one": (
        lambda: one("1", "2").rollback("x").gone("gap").deploy("r3", api="3").rollback("y"),
        None,
    ),
    "the overlay was deleted and restored": (
        lambda: one("1", "2").pin("deleted", None, {}).hand("restored", api="2").hand("h", api="3"),
        "restored",
    ),
    "emptied for a commit, with two images": (
        lambda: two().gone("emptied").hand("back", api="2", web="2"),
        "r2",
    ),
    "one of two is absent for a while": (
        lambda: two().gone("gap", "web").deploy("r4", api="3").deploy("r5", web="3"),
        "r3",
    ),
    "an entry renamed and back": (
        lambda: (
            one("1", "2", "3")
            .commit("renamed", None, {"api": None, "shop-api": "3"})
            .commit("back", None, {"shop-api": None, "api": "3"})
            .deploy("r4", api="4")
        ),
        "back",
    ),
    "an entry renamed and back with another value": (
        lambda: (
            one("1", "2", "3")
            .commit("renamed", None, {"api": None, "shop-api": "3"})
            .commit("back", None, {"shop-api": None, "api": "4"})
        ),
        "r3",
    ),
    "broken for a while, mended with another value": (
        lambda: one("1", "2").broken("b").broken("b2").hand("fix", api="3"),
        "r2",
    ),
    "broken right after a rollback, mended with what was taken away": (
        lambda: one("1", "2").rollback("x").broken("b").hand("fix", api="2"),
        "x",
    ),
    "a gap, a rollback over it, and further back": (
        lambda: one("1", "2", "3").gone("gap").deploy("r4", api="4").rollback("x"),
        "r2",
    ),
    "added and changed at once: the change is taken back": (
        lambda: one("1", "2").deploy("r3", api="3", web="1"),
        "r2",
    ),
    "added, then changed: back to how it came": (
        lambda: one("1").deploy("add", web="1").deploy("r3", web="2"),
        "add",
    ),
    "added, then removed again: the others go back": (
        lambda: one("1", "2").deploy("add", web="1").gone("off", "web"),
        "r1",
    ),
    "the very first release added everything: nothing is earlier": (
        lambda: Story().pin("empty", None, {}).deploy("r1", api="1"),
        None,
    ),
}
CASES |= GAPS


@pytest.mark.parametrize("name", CASES)
def test_the_rule_chooses(name: str) -> None:
    """A plain rollback of this history restores the named release, or is refused."""
    make, expected = CASES[name]

    assert expected == outcome(make())


VERDICTS: dict[str, tuple[Callable[[], Story], Verdicts, str | None]] = {
    "the newest stable one is preferred": (
        lambda: one("1", "2", "3", "4"),
        verdicts(stable=["r2", "r1"]),
        "r2",
    ),
    "degraded is left out": (lambda: one("1", "2", "3"), verdicts(degraded=["r2"]), "r1"),
    "qa-failed is left out": (lambda: one("1", "2", "3"), verdicts(failed=["r2"]), "r1"),
    "qa-failed weighs more than stable": (
        lambda: one("1", "2", "3"),
        verdicts(stable=["r2"], failed=["r2"]),
        "r1",
    ),
    "qa-passed makes nothing stable": (
        lambda: one("1", "2", "3"),
        verdicts(passed=["r1"]),
        "r2",
    ),
    "nothing but degraded: refused": (lambda: one("1", "2"), verdicts(degraded=["r1"]), None),
    "stable, but taken away by a rollback": (
        lambda: one("1", "2").rollback("x").deploy("r3", api="3"),
        verdicts(stable=["r2"], degraded=["x"]),
        "r1",
    ),
    "stable, but newer than where the search starts": (
        lambda: one("1", "2", "3", "4").rollback("x", to="2"),
        verdicts(stable=["r3"]),
        "r1",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_rule_heeds_verdicts(name: str) -> None:
    """With these verdicts the named release is chosen, or it is refused."""
    make, seen, expected = VERDICTS[name]

    assert expected == outcome(make(), verdicts=seen)


TO: dict[str, tuple[Callable[[], Story], dict[str, Any], str | None]] = {
    "a tag: the newest release that has it": (
        lambda: two().deploy("r4", api="3"),
        {"to": "2"},
        "r3",
    ),
    "a tag that one image has already: the release that brings another one there": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2", web="2")
            .deploy("r3", api="3")
        ),
        {"to": "2"},
        "r2",
    ),
    "a tag that runs with another digest": (
        lambda: (
            Story()
            .pin("r1", "deploy", {"api": ImageValue(tag="1", digest="sha256:" + 64 * "a")})
            .pin("r2", "deploy", {"api": ImageValue(tag="1", digest="sha256:" + 64 * "b")})
        ),
        {"to": "1"},
        "unchanged",
    ),
    "a tag of an image that is not to be restored does not count": (
        two,
        {"to": "2", "only": ("web",)},
        "unchanged",
    ),
    "a whole commit": (lambda: one("1", "2", "3"), {"to": commit_id("r1")}, "r1"),
    "an abbreviated commit": (lambda: one("1", "2", "3"), {"to": commit_id("r1")[:7]}, "r1"),
    "an abbreviated commit in capitals": (
        lambda: one("1", "2", "3"),
        {"to": commit_id("r1")[:9].upper()},
        "r1",
    ),
    "a word that is a commit and a tag of one release": (
        lambda: (
            Story().deploy("r1", api="abc1234", commit="abc1234" + 33 * "0").deploy("r2", api="2")
        ),
        {"to": "abc1234"},
        "r1",
    ),
    "the tag that runs": (lambda: one("1", "2"), {"to": "2"}, "unchanged"),
    "the commit whose images run": (
        lambda: one("1", "2").rollback("x"),
        {"to": commit_id("r1")},
        "unchanged",
    ),
    "previous passes over verdicts that are only better": (
        lambda: one("1", "2", "3"),
        {"to": "previous", "verdicts": verdicts(stable=["r1"])},
        "r2",
    ),
    "previous goes further back too": (
        lambda: one("1", "2", "3").rollback("x"),
        {"to": "previous"},
        "r1",
    ),
    "previous leaves degraded out": (
        lambda: one("1", "2", "3"),
        {"to": "previous", "verdicts": verdicts(degraded=["r2"])},
        "r1",
    ),
    "a release that a rollback took away is refused": (
        lambda: one("1", "2").rollback("x"),
        {"to": "2"},
        None,
    ),
    "and taken with an override": (
        lambda: one("1", "2").rollback("x"),
        {"to": "2", "override": "it was the network"},
        "r2",
    ),
    "a degraded release is refused": (
        lambda: one("1", "2"),
        {"to": "1", "verdicts": verdicts(degraded=["r1"])},
        None,
    ),
    "a release that was jumped over may be named": (
        lambda: one("1", "2", "3").rollback("x", to="1"),
        {"to": "2"},
        "r2",
    ),
    "an overlay that does not parse is refused, override or not": (
        lambda: one("1").broken("b").deploy("r2", api="2"),
        {"to": commit_id("b"), "override": "please"},
        None,
    ),
    "a release with none of the images is refused, override or not": (
        lambda: Story().deploy("r1", old="1").deploy("r2", old=None, api="1"),
        {"to": commit_id("r1"), "override": "please"},
        None,
    ),
}


@pytest.mark.parametrize("name", TO)
def test_to_names_a_release(name: str) -> None:
    """`--to` takes the named release, says that it runs already, or is refused."""
    make, options, expected = TO[name]

    assert expected == outcome(make(), *options.get("only", ()), **options)


IMAGE: dict[str, tuple[Callable[[], Story], str, str | None]] = {
    "the newest release with another value of it": (two, "api", "r1"),
    "the newest release was another image's": (
        lambda: two().deploy("r4", web="3"),
        "api",
        "r1",
    ),
    "the second time further back": (
        lambda: one("1", "2", "3").deploy("r4", web="1").rollback("x", "api"),
        "api",
        "r1",
    ),
    "a rollback of another image does not move the start": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", web="2")
            .deploy("r3", api="2")
            .deploy("r4", api="3")
            .rollback("x", "web")
        ),
        "api",
        "r3",
    ),
    "a deploy of another image on top of a rollback does not send it forth": (
        lambda: (
            Story()
            .deploy("r1", api="1", web="1")
            .deploy("r2", api="2")
            .deploy("r3", api="3")
            .rollback("x", "api", to="1")
            .deploy("r4", web="2")
        ),
        "api",
        None,
    ),
    "reverted by hand while the other image moved on": (
        lambda: two().hand("h", api="1"),
        "api",
        None,
    ),
}


@pytest.mark.parametrize("name", IMAGE)
def test_image_restores_one_image(name: str) -> None:
    """`--image` looks at the history of that image alone."""
    make, image, expected = IMAGE[name]

    assert expected == outcome(make(), image)


def landed(message: str, merged: tuple[str, ...] = (), hold: Hold | None = None) -> list[Release]:
    """Releases of an overlay whose newest commit rolled back web alone, as it was landed."""
    deployed = "words\n\nGitops-Action: deploy\n"
    story = [
        ("r1", deployed, (), {"api": "1", "web": "1"}),
        ("r2", deployed, (), {"api": "2", "web": "2"}),
        ("r3", deployed, (), {"api": "3", "web": "3"}),
        ("x", message, merged, {"api": "3", "web": "1"}),
    ]
    versions = [
        OverlayVersion(
            CommitInfo(commit_id(name), (), ANA, START, f"{name}: {words}", others),
            "kustomization.yaml",
            b"images:\n"
            + b"".join(f"- {{name: {i}, newTag: '{tag}'}}\n".encode() for i, tag in tags.items()),
        )
        for name, words, others, tags in reversed(story)
    ]
    return list(releases(versions, holds={commit_id("x"): hold} if hold else {}))


TRAILERS = f"web 3 -> 1\n\nGitops-Action: rollback\nGitops-Restores: {commit_id('r1')}\n"
LANDED: dict[str, tuple[list[Release], str]] = {
    "pushed": (landed(TRAILERS), "r1"),
    "merged with a merge commit": (landed("Merge gitops/prod\n", ("fix\n", TRAILERS)), "r1"),
    "squashed, the trailers kept": (landed(f"web (#12)\n\n* {TRAILERS}"), "r1"),
    "squashed, told by the hold": (
        landed("web (#12)\n", hold=Hold("Ana", START, "why", restores=commit_id("r1"))),
        "r1",
    ),
    "squashed, without any trace: an edit by hand": (landed("web (#12)\n"), "r3"),
}


@pytest.mark.parametrize("name", LANDED)
def test_a_rollback_is_known_however_it_landed(name: str) -> None:
    """A rollback of one image is followed to what it restored, whatever way it was merged."""
    story, expected = LANDED[name]

    choice = choose(story, story[0].images or {})

    assert expected == getattr(choice.release, "subject", "").split(":")[0]


def test_requests_restore_exactly_the_images_of_then() -> None:
    """Name, tag and digest come back whole; what was not there then is removed."""
    then = ImageValue(tag="1")
    story = Story().pin("r1", "deploy", {"api": then, "web": then})
    now = ImageValue(name="reg/api", tag="2", digest="sha256:" + 64 * "a")
    story.pin("r2", "deploy", {"api": now, "web": then})

    choice = choose(story.releases, {"api": now, "web": then})

    assert (ImageRequest.exactly("api", then), ImageRequest.exactly("web", then)) == choice.requests


def test_the_newest_release_is_the_one_judged_bad() -> None:
    """`rolled_back` is C, also when C is a rollback, and with --image the release of that image."""
    story = two()
    assert commit_id("r3") == story.choose().rolled_back
    assert commit_id("r2") == story.choose("api").rolled_back

    story.rollback("x")

    assert commit_id("x") == story.choose().rolled_back


def test_nothing_recorded_is_said() -> None:
    """Without verdicts the choice says that nobody recorded its health."""
    choice = one("1", "2").choose()

    assert choice.stability == "nobody recorded its health"
    assert choice.notes[0].endswith(": nobody recorded its health")


def test_releases_passed_over_are_counted() -> None:
    """Unjudged releases that are newer than the stable one are counted, left out ones are not."""
    seen = verdicts(stable=["r1"], degraded=["r3"])

    choice = one("1", "2", "3", "4", "5").choose(verdicts=seen)

    assert choice.passed_over == 2
    assert choice.stability == "it was seen stable"
    assert choice.notes[2] == "passes over 2 newer releases that nobody judged"
    named = {entry.release.subject: entry.objection.kind for entry in choice.left_out}
    assert {"r4": "unjudged", "r3": "verdict", "r2": "unjudged"} == named


def test_entries_that_came_or_went_are_a_warning() -> None:
    """Entries added or removed since stay as they are, and that is said."""
    story = Story().deploy("r1", api="1", old="1").deploy("r2", api="2", old=None, web="1")
    short = commit_id("r1")[:7]

    assert (
        f"web was added since {short}: it stays as it is",
        f"old was removed since {short}: it stays removed",
    ) == story.choose().warnings
    assert story.choose("api").warnings == ()


def test_an_overlay_that_does_not_parse_is_a_warning() -> None:
    """The search passes over it, and says so."""
    story = one("1").broken("b").deploy("r2", api="2")

    (warning,) = story.choose().warnings

    assert warning.startswith(f"{commit_id('b')[:7]} (b, 2026-03-02) is left out")


def test_a_refusal_shows_the_history() -> None:
    """Nothing left: every release is listed with what speaks against it."""
    story = one("1", "2").rollback("x")

    with pytest.raises(Refused) as refusal:
        story.choose()

    assert [commit_id(name)[:7] for name in ("x", "r2", "r1")] == [
        text[:7] for text in refusal.value.reasons
    ]
    assert refusal.value.reasons[2].endswith("api 1: its images are what runs now")


def test_a_long_history_is_shown_in_part() -> None:
    """A refusal lists the newest twenty, and how many there are besides."""
    story = one(*map(str, range(24))).rollback("x", to=commit_id("r1"))

    with pytest.raises(Refused) as refusal:
        story.choose()

    assert len(refusal.value.reasons) == 21
    assert refusal.value.reasons[-1] == "and 5 older ones"


def test_what_runs_already_is_unchanged() -> None:
    """The choice says so, names the release, and asks for nothing."""
    choice = one("1", "2").choose(to="2")

    assert choice.release is None
    assert choice.requests == ()
    assert choice.notes == (f"{commit_id('r2')[:7]} (r2, 2026-03-02) is what already runs",)


def test_what_is_left_out_says_why() -> None:
    """The refusal of a named release gives the reason, and the way past it."""
    with pytest.raises(Refused) as refusal:
        one("1", "2").rollback("x").choose(to="2")

    assert refusal.value.reasons == ("holds api 2, which a rollback took away",)
    assert "--override" in (refusal.value.hint or "")


def test_what_an_override_passed_is_kept() -> None:
    """An override that was needed names what it passed; one that was not passes nothing."""
    story = one("1", "2").rollback("x")

    needed = story.choose(to="2", override="network").overridden

    assert needed == ("holds api 2, which a rollback took away",)
    assert one("1", "2", "3").choose(to="1", override="network").overridden == ()


def test_a_word_that_fits_commit_and_tag_lists_both() -> None:
    """A hexadecimal word that is a commit here and a tag there is a usage error."""
    story = Story().deploy("r1", api="1", commit="abc1234" + 33 * "0").deploy("r2", api="abc1234")
    story.deploy("r3", api="3")

    with pytest.raises(UsageError) as error:
        story.choose(to="abc1234")

    assert ["commit: abc1234", f"tag: {commit_id('r2')[:7]}"] == [
        reason.split(" (")[0] for reason in error.value.reasons
    ]


def test_a_prefix_of_two_commits_lists_both() -> None:
    """An abbreviation that fits two releases is a usage error."""
    story = Story().deploy("r1", api="1", commit="abc1234" + 33 * "0")
    story.deploy("r2", api="2", commit="abc1234" + 33 * "1").deploy("r3", api="3")

    with pytest.raises(UsageError):
        story.choose(to="abc1234")


def test_an_unknown_word_is_not_found() -> None:
    """Neither commit nor tag: not found, with the newest releases listed."""
    with pytest.raises(NotFound) as error:
        one("1", "2").choose(to="1.9.9")

    assert len(error.value.reasons) == 2


def test_an_unknown_image_is_not_found() -> None:
    """`--image` with a name that the overlay lacks lists those that it has."""
    with pytest.raises(NotFound, match="it has: api"):
        one("1", "2").choose("db")


def by_depth(story: Story, *only: str, **options: Any) -> str | None:
    """The outcome when history is read only as deep as it takes, one release more at a time."""
    for depth in range(len(story.releases) + 1):
        part = Story(story.releases[:depth], story.images)
        try:
            return outcome(part, *only, complete=depth == len(story.releases), **options)
        except (NeedMore, NotFound):
            if depth == len(story.releases):
                raise
    raise AssertionError("the whole history was read")


@pytest.mark.parametrize("name", CASES)
def test_reading_less_gives_the_same_answer(name: str) -> None:
    """Whatever depth the answer is first given at, it is the answer of the whole history."""
    make, expected = CASES[name]

    assert expected == by_depth(make())


@pytest.mark.parametrize(("tags", "needed"), [(20, 2), (200, 2)])
def test_a_plain_deploy_needs_little_history(tags: int, needed: int) -> None:
    """The last releases tell all, however long the history is."""
    story = one(*(str(number) for number in range(tags)))

    choice = choose(story.releases[:needed], story.images, complete=False)

    assert f"r{tags - 1}" == getattr(choice.release, "subject", None)


@pytest.mark.parametrize("read", [0, 1])
def test_too_little_history_asks_for_more(read: int) -> None:
    """What the oldest one that was read changed is not known, so it is no answer yet."""
    story = one("1", "2", "3")

    with pytest.raises(NeedMore):
        choose(story.releases[:read], story.images, complete=False)


def test_a_stable_release_further_back_asks_for_more() -> None:
    """A stable release that was not read yet may be the answer."""
    story = one("1", "2", "3", "4", "5")

    with pytest.raises(NeedMore):
        choose(story.releases[:4], story.images, verdicts=verdicts(stable=["r1"]), complete=False)


def test_a_stable_release_asks_for_more_though_others_are_there() -> None:
    """One without a verdict is no answer while a stable one may lie further back."""
    story = one("1", "3", "2", "3")

    with pytest.raises(NeedMore):
        choose(story.releases[:3], story.images, verdicts=verdicts(stable=["r1"]), complete=False)


def test_a_whole_commit_is_found_without_reading_on() -> None:
    """All digits of a commit fit nothing else; nor does a tag that is not hexadecimal."""
    story = one("1", "2", "v3", "v4", "v5")

    for word in (commit_id("r4"), "v4"):
        choice = choose(story.releases[:3], story.images, to=word, complete=False)

        assert getattr(choice.release, "subject", None) == "r4"


@pytest.mark.parametrize("word", ["9.9", "abc1234", "2", commit_id("r5")[:7]])
def test_a_named_release_further_back_asks_for_more(word: str) -> None:
    """A word that nothing fits yet, or that is hexadecimal, may fit an older release."""
    story = one("1", "2", "3", "abc1234", "5", "6")

    with pytest.raises(NeedMore):
        choose(story.releases[:4], story.images, to=word, complete=False)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("rollback"), st.just("")),
        st.tuples(
            st.sampled_from(["deploy", "hand", "again"]), st.sampled_from(["api", "web", "both"])
        ),
    ),
    max_size=25,
)


@given(STEPS)
def test_no_plain_rollback_brings_back_what_one_took_away(steps: list[tuple[str, str]]) -> None:
    """A value that a rollback took away comes back only by somebody's own deploy."""
    story = Story().deploy("start", api="0", web="0")
    taken: set[tuple[str, str | None]] = set()
    for number, (what, which) in enumerate(steps, 1):
        name = f"s{number}"
        images = ("api", "web") if which == "both" else (which,)
        before = dict(story.images)
        if what == "rollback":
            try:
                story.rollback(name)
            except Refused:
                continue
            for image, value in story.images.items():
                if value != before[image]:
                    assert (image, value.tag) not in taken
                    taken.add((image, before[image].tag))
        elif what == "again" and taken:
            image, tag = sorted(taken, key=str)[number % len(taken)]
            story.deploy(name, **{image: tag})
            taken.discard((image, tag))
        elif what == "hand":
            story.hand(name, **dict.fromkeys(images, f"v{number}"))
        else:
            story.deploy(name, **dict.fromkeys(images, f"v{number}"))


@given(STEPS, st.integers(2, 6))
def test_rollback_after_rollback_goes_only_further_back(
    steps: list[tuple[str, str]], times: int
) -> None:
    """Each of several rollbacks in a row restores older images than the one before."""
    story = Story().deploy("start", api="0", web="0")
    for number, (what, which) in enumerate(steps, 1):
        images = ("api", "web") if which == "both" else (which or "api",)
        try:
            if what == "rollback":
                story.rollback(f"s{number}")
            else:
                story.deploy(f"s{number}", **dict.fromkeys(images, f"v{number}"))
        except Refused:
            continue
    first_seen = {}
    for release in reversed(story.releases):
        first_seen.setdefault(tuple((release.images or {}).items()), len(first_seen))

    reached = []
    for time in range(times):
        try:
            story.rollback(f"t{time}")
        except Refused:
            break
        reached.append(first_seen[tuple(story.images.items())])

    assert sorted(set(reached), reverse=True) == reached


@given(STEPS)
def test_less_history_never_changes_the_answer(steps: list[tuple[str, str]]) -> None:
    """Reading as deep as the rule asks gives what the whole history gives."""
    story = Story().deploy("start", api="0", web="0")
    for number, (what, which) in enumerate(steps, 1):
        images = ("api", "web") if which == "both" else (which,)
        value = f"v{number % 4}"  # few values, so that by hand old releases come back
        try:
            if what == "rollback":
                story.rollback(f"s{number}")
            elif what == "hand":
                story.hand(f"s{number}", **dict.fromkeys(images, value))
            else:
                story.deploy(f"s{number}", **dict.fromkeys(images, value))
        except Refused:
            continue

    assert outcome(story) == by_depth(story)


@given(MOVES)
def test_what_a_rollback_took_away_stays_away(moves: list[tuple[str, str, int]]) -> None:
    """Whatever happens, no plain rollback brings back what one took away and nobody gave back."""
    Played(moves)  # asserts at each rollback


@given(MOVES, st.integers(0, 9), st.sampled_from(["deploy", "hand"]))
def test_after_deploy_again_it_goes_to_what_was_before(
    moves: list[tuple[str, str, int]], which: int, how: str
) -> None:
    """A rollback after "deploy again" of a value restores what ran before that deploy."""
    played = Played(moves)
    story = played.story
    there = [pinned for pinned in sorted(played.taken, key=str) if pinned[0] in story.images]
    if not there or story.releases[0].images is None:
        return
    image, tag = there[which % len(there)]
    before = dict(story.images)

    getattr(story, how)("again", **{image: tag})
    story.rollback("back")

    assert before == story.images


@given(MOVES, st.lists(st.sampled_from(["stable", "degraded", "passed", "failed"]), max_size=30))
def test_each_release_has_one_reason_and_it_is_true(
    moves: list[tuple[str, str, int]], words: list[str]
) -> None:
    """Each release before the chosen one is told once, with a reason that history bears out."""
    story = Played(moves).story
    said: dict[str, list[str]] = {word: [] for word in words}
    for release, word in zip(story.releases, words, strict=False):
        said[word].append(release.subject)
    seen = verdicts(**said)
    try:
        choice = story.choose(verdicts=seen)
    except Refused:
        return
    assert choice.release is not None
    chosen = story.releases.index(choice.release)
    undone = trace(story.releases).undone
    gone = {*undone, *undone.values()}
    commits = [story.releases[at].commit for at in range(chosen) if at not in gone]
    told = [entry.release.commit for entry in choice.left_out]

    assert told == [commit for commit in commits if commit != choice.rolled_back]
    standing = [release for at, release in enumerate(story.releases) if at not in gone]
    for entry in choice.left_out:
        assert is_true(entry, choice, story, standing, seen), entry


def is_true(
    entry: LeftOut, choice: Choice, story: Story, standing: Sequence[Release], seen: Verdicts
) -> bool:
    """Does the history bear out the reason? Told without the code under test."""
    commit, images = entry.release.commit, entry.release.images
    now = {image: value for image, value in story.images.items() if images and image in images}
    match entry.objection.kind:
        case "unreadable":
            return images is None
        case "foreign":
            return images is not None and len(now) < len(story.images)
        case "same":
            return images is not None and all(images[image] == now[image] for image in now)
        case "verdict":
            return seen.against(commit) is not None
        case "taken":
            return any(
                was_replaced(image, images[image], standing)
                for image in now
                if images is not None and images[image] != now[image]
            )
        case "newer":
            bad = next(one for one in standing if one.commit == choice.rolled_back)
            return bad.action in ("rollback", None)
        case "unproven":
            return choice.stability == "it was seen stable" and "qa-passed" in entry.seen
        case "unjudged":
            return choice.stability == "it was seen stable" and not entry.seen
    return False


def was_replaced(image: str, value: ImageValue, standing: Sequence[Release]) -> bool:
    """Is the newest thing that happened to a value that something like a rollback replaced it?"""
    for at, release in enumerate(standing):
        if (release.images or {}).get(image) == value:
            later = [one for one in standing[:at] if image in (one.images or {})]
            return bool(later) and later[-1].action in ("rollback", None)
    return False


@given(MOVES, st.sampled_from([(), ("api",), ("web",)]))
def test_a_part_of_any_history_gives_the_same_answer(
    moves: list[tuple[str, str, int]], only: tuple[str, ...]
) -> None:
    """With gaps, undo, broken overlays and re-pushes, too, reading less changes no answer."""
    story = Played(moves).story
    if any(image not in story.images for image in only) or not story.images:
        return

    assert outcome(story, *only) == by_depth(story, *only)
